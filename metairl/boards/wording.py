"""How a page says numbers, places, intervals and links: as text for people, and as keys to sort by."""

import math
import re

from metairl.evaluation.statistics import Interval

FEW_SEEDS = 5  # fewer are marked
TINTS = 6
FULL = 100.0  # a score as good as the expert's, or success in every episode
TIERS = {
    "self": "what its authors report",
    "checked": "its records were checked",
    "rerun": "run again by the maintainers",
}
MEASURES = {  # what the numbers count
    "score": "Return, counted so that 0 is a random policy and 100 the expert of the column's task.",
    "success": "Per cent of episodes that reach the goal.",
}
# No backslash, no name before an @, no letters that look like others: browsers read more than is meant.
HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][^\s\\<>\"'\x00-\x1f\x7f]*)?")


def decimal(value: float) -> str:
    """One digit after the point; a minus as wide as a digit, and none before 0."""
    return f"{value:z.1f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "not a number"


def bounds(interval: Interval, fewest: int) -> str | None:
    """None where too few seeds were run to say."""
    if interval.seeds < fewest or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return None
    return f"{decimal(interval.low)} to {decimal(interval.high)}"


def with_bounds(interval: Interval, fewest: int) -> str:
    where = bounds(interval, fewest)
    return decimal(interval.value) + (f" ({where})" if where else "")


def places(rank: tuple[int, int] | None) -> str:
    """ "1", "1–3", or nothing."""
    if rank is None:
        return ""
    first, last = rank
    return f"{first}" if first == last else f"{first}\N{EN DASH}{last}"


def count(number: int) -> str:
    return f"{number:,}"


def several(number: int, word: str) -> str:
    """ "1 row", "3 rows"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def tint(value: float) -> str:
    """The class of a cell: how far its value is from nothing to full, in a few steps."""
    if not math.isfinite(value):
        return ""
    return f"heat-{int(min(max(value / FULL * TINTS, 0.0), TINTS - 1.0))}"


def sort_key(value: float | None) -> str | None:
    """None, and so last, where there is no number to compare."""
    return None if value is None or not math.isfinite(value) else repr(float(value))


def link(text: str | None) -> str | None:
    """The address, where the text is one that may be followed: https and nothing else."""
    return text if text and HTTPS.fullmatch(text) else None


def label(text: str, most: int) -> str:
    """A name in a figure: no longer than this, and nothing in it that XML has no place for."""
    seen = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return seen if len(seen) <= most else seen[: most - 1].rstrip() + "…"
