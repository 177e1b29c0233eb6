"""Requests: what identifies a run, where its folder is, and how a folder gives the request back."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from metairl.core.errors import Incompatible, UsageError
from metairl.core.records import RunFolder
from metairl.experiments.request import from_run, make_request, read_request
from metairl.methods.method import Method
from metairl.methods.registry import METHODS


def test_a_request_holds_its_method_in_its_regime() -> None:
    request = make_request("sac", "point-robot", regime="scratch")
    assert (request.method.name, request.method.regime, request.regime) == ("sac", "scratch", "scratch")
    assert make_request("sac", "point-robot").regime is None  # the default is not said
    assert make_request("maxent-irl", "random-mdp:data=expert,demos=1").regime is None


def test_the_tuned_budget_unless_another_is_asked_for() -> None:
    assert make_request("rl2", "bandit-5").steps == 3_000_000
    assert make_request("rl2", "bandit-5", steps=7).steps == 7
    assert make_request("thompson", "bandit-5").steps == 0  # nothing is trained
    with pytest.raises(UsageError, match="--steps must be 0 or more, not -1"):
        make_request("rl2", "bandit-5", steps=-1)
    with pytest.raises(UsageError, match=r"'sac-scratch' is trained on held-out tasks alone: set --adapt"):
        make_request("sac", "point-robot", steps=10, regime="scratch")


def test_a_card_says_how_many_questions_there_are() -> None:
    request = make_request("preferences", "point-robot:episodes=1,questions=30")
    assert request.settings.recipe.queries.labels == 30


def test_folders_say_method_regime_encoder_variant_task_and_seed() -> None:
    request = make_request("iql", "point-robot:data=replay", "pearl", seed=3)
    named = replace(request, variant={"recipe.queries.selection": "uniform"})
    alone = make_request("iql", "point-robot:data=replay", regime="scratch")
    folders = [r.folder(Path("runs")).relative_to("runs").parts for r in (request, named, alone)]
    task = "point-robot-v1_data=replay,episodes=2"
    assert folders[0] == ("iql+pearl", task, "seed-3")
    assert folders[1] == ("iql+pearl,selection=uniform", task, "seed-3")
    assert folders[2] == ("iql-scratch", task, "seed-0")


def test_a_variant_names_a_folder_and_is_no_part_of_the_run() -> None:
    request = make_request("rl2", "bandit-5")
    assert replace(request, variant={"encoder.cell": "gru"}) == request


TASK_OF = {
    "bandit": "bandit-5",
    "tabular": "tabular-mdp",
    "maze-grid": "snail-maze-grid",
    "maze": "snail-maze",
    "tokens": "token-imitation",
    "meta-world": "mt10",
    "random-mdp": "random-mdp",
}
WITHOUT_DATA = [
    method.under(regime)
    for method in METHODS.values()
    for regime in method.regimes
    if method.problem in ("exact", "online", "examples")
]


@pytest.mark.parametrize("method", WITHOUT_DATA, ids=lambda method: method.label)
def test_a_run_file_gives_the_request_back(method: Method) -> None:
    env = (method.envs or ("point",))[0]
    data = ":examples=5" if method.support == "goals" else ""
    request = make_request(method, TASK_OF.get(env, "point-robot") + data, seed=2)
    run = request.identity()
    assert ("regime" in run) == (request.regime is not None)
    assert from_run(run, "here") == request


def test_settings_that_an_earlier_version_did_not_have_get_their_defaults() -> None:
    request = make_request("rl2", "bandit-5", steps=10)
    run = request.identity()
    del run["config"]["learner"]["gamma"]
    assert asdict(from_run(run, "here").settings.learner)["gamma"] == request.settings.learner.gamma


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda run: run.pop("config"), "it has no 'config'"),
        (lambda run: run.update(method="rl3"), "no method 'rl3'"),
        (lambda run: run["config"]["learner"].update(novel=1), "unknown key 'learner.novel'"),
    ],
)
def test_a_folder_of_another_version_is_refused_with_the_reason(
    change: object, why: str, tmp_path: Path
) -> None:
    folder, run = RunFolder(tmp_path), {"status": "completed", **make_request("rl2", "bandit-5").identity()}
    change(run)  # type: ignore[operator]
    folder.create()
    folder.describe(run)
    with pytest.raises(Incompatible, match=why):
        read_request(folder)


def test_a_folder_of_an_old_name_is_read(tmp_path: Path) -> None:
    request = make_request("sac", "point-robot", regime="scratch", seed=1)
    run = {"status": "completed", **request.identity(), "method": "scratch"}
    del run["regime"]
    folder = RunFolder(tmp_path)
    folder.create()
    folder.describe(run)
    assert read_request(folder) == request
