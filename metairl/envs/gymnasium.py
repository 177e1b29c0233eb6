"""Every card as a Gymnasium environment, `metairl/NAME-vN`, for people who bring their own training loop.

    import metairl.envs.gymnasium                                                registers them
    gymnasium.make("metairl/bandit-5-v1", pulls=100)                  a training task at every reset
    gymnasium.make("metairl/tabular-mdp-v1", split="validation")      a held-out one, at random or asked for
    gymnasium.make_vec("metairl/half-cheetah-vel-v1", num_envs=64)    one batched world; see `gym_vector`

One Gymnasium episode is one trial: K episodes of the card on one task, truncated at its end. An inner
episode's end is reported in `info`, where adaptive agents can read it:

    episode_index   of the episode that the step was in, from 0
    episode_done    the step ended it
    success         the world says that it succeeded
    new_task        a trial begins here: what was learned about the task before is of no use any more
    task            at the beginning of a trial on a held-out split, which of its tasks this is

It is one lane of the same world that the judge steps; scores to be quoted come from the judge.
"""

from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from torch import Generator, Tensor

from metairl.core.errors import UsageError
from metairl.core.interfaces import Env
from metairl.core.types import Spec, Tasks
from metairl.envs import make
from metairl.tasks import catalogue, sampling

Obs = NDArray[Any]
Info = dict[str, Any]
Split = Literal["train", "validation", "test"]


class Trials:
    """The tasks that trials of one split of a card are on."""

    def __init__(self, task: str, split: Split, settings: dict[str, int]):
        words = ",".join(f"{name}={value}" for name, value in settings.items())
        self.card = catalogue.task(f"{task}:{words}" if words else task)
        self.known = sampling.held_out(self.card) if split == "train" else frozenset()
        self.tasks = None if split == "train" else sampling.task_set(self.card, split)

    def choose(self, count: int, asked: list[int] | None, chance: np.random.Generator) -> list[int] | None:
        """Which held-out tasks come next, at random unless asked for; None where tasks are drawn anew."""
        if self.tasks is None:
            if asked is not None:
                which = ", ".join(map(str, asked))
                raise UsageError(
                    f"task '{self.card.id}': the train split is drawn anew; it has no task {which}"
                )
            return None
        for index in asked or ():
            if not 0 <= index < len(self.tasks):
                there = f"{self.tasks.split} tasks are 0 to {len(self.tasks) - 1}"
                raise UsageError(f"task '{self.card.id}': {there}, not {index}")
        return asked or chance.integers(len(self.tasks), size=count).tolist()

    def draw(self, count: int, which: list[int] | None, rng: Generator) -> Tasks:
        if self.tasks is not None and which is not None:
            return self.tasks[torch.tensor(which)]
        drawn = sampling.train_tasks(self.card, count, rng)
        sampling.check_unseen(drawn, self.known)
        return drawn.tasks


class TrialEnv(gymnasium.Env[Obs, Any]):
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own shape

    def __init__(self, task: str, split: Split = "train", render_mode: None = None, **settings: int):
        self.trials = Trials(task, split, settings)
        self.env = self._world([0] if self.trials.tasks else None, Generator())
        self.observation_space = observation_space(self.env.spec)
        self.action_space = action_space(self.env.spec)
        self.episode = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, Info]:
        """Another task. `options={"task": i}` asks for the i-th of a held-out split."""
        super().reset(seed=seed)
        asked = (options or {}).get("task")
        which = self.trials.choose(1, None if asked is None else [asked], self.np_random)
        self.env = self._world(which, Generator().manual_seed(int(self.np_random.integers(2**62))))
        self.episode = 0
        info = {"episode_index": 0, "new_task": True} | ({"task": which[0]} if which else {})
        return self.env.reset()[0].numpy().copy(), info

    def step(self, action: Any) -> tuple[Obs, float, bool, bool, Info]:
        step = self.env.step(as_action(action, self.env.spec).unsqueeze(0))
        done, success = bool(step.done[0]), bool(step.success[0])
        info = {
            "episode_index": self.episode,
            "episode_done": done,
            "success": success,
            "new_task": False,
        }
        self.episode += done
        over = self.episode >= self.trials.card.episodes
        seen = step.next_obs if over else step.obs  # the next trial's first is its reset's to give
        return seen[0].numpy().copy(), float(step.reward[0]), False, over, info

    def _world(self, which: list[int] | None, rng: Generator) -> Env:
        return make(self.trials.card, self.trials.draw(1, which, rng), rng)


def observation_space(spec: Spec) -> Box:
    low, high, kind = (0, 255, np.uint8) if spec.picture else (-np.inf, np.inf, np.float32)
    return Box(low, high, (spec.obs,), kind)


def action_space(spec: Spec) -> Box | Discrete:
    return Discrete(spec.actions) if spec.discrete else Box(-1, 1, (spec.actions,), np.float32)


def as_action(action: Any, spec: Spec) -> Tensor:
    """Of one environment or of many, as worlds take it."""
    return torch.as_tensor(np.asarray(action), dtype=torch.int64 if spec.discrete else torch.float32)


for name in catalogue.task_ids():
    gymnasium.register(
        f"metairl/{name}",
        "metairl.envs.gymnasium:TrialEnv",
        vector_entry_point="metairl.envs.gymnasium_vector:TrialVectorEnv",
        kwargs={"task": name},
    )
