"""How a page says numbers, places, intervals and links: as text for people, and as keys to sort by."""

import math
import re

from metairl.stats import Interval

FEW_SEEDS = 5  # fewer are marked
TINTS = 6
TIERS = {
    "self": "what its authors report",
    "checked": "its records were checked",
    "rerun": "run again by the maintainers",
}
MEASURES = {  # what 0 and 1 are
    "score": "Of the return: 0 is a random policy, 1 the expert of the column's task.",
    "success": "The share of episodes that reach the goal.",
}
# No backslash, no name before an @, no letters that look like others: browsers read more than is meant.
HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][^\s\\<>\"'\x00-\x1f\x7f]*)?")


def decimal(value: float) -> str:
    """Three digits after the point; a minus as wide as a digit."""
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "not a number"


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
    """The class of a cell: how far its value is from 0 to 1, in a few steps."""
    if not math.isfinite(value):
        return ""
    return f"heat-{min(TINTS - 1, int(min(max(value, 0.0), 1.0) * TINTS))}"


def sort_key(value: float | None) -> str | None:
    """None, and so last, where there is no number to compare."""
    return None if value is None or not math.isfinite(value) else repr(float(value))


def link(text: str | None) -> str | None:
    """The address, where the text is one that may be followed: https and nothing else."""
    return text if text and HTTPS.fullmatch(text) else None


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
