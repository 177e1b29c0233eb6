"""A method and its regimes."""

import pytest

from metairl.core.errors import UsageError
from metairl.core.types import Part
from metairl.methods.method import Method


class Learner:
    pass


ONE = Part(Learner, 1)
TWO = Part(Learner, 2)
METHOD = Method(
    "A title",
    "a paper",
    Part(Learner),
    recipe=ONE,
    name="mine",
    regimes={"meta": {}, "scratch": {"pretrains": False, "adapt": TWO}},
)


def test_the_first_regime_is_the_default() -> None:
    method = METHOD.under(None)
    assert (method.regime, method.pretrains, method.adapt, method.label) == ("meta", True, None, "mine")


def test_a_regime_changes_what_it_names_and_nothing_else() -> None:
    method = METHOD.under("scratch")
    assert (method.regime, method.pretrains, method.adapt) == ("scratch", False, TWO)
    assert (method.learner, method.recipe, method.title) == (METHOD.learner, ONE, "A title")
    assert method.label == "mine-scratch"


def test_a_regime_that_a_method_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(UsageError, match="'mine' has no regime 'fine-tune'; it has 'meta' and 'scratch'"):
        METHOD.under("fine-tune")


def test_regimes_of_a_method_differ_and_equal_ones_are_equal() -> None:
    assert METHOD.under("scratch") != METHOD.under("meta")
    assert METHOD.under("scratch") == METHOD.under("scratch")
    assert hash(METHOD.under("scratch")) == hash(METHOD.under("scratch"))
