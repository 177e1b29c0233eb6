"""Agents that were made outside of this package, judged by the same judge into the same records.

    factory(task, seed) -> agent            MODULE:FACTORY on the command line; loads what was trained

An agent has a `name`, the training `steps` it has had, the `settings` it was trained with, and

    start(lanes) -> memory                  at the beginning of a trial on so many tasks; arrays, lanes first
    act(seen, memory) -> action, memory     [lanes] whole numbers, or [lanes, A] in [−1, 1]
    adapt(support)                          once before, where a card shows something of its held-out tasks

Weights that move while it acts belong into memory, so that what one task taught never reaches another.
"""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from metairl.core.errors import RunConflict, UsageError
from metairl.core.records import SCHEMA, RunFolder
from metairl.core.types import Context, PolicyInputs, Spec, State
from metairl.data import demonstrations, offline_dataset
from metairl.data.replay import Replay
from metairl.envs import spec_of
from metairl.evaluation import protocol
from metairl.experiments.run import claim, now, surroundings
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard, digest

Array = NDArray[Any]


@dataclass(frozen=True)
class Seen:
    """What is known before acting."""

    obs: Array  # [lanes, O]
    action: Array  # [lanes, A], the one before, one-hot where actions are discrete; 0 at first
    reward: Array | None  # [lanes], that came of it; None where rewards are hidden
    done: Array  # [lanes], 1 where it ended an episode


@dataclass(frozen=True)
class Support:
    """The support of one held-out task: T consecutive steps."""

    obs: Array  # [T, O]
    action: Array  # [T, A]
    next_obs: Array  # [T, O]
    done: Array  # [T]
    reward: Array | None  # [T]; None in demonstrations


class Agent(Protocol):
    name: str
    steps: int
    settings: dict[str, Any]

    def start(self, lanes: int) -> tuple[Array, ...]: ...

    def act(self, seen: Seen, memory: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]: ...


class Outside:
    """An agent as the judge knows policies."""

    def __init__(self, agent: Agent, spec: Spec):
        self.agent, self.spec = agent, spec

    def initial(self, lanes: int) -> State:
        return _tensors(self.agent.start(lanes))

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        past = context.prev_reward
        seen = Seen(
            obs=context.obs[:, 0].numpy(),
            action=context.prev_action[:, 0].numpy(),
            reward=None if past is None else past[:, 0].numpy(),
            done=context.prev_done[:, 0].numpy(),
        )
        action, memory = self.agent.act(seen, tuple(part.numpy() for part in state))
        return self._checked(np.asarray(action), len(context.obs)), _tensors(memory)

    def _checked(self, action: Array, lanes: int) -> Tensor:
        spec = self.spec
        shape = (lanes,) if spec.discrete else (lanes, spec.actions)
        if action.shape != shape:
            raise UsageError(f"agent '{self.agent.name}': actions of shape {action.shape}, not {shape}")
        if spec.discrete:
            if (
                not np.issubdtype(action.dtype, np.integer)
                or not ((action >= 0) & (action < spec.actions)).all()
            ):
                raise UsageError(f"agent '{self.agent.name}': actions are whole numbers below {spec.actions}")
            return torch.from_numpy(action.astype(np.int64))
        if not np.isfinite(action).all():
            raise UsageError(f"agent '{self.agent.name}': an action that is no number")
        return torch.from_numpy(action.astype(np.float32)).clamp(-1, 1)


def judge(where: str, task: str, seed: int, folder: RunFolder) -> dict[str, Any]:
    """The run folder of an agent on a task: judged on its test tasks, as every run is; its description."""
    card = catalogue.task(task)
    agent = load(where, task, seed)
    if folder.run_file.exists():
        raise RunConflict(f"{folder.path}: there is a run already; choose another --out")
    folder.create()
    with claim(folder):
        identity = _identity(agent, where, task, seed)
        run = {"schema": SCHEMA, "id": digest(identity)[:12], **identity, **surroundings()}
        folder.describe(run | {"status": "running"})
        tasks, spent = sampling.task_set(card, "test"), _spent(agent)
        folder.append(list(protocol.meta_test(agent, card, tasks, inputs(card), seed, spent)))
        run |= {"status": "completed", "finished": now()}
        folder.describe(run)
    return run


def load(where: str, task: str, seed: int) -> Outside:
    """The agent of a MODULE:FACTORY, with what a task's card shows of its test tasks."""
    card = catalogue.task(task)
    agent, spec = _factory(where)(catalogue.task_name(task), seed), spec_of(card)
    if card.data is not None:
        if not hasattr(agent, "adapt"):
            raise UsageError(f"agent '{agent.name}' has no 'adapt', and '{card.id}' shows its tasks before")
        agent.adapt(_supports(card, spec, seed))
    return Outside(agent, spec)


def inputs(card: TaskCard) -> PolicyInputs:
    """Rewards are observed inside a trial, unless the agent had support before it."""
    return PolicyInputs(reward=card.data is None)


def _factory(where: str) -> Any:
    module, _, name = where.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as fault:
        raise UsageError(f"no agent '{where}' ({fault}); MODULE:FACTORY is looked for from here") from None
    finally:
        sys.path.remove(here)


def _identity(agent: Outside, where: str, task: str, seed: int) -> dict[str, Any]:
    return {
        "method": agent.agent.name,
        "encoder": None,
        "task": catalogue.task_name(task),
        "card_sha256": catalogue.task(task).sha256,
        "seed": seed,
        "steps": agent.agent.steps,
        "config": agent.agent.settings,
        "adapter": where,
    }


def _spent(agent: Outside) -> protocol.StepCounts:
    return protocol.StepCounts(env_steps=agent.agent.steps)


def _supports(card: TaskCard, spec: Spec, seed: int) -> list[Support]:
    """One for each test task, in the protocol's order."""
    has_demos = card.demos is not None
    found = (
        demonstrations.demo_dataset(card, spec, "test", seed)
        if has_demos
        else offline_dataset.read(card, spec, "test")
    )
    return [_support(found.replay.select(torch.tensor([index])), has_demos) for index in range(len(found))]


def _support(replay: Replay, has_demos: bool) -> Support:
    batch = replay.all_transitions()
    unmasked = batch.mask[0] > 0
    rows = {name: getattr(batch, name)[0][unmasked].numpy() for name in ("obs", "action", "next_obs", "done")}
    return Support(**rows, reward=None if has_demos else batch.reward[0][unmasked].numpy())


def _tensors(memory: tuple[Array, ...]) -> State:
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in memory)
