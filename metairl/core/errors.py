"""Failures a person can act on: one line that says what and where, and an exit code of its own."""

from collections.abc import Iterable
from difflib import get_close_matches


class MetairlError(Exception):
    """Base of every expected failure; the command line prints the message and exits with `code`."""

    code = 1


class UsageError(MetairlError):
    """An unknown name, a flag that does not exist, a combination that cannot work."""

    code = 2


class CardError(MetairlError):
    """A task, table or tuned card that breaks its schema."""

    code = 3


class RunConflict(MetairlError):
    """A run folder that belongs to another configuration, or to a process that is still alive."""

    code = 4


class DamagedFile(MetairlError):
    """A checkpoint or record whose bytes are not the ones that were written."""

    code = 5


class StorageError(MetairlError):
    """A folder that cannot be written: read-only, full, or gone."""

    code = 6


class Diverged(MetairlError):
    """A loss or parameter that is no longer a finite number."""

    code = 7


class PhysicsError(MetairlError):
    """A simulation that has outgrown the memory it was given, and would go on without what did not fit."""

    code = 8


class Infeasible(MetairlError):
    """Demonstrations that no reward of the kind asked for explains."""

    code = 9


class Refused(MetairlError):
    """A submission that a board does not take, and why."""

    code = 10


class RunsMissing(MetairlError):
    """Runs that were asked for and did not complete; each was named."""

    code = 11


class Unreachable(MetairlError):
    """A judge that was asked over the network and did not answer."""

    code = 12


class Incompatible(MetairlError):
    """A run folder that another version of the suite made, and that this one cannot go on with."""

    code = 13


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest valid word, or lists the valid ones when none is close."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(names)}"
