"""Errors that a user can act on: a one-line message with what failed and where, and one exit code per class."""

from collections.abc import Iterable
from difflib import get_close_matches


class MetairlError(Exception):
    """Base of every expected failure; the command line prints the message and exits with `code`."""

    code = 1


class UsageError(MetairlError):
    """An unknown name or option, or a combination that is not supported."""

    code = 2


class CardError(MetairlError):
    """A task, table or tuned card that does not match its schema."""

    code = 3


class RunConflict(MetairlError):
    """A run folder of another configuration, or one that a running process holds."""

    code = 4


class DamagedFile(MetairlError):
    """A checkpoint, record or dataset that is not as it was written."""

    code = 5


class StorageError(MetairlError):
    """A folder that cannot be written (read-only, full or gone), or data that is missing."""

    code = 6


class Diverged(MetairlError):
    """A loss or parameter became NaN or infinite."""

    code = 7


class PhysicsError(MetairlError):
    """A simulation needs more memory than was allocated and would silently drop contacts or constraints."""

    code = 8


class Infeasible(MetairlError):
    """No reward of the requested class explains the demonstrations."""

    code = 9


class Refused(MetairlError):
    """A submission that a leaderboard rejects."""

    code = 10


class RunsMissing(MetairlError):
    """Some of the requested runs did not complete; each was named before."""

    code = 11


class Unreachable(MetairlError):
    """A language model behind a network endpoint did not answer."""

    code = 12


class Incompatible(MetairlError):
    """A run folder of another version of the suite that this version cannot continue."""

    code = 13


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the closest valid name, or with all of them where none is close."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(names)}"
