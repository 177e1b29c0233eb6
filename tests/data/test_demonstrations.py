"""Demonstrations as methods get them, and every method that explains them, from the words to the record."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from metairl.agents.exact.planning import HARD, action_values, plan
from metairl.cli.main import main
from metairl.core.errors import DamagedFile, StorageError
from metairl.core.records import Evaluation, RunFolder
from metairl.core.rng import stream
from metairl.core.types import Demonstrations
from metairl.data import demonstrations, offline_dataset
from metairl.envs import spec_of
from metairl.evaluation import reward_metrics
from metairl.experiments.request import make_request
from metairl.methods import build, settings
from metairl.methods.method import Regime
from metairl.methods.registry import METHODS, find
from metairl.tasks import catalogue, sampling

TASK = "random-mdp:data=expert,demos={}"
IRL = [
    (name, regime)
    for name, method in METHODS.items()
    if method.problem == "known-dynamics"
    for regime in method.regimes
]


@pytest.fixture(scope="module")
def charted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Demonstrations of random MDPs and of two grids, as `metairl collect` makes them."""
    root = tmp_path_factory.mktemp("demonstrations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAIRL_DATA", str(root))
        patch.chdir(root)
        assert main(["collect", "random-mdp", "--episodes", "4", "--tasks", "6"]) == 0
        yield root


def evaluation(folder: Path) -> Evaluation:
    return [r for r in RunFolder(folder).records() if isinstance(r, Evaluation) and r.split == "test"][-1]


@pytest.mark.parametrize("name, regime", IRL)
def test_it_is_trained_judged_and_measured(name: str, regime: Regime, charted: Path, tmp_path: Path) -> None:
    steps = ["--steps", "20"] if METHODS[name].under(regime).recipe else []
    few = ["--learner.rounds", "15"] if name != "tabular-bc" else []
    words = [
        "train",
        name,
        TASK.format(3),
        "--regime",
        regime,
        *steps,
        *few,
        "--wandb",
        "disabled",
        "--out",
        str(tmp_path),
    ]
    assert main(words) == 0
    found = evaluation(tmp_path)
    assert found.measures and len(found.measures["value-difference"]) == 100
    diverged = sum(found.measures["value-difference"]) / 100
    main(["train", "random", "random-mdp", "--wandb", "disabled", "--out", str(tmp_path / "random")])
    chance = evaluation(tmp_path / "random").measures
    assert chance and diverged < 0.7 * sum(chance["value-difference"]) / 100
    assert ("correlation" in found.measures) == (name != "tabular-bc")
    assert main(words) == 0 and evaluation(tmp_path) == found  # complete: nothing is done again


def test_more_demonstrations_hold_the_fewer_and_a_seed_chooses(charted: Path) -> None:
    def shown(count: int, seed: int) -> Demonstrations:
        card = catalogue.task(TASK.format(count))
        return demonstrations.mdps_with_demos(card, spec_of(card), "test", seed)[1]

    assert torch.equal(shown(3, 0).states[:, :2], shown(2, 0).states)
    assert not torch.equal(shown(3, 0).states, shown(3, 1).states)
    assert shown(3, 0).states.shape == (100, 3, 20)


def test_the_best_policy_shows_what_is_best(charted: Path) -> None:
    card = catalogue.task(TASK.format(4))
    spec = spec_of(card)
    chart, shown = demonstrations.mdps_with_demos(card, spec, "test", 0)
    assert not hasattr(chart, "reward") and not hasattr(shown, "reward")
    true = reward_metrics.truth(card, sampling.task_set(card, "test"))
    q = action_values(true.mdp, true.reward, plan(true.mdp, true.reward, 20, HARD))
    lane, step = torch.arange(100).view(-1, 1, 1), torch.arange(20).view(1, 1, -1)
    chosen = q[lane, step, shown.states, shown.actions]
    assert (chosen >= q[lane, step, shown.states].amax(-1) - 1e-5).all()


def test_too_few_are_said(charted: Path) -> None:
    card = catalogue.task(TASK.format(9))
    with pytest.raises(StorageError, match="task 0 has 4 episodes, not 9"):
        demonstrations.mdps_with_demos(card, spec_of(card), "test", 0)


def test_a_step_that_cannot_be_is_named() -> None:
    from metairl.tasks import finite_mdps

    made = finite_mdps.gridworld(torch.zeros(2, 9 + 1 + 2, dtype=torch.float64), 9, 5)
    states = torch.tensor([[[0, 1, 2], [0, 1, 4]], [[0, 1, 2], [0, 8, 8]]])
    after = torch.tensor([[[1, 2, 2], [1, 4, 4]], [[1, 2, 2], [8, 8, 8]]])
    actions = torch.tensor([[[1, 1, 4], [1, 2, 4]], [[1, 1, 4], [1, 4, 4]]])
    demonstrations.check_possible(made.mdp[:1], states[:1], actions[:1], after[:1], "here")
    with pytest.raises(DamagedFile, match="here: task 1, episode 1, step 0 goes from state 0 to 8, "):
        demonstrations.check_possible(made.mdp, states, actions, after, "here")


