"""Cards: one clear line for every way of being wrong; draws that depend on the card and the split alone."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from metairl.core.errors import CardError, UsageError
from metairl.core.rng import stream
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.methods import registry, settings
from metairl.methods.registry import METHODS
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard

ROOT = catalogue.PACKAGE.parent
GOOD = (ROOT / "tasks" / "bandit-5-v1.toml").read_text().replace("bandit-5-v1", "mine-v1")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks").mkdir()
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    catalogue._task_card.cache_clear()
    return tmp_path / "tasks"


@pytest.mark.parametrize(
    "right, wrong, message",
    [
        ("horizon = 10", "horizn = 10", "unknown key 'horizn'; did you mean 'horizon'?"),
        ("horizon = 10", 'horizon = "ten"', "'horizon': Input should be a valid integer (found 'ten')"),
        ("horizon = 10", "horizon = 0", "'horizon': Input should be greater than or equal to 1 (found 0)"),
        ("low = 0.0", "lo = 0.0", "unknown key 'parameters.arm_means.uniform.lo'; did you mean 'low'?"),
        (
            "low = 0.0",
            "low = nan",
            "'parameters.arm_means.uniform.low': Input should be a finite number (found nan)",
        ),
        ('"uniform"', '"unifrm"', "'parameters.arm_means': unknown law 'unifrm'; did you mean 'uniform'?"),
        ("test = 20000", "", "missing key 'split.test'"),
        ("test = 20000", "tets = 20000", "unknown key 'split.tets'; did you mean 'test'?"),
        ('id = "mine-v1"', 'id = "yours-v1"', "'id' must equal the file name, 'mine-v1'"),
        ("horizon = 10", "horizon = = 10", "not valid TOML"),
    ],
)
def test_a_malformed_card_is_one_line(shelf: Path, right: str, wrong: str, message: str) -> None:
    assert right in GOOD
    file = shelf / "mine-v1.toml"
    file.write_text(GOOD.replace(right, wrong))
    with pytest.raises(CardError) as caught:
        catalogue.task("mine")
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "asked, message",
    [
        ("bandit-6", "no task 'bandit-6'; did you mean 'bandit-5'?"),
        ("bandit-5:pull=3", "no setting 'pull'; did you mean 'pulls'?"),
        ("bandit-5:pulls=many", "'pulls' must be a whole number above 0, not 'many'"),
        ("bandit-5:pulls=0", "'pulls' must be a whole number above 0, not '0'"),
        ("bandit-5:pulls", "write a setting as name=value, not 'pulls'"),
    ],
)
def test_an_unknown_task_or_setting_names_the_nearest(asked: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.task(asked)
    assert message in str(caught.value)


def test_names() -> None:
    assert catalogue.task("bandit-5").id == "bandit-5-v1"
    assert catalogue.task_name("bandit-5") == "bandit-5-v1:pulls=10"
    assert catalogue.task_name("bandit-5-v1:pulls=100") == "bandit-5-v1:pulls=100"
    assert catalogue.task("bandit-5:pulls=100").steps == 100


def test_the_short_name_is_the_newest_version(shelf: Path) -> None:
    for version in (1, 2, 10):
        (shelf / f"mine-v{version}.toml").write_text(GOOD.replace("mine-v1", f"mine-v{version}"))
    assert catalogue.task("mine").id == "mine-v10"


def test_the_hash_moves_with_what_decides_a_return_and_with_nothing_else(shelf: Path) -> None:
    def hashed(text: str) -> str:
        (shelf / "mine-v1.toml").write_text(text)
        catalogue._task_card.cache_clear()
        return catalogue.task("mine").sha256

    assert hashed(GOOD) == hashed(GOOD.replace("Bernoulli bandit", "Another title"))
    assert hashed(GOOD) != hashed(GOOD.replace("high = 1.0", "high = 0.9"))
    assert catalogue.task("bandit-5").sha256 != catalogue.task("bandit-5:pulls=11").sha256


@pytest.mark.parametrize("name", catalogue.task_ids())
def test_every_card_draws_disjoint_and_repeatable_tasks(name: str) -> None:
    card = catalogue.task(name)
    test, again = sampling.task_set(card, "test"), sampling.task_set(card, "test")
    assert test.sha256 == again.sha256
    assert len(test) == card.split.test
    train = sampling.train_tasks(card, 2000, stream("train", "tasks", 0))
    sampling.check_unseen(train, sampling.held_out(card))
    if card.same_tasks:
        assert {*train.digests} == {*test.digests} and not sampling.held_out(card)
        return
    elsewhere = sum(catalogue.task(other).split.test for other in card.transfer)
    assert len(sampling.held_out(card)) == card.split.validation + card.split.test + elsewhere


def law(words: str, split: str = "train", count: int = 20_000) -> torch.Tensor:
    laws = GOOD[GOOD.index("[parameters") : GOOD.index("[split]")]
    card = TaskCard.model_validate(tomllib.loads(GOOD.replace(laws, f"[parameters.x]\n{words}\n")))
    return sampling.sample_tasks(card, count, stream("law"), split)["x"]


def test_multipliers_lie_around_one() -> None:
    x = law('law = "power"\nbase = 1.5\nlow = -3.0\nhigh = 3.0\nshape = [2]')
    assert x.shape == (20_000, 2)
    assert x.min() >= 1.5**-3 and x.max() < 1.5**3
    assert abs(x.log().mean()) < 0.02 and abs(x.log().std() - 6 * np.log(1.5) / 12**0.5) < 0.01


def test_places_in_a_disc_are_as_dense_everywhere() -> None:
    x = law('law = "disc"\nradius = 3.0')
    assert x.norm(dim=1).max() <= 3 and abs((x.norm(dim=1) < 1.5).float().mean() - 0.25) < 0.015
    assert x.mean(0).abs().max() < 0.05


def test_places_on_an_arc() -> None:
    x = law('law = "arc"\nradius = 2.0\nlow = 0.0\nhigh = 1.0')
    torch.testing.assert_close(x.norm(dim=1).float(), torch.full((20_000,), 2.0))
    assert x[:, 1].min() >= -1e-6 and abs((x[:, 0] > 0).float().mean() - 0.5) < 0.015


def test_one_of_a_few_is_drawn_in_training_and_takes_turns_elsewhere() -> None:
    words = 'law = "one-of"\nvalues = [1.0, -1.0]'
    assert abs(law(words).mean()) < 0.03
    assert law(words, "test", 4).flatten().tolist() == [1.0, -1.0, 1.0, -1.0]


def test_laws() -> None:
    mdp = sampling.sample_tasks(catalogue.task("tabular-mdp"), 2000, stream("laws"))
    transitions, means = mdp["transitions"], mdp["reward_means"]
    assert transitions.shape == (2000, 10, 5, 10) and means.shape == (2000, 10, 5)
    torch.testing.assert_close(transitions.sum(-1), torch.ones(2000, 10, 5))
    assert abs(transitions.var() - 0.9 / 110) < 1e-4  # Dirichlet(1 × 10): p (1 − p) / 11 with p = 0.1
    assert abs(means.mean() - 1) < 0.02 and abs(means.std() - 1) < 0.02


def test_own_tasks_are_tuned_for_beside_the_suite_and_no_card_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "bandit-3-v1.toml").write_text(GOOD.replace("mine-v1", "bandit-3-v1"))
    tuned = tmp_path / "benchmarks" / "tuned"
    tuned.mkdir(parents=True)
    (tuned / "rl2.toml").write_text('["bandit-3"]\nsteps = 7\n')
    monkeypatch.setenv("METAIRL_PATH", str(tmp_path))
    assert settings.tuned(registry.find("rl2"), "bandit-3", "rl2")[0] == 7
    assert settings.tuned(registry.find("rl2"), "bandit-5", "rl2")[0] == 3_000_000
    (tuned / "rl2.toml").write_text('["bandit-5"]\nsteps = 7\n')
    with pytest.raises(CardError, match="'bandit-5' is already tuned in"):
        settings.tuned(registry.find("rl2"), "bandit-5", "rl2")
    (tmp_path / "tasks" / "bandit-5-v1.toml").write_text(GOOD.replace("mine-v1", "bandit-5-v1"))
    with pytest.raises(CardError, match="'bandit-5-v1' exists already"):
        catalogue.task("bandit-5")


def test_a_card_cannot_transfer_to_another_kind_of_task(monkeypatch: pytest.MonkeyPatch) -> None:
    card = catalogue.task("bandit-5").model_copy(update={"transfer": ["bandit-10-v1"]})
    whole = catalogue.task
    monkeypatch.setattr(catalogue, "task", lambda name: card if name.startswith("bandit-5") else whole(name))
    with pytest.raises(CardError, match="cannot transfer to 'bandit-10-v1'"):
        build(make_request("random", "bandit-5"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks" / "tuned").glob("*.toml")), ids=lambda path: path.stem
)
def test_every_tuned_key_exists(path: Path) -> None:
    labels = {method.under(r).label: method.under(r) for method in METHODS.values() for r in method.regimes}
    method = labels[path.stem]
    for task in tomllib.loads(path.read_text()):
        settings.tuned(method, task, method.encoder)


@pytest.mark.parametrize("name", catalogue.tables())
def test_every_table_names_tasks_and_methods_that_exist(name: str) -> None:
    table = catalogue.table(name)
    for column in table.columns:
        catalogue.task(column.task)
    for row in table.rows:
        if row.method:
            registry.find(row.method)


MAPS = """
[parameters.plan]
law = "maps"
train = ['''
#####
#S..#
#.#.#
#.#G#
#####''', '''
#####
#G..#
###.#
#S..#
#####''']
validation = ["##### #S.G# ##### ##### #####"]
test = ["##### #G.S# ##### ##### #####"]

