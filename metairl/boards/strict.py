"""JSON that says one thing only, and text that is only text: how files from outside are read.

Python's parser takes NaN, 1e999, doubled keys (the last wins), endless digits and a depth that ends the
process. Here each is one line that names the file. Text may not hold markup, controls, or marks that turn
the direction of reading, so that it can stand on a page, in a terminal and in a spreadsheet.
"""

import json
import math
import re
import unicodedata
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from metairl.core.errors import Refused

DEPTH, DIGITS = 32, 18
_MARKUP = re.compile(r"[<>`]|\]\(|&#|javascript:|data:|vbscript:", re.IGNORECASE)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LINK = re.compile(r"https://[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~/%?#=&+,:@-]*)?")


def parse(content: bytes, where: str) -> Any:
    """The value in a JSON text, or `Refused` with what is wrong with it."""

    def refuse(what: str) -> NoReturn:
        raise Refused(f"{where}: {what}")

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= DIGITS else refuse(f"a number of {len(digits)} digits")

    def real(digits: str) -> float:
        return float(digits) if math.isfinite(float(digits)) else refuse(f"{digits[:20]} is too large")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, count in _counts(pairs).items():
            if count > 1:
                refuse(f"key '{printable(key)}' stands there {count} times")
        return dict(pairs)

    try:
        text = content.decode()
    except UnicodeDecodeError:
        refuse("not UTF-8")
    if _depth(text) > DEPTH:
        refuse(f"nested deeper than {DEPTH}")
    try:
        value = json.loads(
            text,
            object_pairs_hook=once,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda word: refuse(f"{word} is not a number"),
        )
    except ValueError as fault:
        refuse(f"not JSON ({printable(str(fault))})")
    if _SURROGATE.search(text) and not _encodable(value):
        refuse("half of a surrogate pair in a text")
    return value


def plain(text: str) -> str:
    """The text itself, if it is one line of nothing but text."""
    if match := _MARKUP.search(text):
        raise ValueError(f"markup is not allowed ({match.group()!r})")
    for letter in text:
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            raise ValueError(f"a character that is not text (U+{ord(letter):04X})")
    return text


def link(text: str) -> str:
    if not _LINK.fullmatch(text):
        raise ValueError("only plain https:// addresses are allowed")
    return text


def printable(text: str) -> str:
    """For a message: short, and without what a terminal would act on."""
    safe = text.encode("ascii", "backslashreplace").decode()
    safe = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in safe)
    return safe if len(safe) <= 80 else safe[:77] + "..."


Text = Annotated[str, Field(max_length=2000), AfterValidator(plain)]
Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(plain)]
Link = Annotated[str, Field(max_length=300), AfterValidator(link)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


Model = TypeVar("Model", bound=BaseModel)


class Sealed(BaseModel):
    """A schema that guesses nothing: no unknown key, no 1 for true, no text for a number, no NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def fitted(schema: type[Model], value: Any, where: str) -> Model:
    """A parsed value as its schema has it, or `Refused` with the first key that does not fit."""
    try:
        return schema.model_validate_json(json.dumps(value))
    except ValidationError as fault:
        error = fault.errors(include_url=False)[0]
        key = ".".join(str(part) for part in error["loc"])
        message = error["msg"].removeprefix("Value error, ")
        raise Refused(f"{where}: '{printable(key)}': {printable(message)}") from None


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _counts(pairs: list[tuple[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key, _ in pairs:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _depth(text: str) -> int:
    """Of brackets outside of strings."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
