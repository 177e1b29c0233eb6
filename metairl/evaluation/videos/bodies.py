"""MuJoCo's bodies at their tasks: a pane a task, the episodes of the trial one after another.

States are noted during a rollout and drawn afterwards, so that drawing cannot change what happened.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.core.types import PolicyInputs, Tasks
from metairl.envs import make
from metairl.evaluation.videos import LINGER, Film, Picture
from metairl.evaluation.videos.caption import GREY, WHITE, Words, above, tiled
from metairl.evaluation.videos.stage import Stage
from metairl.evaluation.videos.targets import DONE, WANTED
from metairl.evaluation.videos.watched import Watched, moments, spans
from metairl.tasks.cards import Physics, TaskCard

FRAMES_A_SECOND = 15
STRIDE = 2  # steps between frames
MOMENTS = 5  # of an episode in the still
RECENT = 10  # steps over which the displayed speed is averaged; that of one step flickers


@dataclass(frozen=True)
class Life:
    """One episode of one body."""

    poses: Tensor  # [L, nq], before every step
    returns: Tensor  # [L], after every step
    seconds: float  # a step takes

    def speed(self, moment: int) -> float:
        """Along the first axis, lately."""
        before = max(0, moment - RECENT)
        moved = float(self.poses[moment, 0] - self.poses[before, 0])
        return moved / (self.seconds * max(1, moment - before))


@dataclass(frozen=True)
class Case:
    """The rollouts of one task."""

    parameters: dict[str, list[float]]
    lives: list[Life]


def shoot(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> Film:
    """`tasks`: the still has a row an episode, the first of a task above its next."""
    assert card.physics
    rollouts = cases(policy, card, tasks, inputs, seed)
    return Film("tasks", _still(card.physics, rollouts), _frames(card.physics, rollouts), FRAMES_A_SECOND)


def cases(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> list[Case]:
    """What the policy does in every task."""
    bodies = make(card, tasks, stream("film", card.id, seed))
    env = Watched(bodies, lambda bodies: bodies.qpos)
    came = rollout_outcome(policy, env, stream("film", "act", card.id, seed), inputs)
    poses, seconds = env.history, env.env.seconds
    return [
        Case(
            {name: values[lane].flatten().tolist() for name, values in tasks.items()},
            [
                Life(poses[lane, span], came.reward[lane, span].cumsum(0), seconds)
                for span in spans(came, lane, card.episodes)
            ],
        )
        for lane in range(env.lanes)
    ]


def _still(physics: Physics, rollouts: list[Case]) -> Picture:
    """Moments of every episode from its beginning to its end."""
    with closing(Stage(physics)) as stage:
        rows = []
        for case in rollouts:
            for episode, life in enumerate(case.lives):
                some = torch.linspace(0, len(life.poses) - 1, MOMENTS).long().tolist()
                rows.append([_pane(stage, case, episode, moment) for moment in some])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _frames(physics: Physics, rollouts: list[Case]) -> Iterator[Picture]:
    """An episode begins in all panes at once; a body that is through with it waits for the others."""
    with closing(Stage(physics)) as stage:
        for episode in range(len(rollouts[0].lives)):
            longest = max(len(case.lives[episode].poses) for case in rollouts)
            for moment in moments(longest, STRIDE):
                frame = tiled([_pane(stage, case, episode, moment) for case in rollouts])
                yield frame
    yield from [frame] * LINGER


def _pane(stage: Stage, case: Case, episode: int, moment: int) -> Picture:
    life = case.lives[episode]
    now = min(moment, len(life.poses) - 1)
    speed, wanted = life.speed(now), case.parameters.get(stage.aim)
    head: list[Words] = [(_told(name, values), WANTED) for name, values in case.parameters.items()]
    lines = [[words] for words in head]
    if stage.aim == "velocity":
        lines[0].append((f"its own {_number(speed)}", DONE))
    count = f"step {now + 1}{', its last' if now < moment else ''}"
    lines.append([
        (f"episode {episode + 1}", WHITE),
        (count, GREY),
        (f"return {_number(float(life.returns[now]))}", WHITE),
    ])  # fmt: skip
    return above(stage.draw(life.poses[now], wanted, speed), lines)


def _told(name: str, values: list[float]) -> str:
    """A parameter, or the range of the many multipliers of a field."""
    if len(values) > 3:
        return f"{name} ×{min(values):.2f} to ×{max(values):.2f}"
    return f"{name} {', '.join(map(_number, values))}"


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no minus before nothing
