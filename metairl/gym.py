"""Every card as a Gymnasium environment, `metairl/NAME-vN`, for people who bring their own training loop.

    import metairl.gym                                                registers them
    gymnasium.make("metairl/bandit-5-v1", pulls=100)                  a training task at every reset
    gymnasium.make("metairl/tabular-mdp-v1", split="validation")      a held-out one, at random or asked for

One Gymnasium episode is one trial: K episodes of the card on one task, truncated at its end. An inner
episode's end is told in `info`, so that whoever adapts can read it. It is one lane of the same world that
the judge steps; scores to be quoted come from the judge.
"""

from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from torch import Generator

from metairl import catalogue, draws
from metairl.errors import UsageError
from metairl.types import World
from metairl.worlds import make

Obs = NDArray[Any]
Info = dict[str, Any]


class TrialEnv(gymnasium.Env[Obs, Any]):
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own shape

    def __init__(
        self,
        task: str,
        split: Literal["train", "validation", "test"] = "train",
        render_mode: None = None,
        **settings: int,
    ):
        words = ",".join(f"{name}={value}" for name, value in settings.items())
        self.card = catalogue.task(f"{task}:{words}" if words else task)
        self.held_out = draws.held_out(self.card)
        self.tasks = None if split == "train" else draws.task_set(self.card, split)
        self.world = self._world(0, Generator())
        spec = self.world.spec
        low, high, kind = (0, 255, np.uint8) if spec.picture else (-np.inf, np.inf, np.float32)
        self.observation_space = Box(low, high, (spec.obs,), kind)
        self.action_space = (
            Discrete(spec.actions) if spec.discrete else Box(-1, 1, (spec.actions,), np.float32)
        )
        self.episode = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, Info]:
        """Another task. `options={"task": i}` asks for the i-th of a held-out split."""
        super().reset(seed=seed)
        asked = (options or {}).get("task")
        if self.tasks is None and asked is not None:
            raise UsageError(f"task '{self.card.id}': the train split is drawn anew; it has no task {asked}")
        if self.tasks and asked is not None and not 0 <= asked < len(self.tasks):
            last = len(self.tasks) - 1
            raise UsageError(f"task '{self.card.id}': {self.tasks.split} tasks are 0 to {last}, not {asked}")
        which = int(self.np_random.integers(len(self.tasks))) if self.tasks and asked is None else asked or 0
        self.world = self._world(which, Generator().manual_seed(int(self.np_random.integers(2**62))))
        self.episode = 0
        return self.world.reset()[0].numpy().copy(), {"episode": 0}

    def step(self, action: Any) -> tuple[Obs, float, bool, bool, Info]:
        step = self.world.step(torch.as_tensor(np.asarray(action)).unsqueeze(0))
        done = bool(step.done[0])
        info = {"episode": self.episode, "episode_done": done, "success": bool(step.success[0])}
        self.episode += done
        over = self.episode >= self.card.episodes
        return step.obs[0].numpy().copy(), float(step.reward[0]), False, over, info

    def _world(self, which: int, rng: Generator) -> World:
        if self.tasks is None:
            drawn = draws.train_tasks(self.card, 1, rng)
            draws.require_unseen(drawn, self.held_out)
            tasks = drawn.tasks
        else:
            tasks = self.tasks[slice(which, which + 1)]
        return make(self.card, tasks, rng)


for name in catalogue.task_ids():
    gymnasium.register(f"metairl/{name}", "metairl.gym:TrialEnv", kwargs={"task": name})
