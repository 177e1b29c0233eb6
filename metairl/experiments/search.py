"""Random search for a method's settings, judged on validation tasks alone: a plan of runs as any other.

    candidate 0    settings as they are tuned, or by default
    candidate i    those, and a value for every choice of a space, drawn from a stream of i and its name
    run            a candidate with a seed: a folder that a fleet makes, and goes on with
    score          the last validation return of a trial, mean over seeds; NaN and what diverged rank last
    spent          training steps of all of its runs, which belong to the chosen settings' cost

A candidate's values depend on nothing else, so a longer search has the candidates of a shorter one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from metairl.core.errors import Diverged, UsageError, nearest
from metairl.core.records import Evaluation, RunFolder, write_atomically
from metairl.core.rng import stream
from metairl.experiments.fleet.jobs import Job, glance
from metairl.experiments.request import Request, make_request
from metairl.methods import registry, requirements
from metairl.methods.method import Method
from metairl.methods.settings import settings_from, tuned, tuned_values
from metairl.tasks import catalogue
from metairl.tasks.search_space_card import Space

Values = dict[str, dict[str, Any]]  # part -> key -> value


@dataclass(frozen=True)
class Search:
    """What is searched, and with how much."""

    method: Method
    task: str
    encoder: str | None
    space: Space
    candidates: int
    seeds: int
    steps: int  # training steps of every run

    def drawn(self, index: int) -> Values:
        """What candidate `index` changes."""
        found: Values = {}
        for (part, key), choice in self.space.choices.items() if index else ():
            share = torch.rand((), dtype=torch.float64, generator=stream("search", index, part, key)).item()
            found.setdefault(part, {})[key] = choice.at(share)
        return found

    def values(self, index: int) -> Values:
        """All that a candidate says over the defaults."""
        _, values, _ = tuned_values(self.method, self.task, self.encoder)
        drawn = self.drawn(index)
        return {part: values.get(part, {}) | drawn.get(part, {}) for part in values | drawn}

    def requests(self, index: int) -> list[Request]:
        where = f"space '{self.space.id}'"
        settings = settings_from(self.method, self.encoder, self.values(index), where)
        return [
            replace(
                make_request(self.method, self.task, self.encoder, seed, self.steps, settings),
                judged="validation",
            )
            for seed in range(self.seeds)
        ]


@dataclass(frozen=True)
class Candidate:
    index: int
    drawn: Values
    jobs: Sequence[Job]

    @property
    def spent(self) -> int:
        return sum(glance(job).clock for job in self.jobs)

    @property
    def tried(self) -> bool:
        """Whether every run of it ended by itself."""
        return all(job.completed() for job in self.jobs) or self.out

    @property
    def out(self) -> bool:
        """A run of it diverged: it is not chosen, and not tried again."""
        folders = [RunFolder(job.path) for job in self.jobs]
        return any(f.description().get("code") == Diverged.code for f in folders if f.run_file.exists())

    @property
    def score(self) -> float:
        """NaN where it is out, or has no number."""
        if self.out:
            return math.nan
        return sum(_validated(RunFolder(job.path)) for job in self.jobs) / len(self.jobs)


def wanted(
    method: str,
    task: str,
    encoder: str | None,
    space: str | None,
    candidates: int,
    seeds: int,
    budget: int | None,
) -> Search:
    """Checked before any work starts; a budget is shared out evenly, else every run has the tuned one."""
    chosen = registry.find(method)
    for name, count in (("trials", candidates), ("seeds", seeds)):
        if count < 1:
            raise UsageError(f"--{name} must be 1 or more, not {count}")
    encoder = requirements.choose_encoder(chosen, encoder)
    steps = tuned(chosen, task, encoder)[0] if chosen.recipe else 0
    if budget is not None and chosen.recipe:
        steps = budget // (candidates * seeds)
        if steps < 1:
            raise UsageError(f"--budget {budget} leaves no step for {candidates * seeds} runs")
    return Search(chosen, task, encoder, space_for(method, space), candidates, seeds, steps)


def space_for(method: str, name: str | None) -> Space:
    """The one that is asked for, else the one that is meant for the method."""
    known = catalogue.spaces()
    if name is not None:
        if name not in known:
            raise UsageError(f"no space '{name}'; {nearest(name, known)}")
        return known[name]
    meant = [space for space in known.values() if method in space.methods]
    if len(meant) != 1:
        raise UsageError(
            f"{len(meant)} spaces are meant for '{method}': choose by --space, {', '.join(known)}"
        )
    return meant[0]


def plan(search: Search, out: Path) -> list[Candidate]:
    """Candidates that differ, each in a folder of its own."""
    found: dict[Any, Candidate] = {}
    for index in range(search.candidates):
        requests = search.requests(index)
        folder, label = out / f"{index:03}", f"candidate {index}"
        jobs = [Job(asked, folder / f"seed-{asked.seed}", label) for asked in requests]
        found.setdefault(requests[0].settings, Candidate(index, search.drawn(index), jobs))
    return list(found.values())


def best(candidates: Sequence[Candidate]) -> Candidate | None:
    """None where all are out; the earliest of equals."""
    scores = {candidate.index: candidate.score for candidate in candidates}
    able = [candidate for candidate in candidates if not math.isnan(scores[candidate.index])]
    return max(able, key=lambda candidate: scores[candidate.index], default=None)


def write(search: Search, chosen: Candidate, spent: int, path: Path) -> None:
    """As benchmarks/tuned has it."""
    steps, _, _ = tuned_values(search.method, search.task, search.encoder)
    values = search.values(chosen.index)
    own = search.method.encoder
    if search.encoder != own and "encoder" in values:
        values["encoders"] = {str(search.encoder): values.pop("encoder")}
    seeds = f"{search.seeds} seed{'s' * (search.seeds > 1)}"
    lines = [
        f"# Chosen by `metairl search` on validation tasks: candidate {chosen.index} of {search.candidates} "
        f"of space '{search.space.id}',",
        f"# {search.steps:,} training steps a run, {seeds}. `searched`: training steps of the whole search.",
        "",
        f'["{search.task}"]',
        *([f"steps = {steps}"] if search.method.recipe else []),
        f"searched = {spent}",
        *(f"{part} = {_toml(keys)}" for part, keys in values.items()),
        "",
    ]
    write_atomically(path, "\n".join(lines).encode())


def flags(values: Values) -> list[str]:
    """The same as options of `metairl train`."""
    return [
        word
        for part, keys in values.items()
        for key, value in keys.items()
        for word in _option(f"--{part}.{key}", value)
    ]


def _option(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _option(f"{name}.{key}", inner)
    elif isinstance(value, bool):
        head, _, tail = name.rpartition(".")
        yield name if value else f"{head}.no-{tail}"
    else:
        yield name
        yield from map(str, value) if isinstance(value, list) else [str(value)]


def _validated(folder: RunFolder) -> float:
    """The return of a trial at the last moment that was judged."""
    judged = [r for r in folder.records() if isinstance(r, Evaluation) and r.split == "validation"]
    last = [e for e in judged if e.clock == judged[-1].clock]
    return sum(sum(e.returns) / len(e.returns) for e in last)


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