def test_an_episode_that_was_cut_is_named(charted: Path) -> None:
    card = catalogue.task(TASK.format(2))
    spec = spec_of(card)
    found = offline_dataset.read(card, spec, "test")
    lengths, obs = found.replay.lengths, found.replay.data["obs"]
    lengths[5, 1] = 19
    with pytest.raises(DamagedFile, match="here: task 5, episode 1 has 19 steps, not 20"):
        demonstrations.check_complete(found, spec, Path("here"))
    lengths[5, 1] = 20
    before = obs[7, 3, 2].clone()
    obs[7, 3, 2] = 0.5
    with pytest.raises(DamagedFile, match="here: task 7, episode 3, step 2 is no single state"):
        demonstrations.check_complete(found, spec, Path("here"))
    obs[7, 3, 2] = before
    demonstrations.check_complete(found, spec, Path("here"))


def test_it_is_not_judged_where_it_cannot_plan(charted: Path, tmp_path: Path) -> None:
    words = ["train", "tabular-bc", TASK.format(2), "--wandb", "disabled", "--out", str(tmp_path)]
    assert main(words) == 0
    assert main(["evaluate", str(tmp_path), "--on", "random-mdp"]) == 2
    assert main(["evaluate", str(tmp_path), "--on", "random-mdp:horizon=9,data=expert,demos=2"]) == 2
    assert main(["evaluate", str(tmp_path), "--plot", str(tmp_path / "plot")]) == 2
    assert main(["collect", "random-mdp:data=expert,demos=2", "--expert", "maxent-irl"]) == 2


def test_who_was_taught_by_other_demonstrations_is_another_run(charted: Path, tmp_path: Path) -> None:
    identity = make_request("maxent-irl", TASK.format(2), steps=30, regime="meta").identity()
    assert identity["train_data_sha256"] != identity["data_sha256"]
    assert "train_data_sha256" not in make_request("maxent-irl", TASK.format(2)).identity()


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("random-mdp", "learns from demonstrations; say which"),
        ("random-mdp:demos=3", "'demos' needs the name of a dataset, as in data=expert,demos=3"),
        ("random-mdp:data=expert,demos=0", "must be a whole number above 0"),
        ("bandit-5", "does not run on bandit tasks"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    task: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "maxent-irl", task]) == 2
    assert what in capsys.readouterr().err


def test_rewards_are_drawn_where_there_is_a_grid(
    charted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = "binaryworld:horizon=4,data=expert,demos=2"
    few = ["--episodes", "2", "--tasks", "2", "--split", "validation"]
    assert main(["collect", "binaryworld:horizon=4", *few]) == 0
    assert main(["collect", "binaryworld:horizon=4", *few[:4], "--split", "test"]) == 0
    quick = ["--learner.rounds", "2", "--wandb", "disabled", "--out", str(tmp_path / "run")]
    assert main(["train", "maxent-irl", task, *quick]) == 0
    capsys.readouterr()
    plot = ["--plot", str(tmp_path / "plot"), "--tasks", "2"]
    assert main(["evaluate", str(tmp_path / "run"), *plot, "--json"]) == 0
    assert "value-difference" in json.loads(capsys.readouterr().out)["measures"]
    assert (tmp_path / "plot" / "rewards.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["evaluate", str(tmp_path / "run"), "--video", str(tmp_path)]) == 2


def test_features_of_another_width_are_refused(charted: Path) -> None:
    from metairl.core.errors import UsageError
    from metairl.core.types import FiniteMDP
    from metairl.rewards.irl import maxent

    card = catalogue.task(TASK.format(2))
    spec = spec_of(card)
    chart, shown = demonstrations.mdps_with_demos(card, spec, "test", 0)
    narrow = FiniteMDP(chart.successors, chart.probs, chart.features[..., :3], chart.start)
    with pytest.raises(UsageError, match="features have 3 numbers, not 5"):
        maxent.MaxEnt(spec, maxent.Config()).fit(narrow, shown)


def test_settings_are_tuned_for_any_number_of_demonstrations() -> None:
    for count in (1, 64):
        _, tuned = settings.tuned(find("deep-maxent"), f"objectworld:data=expert,demos={count}", None)
        assert tuned.learner.decay == 1.0
    _, other = settings.tuned(find("deep-maxent"), "gridworld:data=expert,demos=1", None)
    assert other.learner.decay == 10.0


@pytest.mark.parametrize("name", sorted({name for name, _ in IRL}))
def test_a_reward_that_is_spoilt_changes_nothing(name: str, charted: Path) -> None:
    """Neither the weights among a task's parameters nor rewards in its logs reach who explains it."""
    card = catalogue.task(TASK.format(2))
    spec = spec_of(card)
    found = offline_dataset.read(card, spec, "validation").select(0)

    def explained() -> torch.Tensor:
        asked = make_request(name, TASK.format(2))
        explainer = build.build_alone(METHODS[name], spec, asked.settings, seed=0)
        shown = demonstrations.as_demonstrations(found, spec, 2, stream("spoilt"), Path("here"))
        return explainer.fit(demonstrations.finite_mdps(found, spec), shown).policy

    before = explained()
    found.replay.tasks[:, -spec.features :] = torch.nan
    for column in ("reward", "training_reward"):
        found.replay.data[column] = torch.full_like(found.replay.data[column], torch.nan)
    assert torch.equal(explained(), before)
