"""Settings of a method's parts: their defaults, and what benchmarks/tuned or a person says over them."""

from dataclasses import Field, fields, is_dataclass, make_dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from metairl.agents.encoders import ENCODERS
from metairl.core.errors import CardError, nearest
from metairl.methods.method import Method
from metairl.tasks import catalogue
from metairl.training import fine_tuning


@cache
def settings_type(method: Method, encoder: str | None) -> type:
    """A dataclass with one nested Config a part: what can be tuned, and what `--help` lists.

    Made once for each combination, so that equal settings of two requests are equal.
    """
    defaults = {"learner": method.learner.config}
    if encoder:
        defaults["encoder"] = ENCODERS[encoder].config
    if method.recipe:
        defaults["recipe"] = method.recipe.config
    if method.adapt:
        defaults |= {"adapt": fine_tuning.Config(), "alone": method.adapt.config}
    return make_dataclass("Settings", [(n, type(part), part) for n, part in defaults.items()], frozen=True)


def tuned(method: Method, task: str, encoder: str | None) -> tuple[int, Any]:
    """The step budget and settings that benchmarks/tuned has for a method on a task, over the defaults."""
    steps, values, where = tuned_values(method, task, encoder)
    return steps, settings_from(method, encoder, values, where)


def searched(method: Method, task: str, encoder: str | None, settings: Any) -> int:
    """Training steps of the search that chose these settings; 0 where they are not the ones it chose."""
    steps = catalogue.tuned(method.label, task)[0].get("searched", 0)
    return int(steps) if steps and tuned(method, task, encoder)[1] == settings else 0


def tuned_values(method: Method, task: str, encoder: str | None) -> tuple[int, dict[str, Any], str]:
    """The step budget, what is said over the defaults, part by part, and where it is said."""
    values, path = catalogue.tuned(method.label, task)
    steps, found = values.pop("steps", method.steps), values.pop("searched", 0)
    for key, value in (("steps", steps), ("searched", found)):
        if not isinstance(value, int):
            raise CardError(f"{path} [{task}]: '{key}' must be a whole number, not {value!r}")
    others = values.pop("encoders", {})  # of encoders that are not the method's own, by name
    if encoder != method.encoder:
        values.pop("encoder", None)
        values |= {"encoder": others[encoder]} if encoder in others else {}
    return steps, values, f"{path} [{task}]"


def settings_from(method: Method, encoder: str | None, values: dict[str, Any], where: str) -> Any:
    """The defaults with some values replaced; an unknown part or key is named, with the nearest valid one."""
    return changed(settings_type(method, encoder)(), values, where)


def changed(settings: Any, values: dict[str, Any], where: str) -> Any:
    """Settings with some values replaced, part by part."""
    parts = {field.name: getattr(settings, field.name) for field in fields(settings)}
    for part in values:
        if part not in parts:
            raise CardError(f"{where}: unknown part '{part}'; {nearest(part, parts)}")
    return replace(settings, **{n: _changed(parts[n], new, where, n) for n, new in values.items()})


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
