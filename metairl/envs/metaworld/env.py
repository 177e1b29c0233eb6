"""Meta-World's tasks in many lanes, of one skill or of many, as one flat batch.

    o = seen now, seen a step ago, goal        18 + 18 + 3 numbers; the goal is zero where it is hidden
    r = the skill's own reward, 0 to 10;       success = the skill's own, at this very step
    p = which skill, its target, its goal      50 + 3 + 6 numbers, for methods that observe the task

A task is a skill and a goal, see `metairl.tasks.metaworld_goals`. Lanes of one skill share a scene, and all scenes one
pool of threads. An episode ends at its horizon alone; a lane whose simulation diverges ends too, with no
reward for the step, and is marked.
"""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot, pad

from metairl.core.errors import UsageError
from metairl.core.types import Spec, Step, Tasks
from metairl.envs import engines
from metairl.envs.metaworld.lanes import SEEN, Lanes
from metairl.tasks.cards import Arm
from metairl.tasks.metaworld_boxes import BOXES, GOAL, NAMES
from metairl.tasks.metaworld_goals import allowed


class MetaWorld:
    def __init__(
        self,
        tasks: Tasks,
        horizon: int,
        episodes: int,
        rng: Generator,
        arm: Arm,
        engine: engines.Kind = "cpu",
    ):
        goals = _numbers(tasks)
        self.lanes, self.horizon, self.sees_goal = len(goals), horizon, arm.sees_goal
        self.kind = engine
        self.ends_with_success = False  # only to count as the package does
        which = goals[:, 0].long()
        self.order = which.argsort(stable=True)  # lanes as the scenes have them, one scene behind the other
        self.place = self.order.argsort()
        lanes_of = which.bincount(minlength=len(NAMES)).tolist()
        self.counts = [count for count in lanes_of if count]
        names = [name for name, count in zip(NAMES, lanes_of, strict=True) if count]
        self.scenes = [
            Lanes(name, part, engine, alone=len(names) == 1)
            for name, part in zip(names, self._scattered(goals[:, 1:]), strict=True)
        ]
        targets = self._gathered([scene.target for scene in self.scenes])
        self.task = torch.cat([one_hot(which, len(NAMES)), targets, goals[:, 1:]], dim=1).float()
        self.threads = ThreadPoolExecutor(torch.get_num_threads())
        self.first = self._gathered([scene.first for scene in self.scenes])
        self.before = self.first.clone()
        self.age = torch.zeros(self.lanes, dtype=torch.long)
        self.spec = Spec(2 * SEEN + 3, 4, False, horizon, episodes, self.task.shape[1])

    @property
    def qpos(self) -> Tensor:
        """How everything stands in every lane, [B, of the widest scene], the rest zero: to be looked at."""
        parts = [scene.engine.field("qpos") for scene in self.scenes]
        widest = max(part.shape[1] for part in parts)
        return self._gathered([pad(part, (0, widest - part.shape[1])) for part in parts])

    def reset(self) -> Tensor:
        self._begin(torch.ones(self.lanes, dtype=torch.bool))
        return self._observation(self.first)

    def step(self, action: Tensor) -> Step:
        for scene, part in zip(self.scenes, self._scattered(action), strict=True):
            scene.control(part)
        self._move()
        parts = [scene.see() for scene in self.scenes]
        verdicts = [scene.judge(part) for scene, part in zip(self.scenes, parts, strict=True)]
        seen = self._gathered(parts)
        reward = self._gathered([verdict.reward for verdict in verdicts]).float()
        success = self._gathered([verdict.success for verdict in verdicts])
        diverged = self._gathered([scene.engine.diverged for scene in self.scenes])
        final = self._observation(seen)
        self.before = seen
        self.age += 1
        terminated = diverged | success if self.ends_with_success else diverged
        over = (self.age >= self.horizon) | terminated
        obs = final
        if over.any():
            self._begin(over)
            obs = torch.where(over[:, None], self._observation(self.first), final)
            final = torch.where(diverged[:, None], obs, final)
            reward, success = reward.where(~diverged, 0.0), success & ~diverged
        return Step(obs, reward, terminated, over & ~terminated, success, final, diverged)

    def _move(self) -> None:
        """One scene has all threads to itself; of several each has one, the next that is free.

        Scenes on a device take turns: they share its stream.
        """
        turns = len(self.scenes) == 1 or self.kind != "cpu"
        list((map if turns else self.threads.map)(Lanes.move, self.scenes))

    def _begin(self, lanes: Tensor) -> None:
        for scene, chosen in zip(self.scenes, self._scattered(lanes), strict=True):
            if chosen.any():
                scene.begin(chosen)
        self.before = torch.where(lanes[:, None], self.first, self.before)
        self.age[lanes] = 0

    def _observation(self, seen: Tensor) -> Tensor:
        goal = self._gathered([scene.goal() for scene in self.scenes])
        return torch.cat(
            [seen, self.before, goal if self.sees_goal else torch.zeros_like(goal)], dim=1
        ).float()

    def _scattered(self, rows: Tensor) -> tuple[Tensor, ...]:
        """A part for every scene."""
        return torch.split(rows[self.order], self.counts)

    def _gathered(self, parts: list[Tensor]) -> Tensor:
        """Of every scene's lanes, in this world's order."""
        return torch.cat(parts)[self.place].cpu()


def _numbers(tasks: Tasks) -> Tensor:
    """[B, 7]: a skill's place among the names, and a goal."""
    goals = tasks.get("goal") if isinstance(tasks, dict) else None
    if not isinstance(goals, Tensor) or goals.shape[1:] != (1 + GOAL,):
        raise UsageError(
            f"a Meta-World task is {1 + GOAL} numbers, see metairl.tasks.metaworld_goals; "
            "the package's own Task objects are pickles, which can run code, and are not read"
        )
    for place, name in enumerate(NAMES):
        if not allowed(BOXES[name], goals[goals[:, 0] == place, 1:]).all():
            raise UsageError(f"a goal of {name} has its two places nearer than {BOXES[name].apart}")
    return goals
