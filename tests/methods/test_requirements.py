"""Combinations that cannot work are refused by an error that names one that does."""

import pytest

from metairl.core.errors import UsageError
from metairl.experiments.request import make_request
from metairl.methods.method import Regime
from metairl.methods.registry import METHODS, find
from metairl.methods.requirements import SUGGESTED, check_counts, check_env, choose_encoder, heads_serve
from metairl.methods.settings import settings_from
from metairl.tasks import catalogue


@pytest.mark.parametrize(
    "method, encoder, message",
    [
        ("thompson", "rl2", "method 'thompson' uses no encoder; leave out --encoder rl2"),
        ("ppo", "rl1", r"no encoder 'rl1'; did you mean 'rl2'\?"),
        ("pearl", "rl2", "always uses encoder 'pearl'; to use encoder 'rl2', choose method ppo or sac"),
        ("mopo", "pearl", "works with the encoders 'none' and 'oracle', not with 'pearl'"),
    ],
)
def test_encoders_that_do_not_go_with_a_method(method: str, encoder: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_encoder(find(method), encoder)


def test_by_default_the_method_s_own_encoder() -> None:
    assert choose_encoder(find("pearl"), None) == "pearl"
    assert choose_encoder(find("thompson"), None) is None
    assert choose_encoder(find("iql"), "pearl") == "pearl"


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.envs])
def test_kinds_of_environments_that_a_method_does_not_run_on(name: str) -> None:
    """The error names methods that do."""
    method = find(name)
    task = next(t for t in map(catalogue.task, catalogue.task_ids()) if t.world not in (method.envs or ()))
    with pytest.raises(UsageError, match=f"'{name}' does not run on {task.world} tasks") as refused:
        check_env(method, task)
    suggested = str(refused.value).partition("try ")[2].partition(" (all")[0].split(", ")
    assert 0 < len(suggested) <= SUGGESTED
    for other in map(find, suggested):
        assert other.envs is None or task.world in other.envs


@pytest.mark.parametrize(
    "method, task, regime, message",
    [
        ("iql", "bandit-5", None, "learns from logs, and 'bandit-5-v1' has none"),
        ("iql", "point-robot", None, "learns from logs; say which: point-robot-v1:data=replay"),
        ("gail", "point-robot", None, "say which, and how many: point-robot-v1:data=expert,demos=8"),
        ("vice", "point-robot", None, "examples of success; say how many: point-robot-v1:examples=20"),
        (
            "pearl",
            "point-robot:episodes=1",
            None,
            "encoder 'pearl' adapts between episodes and needs at least 2",
        ),
        ("maml", "point-robot:episodes=1", None, "method 'maml' adapts .* try point-robot-v1:episodes=2"),
        (
            "gc-iql",
            "half-cheetah:data=replay",
            None,
            "'half-cheetah-v1' do not contain its goal",
        ),
        ("iql", "point-robot:data=replay,labels=5", None, "labels=5 .* which 'iql' does not train on"),
        ("sac", "point-robot:questions=5", None, "questions=5: 'sac' asks no questions"),
        ("sac-heads", "mt1", None, "one head for each training skill; it needs several"),
    ],
)
def test_tasks_that_lack_what_a_method_learns_from(
    method: str, task: str, regime: Regime | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_request(method, task, regime=regime)


def test_labels_are_for_what_trains_on_in_a_held_out_task() -> None:
    task = "point-robot:data=replay,labels=5"
    assert make_request("iql", task, regime="scratch").card.labels == 5
    assert make_request("gc-iql", task, regime="fine-tune").card.labels == 5


def test_counts_are_at_least_one_unless_their_default_is_zero() -> None:
    method = find("rl2")
    check_counts(settings_from(method, "rl2", {"encoder": {"recall": 0}}, "here"))  # off by default
    for part, key, value in (
        ("recipe", "trials", 0),
        ("encoder", "width", -3),
        ("learner", "hidden", [8, 0]),
    ):
        with pytest.raises(UsageError, match=f"{part}.{key} must be 1 or more, not"):
            check_counts(settings_from(method, "rl2", {part: {key: value}}, "here"))


def test_heads_serve_cards_whose_skills_were_all_trained() -> None:
    mt10, ml10, point = (catalogue.task(name) for name in ("mt10", "ml10", "point-robot"))
    assert heads_serve(mt10, mt10)
    assert not heads_serve(ml10, ml10)  # its test skills are other ones
    assert not heads_serve(mt10, point) and not heads_serve(point, mt10)
