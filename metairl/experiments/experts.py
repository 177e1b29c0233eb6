"""Policies of every quality, to collect logs from.

trained       an expert's networks as they were at each judged moment of its run: its stages
not trained   at stage p of P a share 1 − p / P of the expert's actions is random

random         every action alike
medium         the stage that has come half way: first to do so, by the mean return on validation tasks
expert         the last stage, by its mode; the others draw actions as in training
medium-replay  all stages up to medium, in turn
replay         all stages, in turn
mixed          medium and then the last stage
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from metairl.agents.exact.baselines import Random
from metairl.core import checkpoint
from metairl.core.errors import StorageError, UsageError
from metairl.core.interfaces import Policy
from metairl.core.records import Evaluation, RunFolder
from metairl.core.types import Context, NoConfig, State
from metairl.envs import spec_of
from metairl.experiments.assemble import build
from metairl.experiments.request import Request, make_request
from metairl.experiments.run import execute
from metairl.experiments.tracking import Sink
from metairl.rewards.irl.solution import IRLMethod
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS

Quality = Literal["random", "medium", "expert", "medium-replay", "replay", "mixed"]
STAGES = 20  # P, of experts that are not trained
OF_WORLD = {  # who shows how it is done, where nobody else is asked for
    "point": ("point-expert", None),
    "point-sparse": ("point-expert", None),
    "meta-world": ("scripted", None),
    "maze-grid": ("shortest-path", None),
    "maze": ("shortest-walk", None),
    "tabular": ("value-iteration", None),
    "locomotion": ("sac", "oracle"),
    "cart-pole": ("ppo", "none"),
    "tokens": ("token-expert", None),
    "acrobot": ("ppo", "none"),
    "lander": ("ppo", "none"),
} | dict.fromkeys(FINITE_MDPS, ("optimal", None))


@dataclass(frozen=True)
class Stages:
    """From the worst to the best."""

    drawn: Sequence[Policy]  # as in training
    settled: Policy  # the last one, by its mode
    middle: int  # the first that has come half way
    names: Sequence[str]  # what each is, for the record

    def of(self, quality: Quality, chance: Policy) -> tuple[Sequence[Policy], Sequence[str]]:
        """In the order in which they act."""
        early = slice(self.middle + 1)
        match quality:
            case "random":
                return [chance], ["random"]
            case "medium":
                return [self.drawn[self.middle]], [self.names[self.middle]]
            case "expert":
                return [self.settled], [self.names[-1]]
            case "medium-replay":
                return self.drawn[early], self.names[early]
            case "replay":
                return self.drawn, self.names
            case "mixed":
                return [self.drawn[self.middle], self.drawn[-1]], [self.names[self.middle], self.names[-1]]


def expert_for(card: TaskCard, method: str | None, encoder: str | None) -> tuple[str, str | None]:
    """Who is asked to show how it is done, else who usually does in such a world."""
    if method:
        return method, encoder
    if card.world not in OF_WORLD:
        raise UsageError(f"no expert is known for a {card.world} world: name a method with --expert")
    usual, for_task = OF_WORLD[card.world]
    return usual, encoder or (None if card.split.train == 1 else for_task)


def policies(
    request: Request, quality: Quality, runs: Path, sinks: Sequence[Sink]
) -> tuple[Sequence[Policy], Sequence[str]]:
    """Those of a quality, and what each is. An expert that has to be trained is trained first."""
    if request.method.support == "demos":
        raise UsageError(f"'{request.method.label}' itself needs demonstrations; pass another --expert")
    chance = Random(spec_of(request.card), NoConfig())
    if quality == "random":
        return [chance], ["random"]
    trained = request.method.recipe is not None
    stages = _trained(request, request.folder(runs), sinks) if trained else _diluted(request, chance)
    return stages.of(quality, chance)


def _trained(request: Request, path: Path, sinks: Sequence[Sink]) -> Stages:
    run = execute(request, path, sinks, stages=True)
    folder = RunFolder(path)
    kept = checkpoint.load_all(folder.stages)
    if 0 not in kept:
        raise StorageError(
            f"{path}: this run kept not all of its stages; train it again with --stages, or name other --runs"
        )
    levels: dict[int, list[float]] = {}
    for record in folder.records():
        if isinstance(record, Evaluation) and record.split == "validation":
            levels.setdefault(record.clock, []).append(sum(record.returns) / len(record.returns))
    level = [sum(levels[moment]) / len(levels[moment]) for moment in kept]
    half = (level[0] + max(level)) / 2
    return Stages(
        drawn=[_policy(request, stage, explore=True) for stage in kept.values()],
        settled=_policy(request, kept[max(kept)], explore=False),
        middle=next(index for index, value in enumerate(level) if value >= half),
        names=[
            f"{request.method.label}+{request.encoder}, run {run['id']}, after {moment} steps"
            for moment in kept
        ],
    )


def _policy(request: Request, stage: dict[str, Any], explore: bool) -> Policy:
    recipe: Any = build(request)[1]
    recipe.networks.load_state_dict(stage["networks"])  # a reward that was learned beside it among them
    acting: Policy = recipe.agent.policy(explore)
    return acting


def _diluted(request: Request, chance: Policy) -> Stages:
    expert, _ = build(request)
    assert not isinstance(expert, IRLMethod), "refused before"
    shares = [1 - stage / STAGES for stage in range(STAGES + 1)]
    return Stages(
        drawn=[NoisyExpert(expert, chance, share) for share in shares],
        settled=expert,
        middle=STAGES // 2,
        names=[f"{request.method.label}, {share:.0%} of its actions random" for share in shares],
    )


@dataclass(frozen=True)
class NoisyExpert:
    """An expert whose action is a random one in a share of the steps."""

    expert: Policy
    chance: Policy
    share: float

    def initial(self, lanes: int) -> State:
        return self.expert.initial(lanes)

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        good, after = self.expert.act(context, state, rng)
        other, _ = self.chance.act(context, (), rng)
        slips = torch.rand(len(good), generator=rng) < self.share
        return other.where(slips.view(-1, *[1] * (good.dim() - 1)), good), after


def asked_for(task: str, method: str, encoder: str | None, seed: int, engine: str) -> Request:
    """The request that an expert's run is made by."""
    return make_request(method, task, encoder, seed, engine=engine)
