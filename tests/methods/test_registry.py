"""The registry: names, families, old names."""

import pytest

from metairl.core.errors import UsageError
from metairl.core.old_names import OLD_METHODS
from metairl.methods.registry import FAMILIES, METHODS, find


def test_families_share_no_name() -> None:
    assert sum(len(family.METHODS) for family in FAMILIES) == len(METHODS)


def test_every_entry_knows_its_name_and_is_in_its_default_regime() -> None:
    for name, method in METHODS.items():
        assert method.name == name and method.regime == next(iter(method.regimes))


def test_at_most_seventy_entries_and_one_for_each_algorithm_and_learner() -> None:
    """What differs in one setting, or only in what trains it, is no entry of its own."""
    assert len(METHODS) <= 70
    parts = [
        (m.learner, m.recipe, m.encoder, m.problem, m.support)
        for m in METHODS.values()
        if m.recipe is not None
    ]
    assert all(parts.count(part) == 1 for part in parts)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no method 'rl3'; did you mean 'rl2'\?"):
        find("rl3")


@pytest.mark.parametrize(
    "old, now",
    [
        ("bc-tenth", "bc --recipe.best-share"),
        ("iql-alone", "iql --regime scratch"),
        ("fine-tune", "sac --regime fine-tune"),
        ("rl2-lstm", "rl2 --encoder.cell lstm"),
        ("deep-maxent-meta", "deep-maxent --regime meta"),
        ("copied", "tabular-bc"),
    ],
)
def test_an_old_name_is_answered_with_the_new_spelling(old: str, now: str) -> None:
    with pytest.raises(UsageError, match=f"method '{old}' is now: {now}"):
        find(old)


@pytest.mark.parametrize("old", sorted(OLD_METHODS))
def test_no_old_method_is_lost(old: str) -> None:
    """What every old name stood for can be asked for today, setting by setting."""
    now = OLD_METHODS[old]
    method = find(now.method, now.regime)  # type: ignore[arg-type]
    assert old not in METHODS
    parts = {"learner": method.learner.config}
    parts |= {"recipe": method.recipe.config} if method.recipe else {}
    parts |= {"alone": method.adapt.config} if method.adapt else {}
    for part, values in now.settings.items():
        if part != "encoder":
            assert all(hasattr(parts[part], key) for key in values), (old, part, values)
