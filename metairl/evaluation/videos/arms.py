"""Meta-World's arm at its tasks: a pane a task, the episodes of the trial one after another.

States are noted during a rollout and drawn afterwards, in the package's whole scenes, so that drawing cannot
change what happened. A green ball is the target.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import mujoco
import numpy as np
from torch import Tensor

from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.core.types import PolicyInputs, Tasks
from metairl.envs import make
from metairl.envs.metaworld import official, starts
from metairl.evaluation.videos import LINGER, Film, Picture
from metairl.evaluation.videos.caption import GREY, WHITE, above, tiled
from metairl.evaluation.videos.stage import SHADOWS
from metairl.evaluation.videos.targets import DONE, WANTED, ball
from metairl.evaluation.videos.watched import Watched, moments, spans
from metairl.tasks.cards import TaskCard
from metairl.tasks.metaworld_boxes import NAMES

SIZE = (240, 320)
FRAMES_A_SECOND, STRIDE = 20, 4  # steps between frames
MOMENTS = 5  # of an episode in the still
TARGET = 0.02  # its radius
LOOK_AT, DISTANCE, AZIMUTH, ELEVATION = (0.0, 0.68, 0.1), 1.15, 215.0, -28.0


@dataclass(frozen=True)
class Life:
    """One episode of one task."""

    poses: Tensor  # [L, nq], before every step
    returns: Tensor  # [L], after every step
    success: Tensor  # [L] bool, at some step until then


@dataclass(frozen=True)
class Case:
    """The rollouts of one task."""

    skill: str
    goal: Tensor  # [6]
    target: Tensor  # [3]
    lives: list[Life]


class Stage:
    """One scene, its fixtures where a goal has them, in front of a camera."""

    def __init__(self, case: Case):
        self.model = mujoco.MjModel.from_xml_path(str(official.scene(case.skill)))
        self.model.vis.quality.shadowsize = SHADOWS
        begun = starts.of(case.skill, case.goal[None])
        for field in official.FIXTURES:
            rows = getattr(self.model, field)
            rows[:] = begun[field].view(rows.shape).numpy()
        self.data, self.target = mujoco.MjData(self.model), case.target.numpy()
        self.renderer = mujoco.Renderer(self.model, *SIZE)
        self.renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self.camera = mujoco.MjvCamera()
        self.camera.lookat[:], self.camera.distance = LOOK_AT, DISTANCE
        self.camera.azimuth, self.camera.elevation = AZIMUTH, ELEVATION

    def draw(self, pose: Tensor) -> Picture:
        self.data.qpos[:] = pose[: self.model.nq].numpy()
        mujoco.mj_fwdPosition(self.model, self.data)
        self.renderer.update_scene(self.data, self.camera)
        ball(self.renderer.scene, self.target, TARGET)
        picture: Picture = self.renderer.render()
        return picture

    def close(self) -> None:
        self.renderer.close()


def shoot(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> Film:
    """`tasks`: the still has a row an episode, the first of a task above its next."""
    rollouts = cases(policy, card, tasks, inputs, seed)
    return Film("tasks", _still(rollouts), _frames(rollouts), FRAMES_A_SECOND)


def cases(policy: Policy, card: TaskCard, tasks: Tasks, inputs: PolicyInputs, seed: int) -> list[Case]:
    """What the policy does in every task."""
    env = Watched(make(card, tasks, stream("film", card.id, seed)), lambda arms: arms.qpos)
    came = rollout_outcome(policy, env, stream("film", "act", card.id, seed), inputs)
    poses = env.history
    return [
        Case(
            NAMES[int(goal[0])],
            goal[1:],
            env.task[lane, len(NAMES) :][:3],
            [
                Life(
                    poses[lane, span],
                    came.reward[lane, span].cumsum(0),
                    came.success[lane, span].cummax(0).values,
                )
                for span in spans(came, lane, card.episodes)
            ],
        )
        for lane, goal in enumerate(tasks["goal"])
    ]


def _still(rollouts: list[Case]) -> Picture:
    """Moments of every episode from its beginning to its end."""
    rows = []
    for case in rollouts:
        with closing(Stage(case)) as stage:
            for episode, life in enumerate(case.lives):
                some = np.linspace(0, len(life.poses) - 1, MOMENTS).astype(int).tolist()
                rows.append([_pane(stage, case, episode, moment) for moment in some])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _frames(rollouts: list[Case]) -> Iterator[Picture]:
    stages = [Stage(case) for case in rollouts]
    try:
        for episode in range(len(rollouts[0].lives)):
            longest = max(len(case.lives[episode].poses) for case in rollouts)
            for moment in moments(longest, STRIDE):
                both = zip(stages, rollouts, strict=True)
                frame = tiled([_pane(stage, case, episode, moment) for stage, case in both])
                yield frame
        yield from [frame] * LINGER
    finally:
        for stage in stages:
            stage.close()


def _pane(stage: Stage, case: Case, episode: int, moment: int) -> Picture:
    life = case.lives[episode]
    moment = min(moment, len(life.poses) - 1)  # one whose simulation was lost waits for the others
    reached = bool(life.success[moment])
    lines = [
        [(case.skill, WANTED), ("success", DONE) if reached else ("", WHITE)],
        [
            (f"episode {episode + 1}", WHITE),
            (f"step {moment + 1}", GREY),
            (f"return {float(life.returns[moment]):.0f}", WHITE),
        ],
    ]
    return above(stage.draw(life.poses[moment]), lines)
