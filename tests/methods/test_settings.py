"""Settings: defaults, tuned values, and what is said over them."""

from dataclasses import fields

import pytest

from metairl.core.errors import CardError
from metairl.methods.registry import find
from metairl.methods.settings import changed, searched, settings_from, settings_type, tuned


def test_a_part_each_and_those_of_adaptation_where_a_regime_has_any() -> None:
    names = {
        regime: [f.name for f in fields(settings_type(find("iql", regime), "none"))]
        for regime in ("meta", "scratch")
    }
    assert names == {
        "meta": ["learner", "encoder", "recipe"],
        "scratch": ["learner", "encoder", "recipe", "adapt", "alone"],
    }


def test_exact_methods_have_a_learner_alone() -> None:
    assert [f.name for f in fields(settings_type(find("thompson"), None))] == ["learner"]


def test_the_same_combination_has_one_type_so_that_equal_settings_are_equal() -> None:
    assert settings_type(find("rl2"), "rl2") is settings_type(find("rl2"), "rl2")
    assert settings_type(find("rl2"), "rl2")() == settings_type(find("rl2"), "rl2")()


def test_values_replace_defaults_and_lists_become_tuples() -> None:
    settings = settings_from(find("sac"), "none", {"learner": {"hidden": [8, 8]}}, "here")
    assert settings.learner.hidden == (8, 8)
    assert settings.recipe == settings_type(find("sac"), "none")().recipe


def test_values_of_a_part_inside_a_part_are_replaced_alone() -> None:
    method = find("preferences-sac")
    before = settings_type(method, "oracle")()
    after = changed(before, {"recipe": {"queries": {"selection": "uniform"}}}, "here")
    assert (before.recipe.queries.selection, after.recipe.queries.selection) == ("disagreement", "uniform")
    assert after.recipe.queries.labels == before.recipe.queries.labels


@pytest.mark.parametrize(
    "values, message",
    [
        ({"lerner": {}}, "here: unknown part 'lerner'; did you mean 'learner'"),
        ({"learner": {"hiddn": 3}}, "here: unknown key 'learner.hiddn'; did you mean 'hidden'"),
        ({"learner": {"gamma": "high"}}, "'learner.gamma': .*, not 'high'"),
    ],
)
def test_what_cannot_be_read_is_named(values: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(CardError, match=message):
        settings_from(find("sac"), "none", values, "here")


def test_a_regime_has_tuned_settings_of_its_own() -> None:
    task = "half-cheetah-vel"
    assert tuned(find("sac", "fine-tune"), task, "none")[0] == 240_000
    assert tuned(find("sac", "fine-tune"), task, "none")[1].recipe.batch == 32
    assert tuned(find("sac", "scratch"), task, "none")[1].alone.learning_rate == 1e-3


def test_an_encoder_that_is_not_the_method_s_own_has_its_own_tuned_values() -> None:
    task = "half-cheetah-vel:data=replay,episodes=1"
    own, other = (tuned(find("iql"), task, encoder)[1].encoder for encoder in ("none", "pearl"))
    assert type(own) is not type(other) and other != settings_type(find("iql"), "pearl")().encoder


def test_a_search_is_charged_to_the_settings_it_chose_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from metairl.tasks import catalogue

    method, found = find("ucb1"), {"searched": 500, "learner": {"coefficient": 0.25}}
    monkeypatch.setattr(catalogue, "tuned", lambda name, task: (dict(found), None))
    assert searched(method, "bandit-5", None, tuned(method, "bandit-5", None)[1]) == 500
    assert searched(method, "bandit-5", None, settings_type(method, None)()) == 0
