"""METHODS: every method by its name. One table a family; a line there is all it takes to be listed,
trained, judged and contract-tested.

An algorithm is one entry: what trains it (`regime`), what infers the task (`encoder`) and every number
(`settings`) are asked for beside its name.
"""

from dataclasses import replace

from metairl.core.errors import UsageError, nearest
from metairl.core.old_names import OLD_METHODS
from metairl.methods import exact, feedback, imitation, irl, offline, online
from metairl.methods.method import Method, Regime

FAMILIES = (online, offline, imitation, feedback, irl, exact)
METHODS: dict[str, Method] = {
    name: replace(method, name=name).under(None)
    for family in FAMILIES
    for name, method in family.METHODS.items()
}


def find(name: str, regime: Regime | None = None) -> Method:
    """A method in one of its regimes, by default its first."""
    if name in OLD_METHODS:
        raise UsageError(f"method '{name}' is now: {OLD_METHODS[name].spelling}")
    if name not in METHODS:
        raise UsageError(f"no method '{name}'; {nearest(name, METHODS)}")
    return METHODS[name].under(regime)
