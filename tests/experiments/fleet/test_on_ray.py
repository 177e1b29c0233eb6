"""The same fleet on Ray: two nodes, one of them taken away while it works. Needs the extra `ray`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from metairl.core.records import RunFolder
from metairl.experiments.fleet.fleet import Fleet, Row
from metairl.experiments.fleet.jobs import jobs_of, planned
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute

ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


def asked(seed: int) -> Request:
    return make_request("rl2", "bandit-5:pulls=10", None, seed, 20_000)


def numbers(root: Path, seed: int) -> list[object]:
    records = RunFolder(asked(seed).folder(root)).records()
    return [{name: value for name, value in vars(record).items() if name != "seconds"} for record in records]


def test_a_node_that_is_taken_away_costs_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    from metairl.experiments.fleet.on_ray import OnRay

    monkeypatch.setenv("METAIRL_CHECKPOINT_SECONDS", "0.5")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    taken: list[int] = []

    def take(rows: Sequence[Row]) -> None:
        """Once two runs have written something, so both nodes are at work."""
        if not taken and sum(RunFolder(row.job.path).size() > 5_000 for row in rows) == 2:
            taken.append(sum(row.state == "running" for row in rows))
            cluster.remove_node(second, allow_graceful=False)

    try:
        crew = OnRay(cluster.address, workers=2, threads=1)
        rows = Fleet(crew, watch=take).sail(planned(jobs_of([asked(seed) for seed in range(4)], tmp_path)))
    finally:
        cluster.shutdown()
    assert taken == [2]
    assert [row.state for row in rows] == ["completed"] * 4
    assert max(row.tries for row in rows) > 1
    execute(asked(1), asked(1).folder(tmp_path / "alone"), [])
    assert numbers(tmp_path, 1) == numbers(tmp_path / "alone", 1)