[split]
train = 2
validation = 1
test = 1
"""


def drawn_card(maps: str) -> str:
    whole = (ROOT / "tasks" / "snail-maze-grid-v1.toml").read_text().replace("snail-maze-grid-v1", "mine-v1")
    head, _, rest = whole.partition("[parameters.plan]")
    return head.replace('transfer = ["snail-maze-grid-large-v1"]', "") + maps + rest[rest.index("[score]") :]


def test_a_card_may_draw_its_own_mazes(shelf: Path) -> None:
    (shelf / "mine-v1.toml").write_text(drawn_card(MAPS))
    card = catalogue.task("mine")
    assert sampling.task_set(card, "test").tasks["plan"][0, 1].tolist() == [1, 3, 0, 2, 1]
    assert len(sampling.held_out(card)) == 2
    assert sampling.train_tasks(card, 50, stream("maps")).tasks["plan"].shape == (50, 5, 5)
    _, recipe = build(make_request("rl2", "mine"))
    assert recipe is not None and recipe.iterate(0.0)["return"] < 2


@pytest.mark.parametrize(
    "right, wrong, message",
    [
        ("#S.G#", "#S#G#", "'parameters.plan.maps': validation[0]: no path leads from S to G"),
        ("#S.G#", "#G.S#", "'parameters.plan.maps': test[0] repeats validation[0]"),
        ("#S.G#", "#S.X#", "validation[0]: unknown character 'X', must be one of . # S G"),
        ("#S.G#", "#S.S#", "validation[0]: a map must have one S, found 2"),
        ("#S.G#", "#S..#", "validation[0]: a map must have one G, found 0"),
        ("#S.G#", "#S.G.", "validation[0]: all squares at the edge must be walls"),
        ("#S.G#", "#S.G", "validation[0]: a map must have as many rows as columns"),
        (
            "##### #S.G# ##### ##### #####",
            "#### #SG# #### ####",
            "all maps must have the same size, found [4, 5]",
        ),
        ("train = 2", "train = 3", "split.train is 3, but 'plan' has 2 maps for it"),
        ("train = 2", 'train = "endless"', "split.train is endless, but 'plan' has 2 maps for it"),
    ],
)
def test_a_maze_nobody_could_walk_in_is_refused(shelf: Path, right: str, wrong: str, message: str) -> None:
    assert MAPS.count(right) == 1
    (shelf / "mine-v1.toml").write_text(drawn_card(MAPS.replace(right, wrong)))
    with pytest.raises(CardError, match=r"mine-v1\.toml: ") as caught:
        catalogue.task("mine")
    assert message in str(caught.value)


def test_training_mazes_that_are_test_mazes_are_refused_before_a_run(shelf: Path) -> None:
    """With 2 × 2 cells there are but 48 mazes, so a thousand training mazes hold every test maze."""
    small = (ROOT / "tasks" / "snail-maze-grid-v1.toml").read_text().replace("snail-maze-grid-v1", "mine-v1")
    small = small.replace('transfer = ["snail-maze-grid-large-v1"]', "").replace("cells = 5", "cells = 2")
    (shelf / "mine-v1.toml").write_text(small)
    with pytest.raises(CardError, match=r"'mine-v1': .* validation tasks are held-out tasks too"):
        build(make_request("rl2", "mine"))


def test_tasks_to_come_back_to_are_different_while_there_are_others() -> None:
    card = catalogue.task("ml1:skill=reach")
    all_of_them = sampling.different_train_tasks(card, 50, stream("different"))
    assert len(set(all_of_them.digests)) == 50
    again = sampling.different_train_tasks(card, 120, stream("different")).digests
    assert sorted(again.count(digest) for digest in set(again)) == [2] * 30 + [3] * 20
    endless = sampling.different_train_tasks(catalogue.task("point-robot"), 50, stream("different"))
    assert len(set(endless.digests)) == 50
