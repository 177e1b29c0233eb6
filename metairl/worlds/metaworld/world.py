"""Meta-World's tasks in many lanes, of one skill or of many, as one flat batch.

    o = seen now, seen a step ago, goal        18 + 18 + 3 numbers; the goal is zero where it is hidden
    r = the skill's own reward, 0 to 10;       success = the skill's own, at this very step

A task is a skill and a goal vector: places of objects, fixtures and target, as the package draws them. Lanes of
one skill share a scene; scenes are stepped by one pool of threads. An episode ends at its horizon alone.
A lane whose simulation diverges ends too, with no reward for the step, and is marked.
"""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from metairl.cards import Arm
from metairl.types import Spec, Step, Tasks
from metairl.worlds import engine as engines
from metairl.worlds.metaworld.lanes import SEEN, Lanes
from metairl.worlds.metaworld.skills import SKILLS


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
        goals = tasks["goal"]
        self.lanes, self.horizon, self.sees_goal = len(goals), horizon, arm.sees_goal
        which = goals[:, 0].long()
        self.task = torch.cat([one_hot(which, len(SKILLS)).float(), goals[:, 1:].float()], dim=1)
        self.order = which.argsort(stable=True)  # lanes as the scenes have them, one scene behind the other
        self.place = self.order.argsort()
        kinds, counts = which[self.order].unique_consecutive(return_counts=True)
        self.counts = counts.tolist()
        names = [list(SKILLS)[kind] for kind in kinds.tolist()]
        self.scenes = [
            Lanes(name, part, engine)
            for name, part in zip(names, goals[self.order, 1:].split(self.counts), strict=True)
        ]
        self.threads = ThreadPoolExecutor(torch.get_num_threads())
        self.first = self._gathered([scene.first for scene in self.scenes])
        self.before = self.first.clone()
        self.age = torch.zeros(self.lanes, dtype=torch.long)
        self.spec = Spec(2 * SEEN + 3, 4, False, horizon, episodes, self.task.shape[1])

    def reset(self) -> Tensor:
        self._begin(torch.ones(self.lanes, dtype=torch.bool))
        return self._observation(self.first)

    def step(self, action: Tensor) -> Step:
        for scene, part in zip(self.scenes, action[self.order].split(self.counts), strict=True):
            scene.control(part)
        list(self.threads.map(Lanes.move, self.scenes))
        parts = [scene.see() for scene in self.scenes]
        verdicts = [scene.judge(part) for scene, part in zip(self.scenes, parts, strict=True)]
        seen = self._gathered(parts)
        reward = self._gathered([verdict.reward for verdict in verdicts]).float()
        success = self._gathered([verdict.success for verdict in verdicts])
        lost = self._gathered([scene.engine.lost for scene in self.scenes])
        final = self._observation(seen)
        self.before = seen
        self.age += 1
        over = (self.age >= self.horizon) | lost
        obs = final
        if over.any():
            self._begin(over)
            obs = torch.where(over[:, None], self._observation(self.first), final)
            final = torch.where(lost[:, None], obs, final)
            reward, success = reward.where(~lost, 0.0), success & ~lost
        return Step(obs, reward, lost, over & ~lost, success, final, lost)

    def _begin(self, lanes: Tensor) -> None:
        for scene, chosen in zip(self.scenes, lanes[self.order].split(self.counts), strict=True):
            if chosen.any():
                scene.begin(chosen)
        self.before = torch.where(lanes[:, None], self.first, self.before)
        self.age[lanes] = 0

    def _observation(self, seen: Tensor) -> Tensor:
        goal = self._gathered([scene.goal() for scene in self.scenes])
        return torch.cat(
            [seen, self.before, goal if self.sees_goal else torch.zeros_like(goal)], dim=1
        ).float()

    def _gathered(self, parts: list[Tensor]) -> Tensor:
        """Of every scene's lanes, in this world's order."""
        return torch.cat(parts)[self.place].cpu()
