"""Settings of a method's parts: their defaults, and what benchmarks/tuned or a person says over them."""

from dataclasses import Field, fields, is_dataclass, make_dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from metairl.agents.encoders import ENCODERS
from metairl.core.errors import CardError, nearest
from metairl.methods.method import Method
from metairl.methods.registry import find
from metairl.tasks import catalogue
from metairl.training import fine_tuning


@cache
def settings_type(method: Method, encoder: str | None) -> type:
    """A dataclass with one nested Config a part: what can be tuned, and what `--help` lists.

    Made once for each combination, so that equal settings of two requests are equal.
    """
    parts = {"learner": method.learner[1]}
    if encoder:
        parts["encoder"] = ENCODERS[encoder][1]
    if method.recipe:
        parts["recipe"] = method.recipe[1]
    defaults = {name: part() for name, part in parts.items()}
    if method.adapts:
        defaults |= {"adapt": fine_tuning.Config(), "alone": method.adapts}
    return make_dataclass("Settings", [(n, type(part), part) for n, part in defaults.items()], frozen=True)


def tuned(name: str, task: str, encoder: str | None) -> tuple[int, Any]:
    """The step budget and settings that benchmarks/tuned has for a method on a task, over the defaults."""
    steps, values, where = tuned_values(name, task, encoder)
    return steps, settings_from(find(name), encoder, values, where)


def searched(name: str, task: str, encoder: str | None, settings: Any) -> int:
    """Training steps of the search that chose these settings; 0 where they are not the ones it chose."""
    steps = catalogue.tuned(name, task)[0].get("searched", 0)
    return int(steps) if steps and tuned(name, task, encoder)[1] == settings else 0


def tuned_values(name: str, task: str, encoder: str | None) -> tuple[int, dict[str, Any], str]:
    """The step budget, what is said over the defaults, part by part, and where it is said."""
    values, path = catalogue.tuned(name, task)
    steps, found = values.pop("steps", find(name).steps), values.pop("searched", 0)
    for key, value in (("steps", steps), ("searched", found)):
        if not isinstance(value, int):
            raise CardError(f"{path} [{task}]: '{key}' must be a whole number, not {value!r}")
    others = values.pop("encoders", {})  # of encoders that are not the method's own, by name
    if encoder != find(name).encoder:
        values.pop("encoder", None)
        values |= {"encoder": others[encoder]} if encoder in others else {}
    return steps, values, f"{path} [{task}]"


def settings_from(method: Method, encoder: str | None, values: dict[str, Any], where: str) -> Any:
    """Settings with some values replaced; an unknown part or key is named, with the nearest valid one."""
    whole = settings_type(method, encoder)
    defaults = whole()
    parts: dict[str, Any] = {field.name: field.type for field in fields(whole)}
    chosen = {}
    for part, changes in values.items():
        if part not in parts:
            raise CardError(f"{where}: unknown part '{part}'; {nearest(part, parts)}")
        chosen[part] = _changed(getattr(defaults, part), changes, where, part)
    return whole(**chosen)


def _changed(part: Any, changes: dict[str, Any], where: str, name: str) -> Any:
    """A part with some values replaced, also in parts of it."""
    known = {field.name: field for field in fields(part)}
    typed = {}
    for key, value in changes.items():
        full = f"{name}.{key}"
        if key not in known:
            raise CardError(f"{where}: unknown key '{full}'; {nearest(key, known)}")
        inner = getattr(part, key)
        if is_dataclass(inner) and isinstance(value, dict):
            typed[key] = _changed(inner, value, where, full)
        else:
            typed[key] = _typed(value, known[key], f"{where}: '{full}'")
    return replace(part, **typed)


def _typed(value: Any, field: Field[Any], name: str) -> Any:
    """The value as a field's type has it, which in a file may look different: a list for a tuple."""
    try:
        kind: Any = field.type
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as fault:
        raise CardError(f"{name}: {fault.errors()[0]['msg']}, not {value!r}") from None
