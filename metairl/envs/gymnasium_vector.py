"""Many trials of a card at once, as one Gymnasium vector environment that steps one batched world.

    import metairl.envs.gymnasium
    gymnasium.make_vec("metairl/half-cheetah-vel-v1", num_envs=64)

Every lane is what `metairl.envs.gymnasium` describes: a Gymnasium episode is a trial, truncated at its end, and `infos`
say the same, as Gymnasium's own SyncVectorEnv batches them. A lane whose trial is over begins the next one
in the same step (AutoresetMode.SAME_STEP): the observation and `infos["new_task"]` are those of the new
trial, `infos["final_obs"]` and `infos["final_info"]` those of the old one.

Trials need not end together, since episodes may end early. The lane that is over is then given a new task
in place, and the others go on (`LaneResetEnv`). Letting it wait, or repeat its task, would show whoever
trains the quick tasks more often or less often than they are drawn; a world a lane would give up the batch.
Where all trials last equally long by construction, all lanes move to a new world together.

Lanes share a world and so its chance: one seed, or one list of seeds, decides the whole batch, and a lane's
own trajectory is not that of a single environment with its seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Generator, from_numpy

from metairl.core.errors import UsageError
from metairl.core.interfaces import Env, LaneResetEnv
from metairl.core.rng import seed_of
from metairl.core.types import Tasks
from metairl.envs import make
from metairl.envs.gymnasium import Info, Obs, Split, Trials, action_space, as_action, observation_space

Mask = NDArray[np.bool_]
Stepped = tuple[Obs, NDArray[Any], Mask, Mask, Info]


class TrialVectorEnv(VectorEnv[Obs, Any, NDArray[Any]]):
    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own shape
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self, num_envs: int, task: str, split: Split = "train", render_mode: None = None, **settings: int
    ):
        self.num_envs = num_envs
        self.trials = Trials(task, split, settings)
        self.rng = Generator()  # of the training tasks and of what happens in the world
        self.env = self._world(
            self.trials.draw(num_envs, [0] * num_envs if self.trials.tasks else None, self.rng)
        )
        self.single_observation_space = observation_space(self.env.spec)
        self.single_action_space = action_space(self.env.spec)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.episode = np.zeros(num_envs, dtype=np.int64)

    def reset(
        self,
        *,
        seed: int | Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Obs, Info]:
        """Another task in every lane. `options={"tasks": [...]}` asks for held-out ones, one a lane.

        Tasks that were asked for are those of the first trials; later ones are drawn at random.
        """
        super().reset(seed=self._one_seed(seed))
        which, tasks = self._draw(self.num_envs, self._asked(options or {}))
        self.env = self._world(tasks)
        self.episode = np.zeros_like(self.episode)
        return self.env.reset().numpy().copy(), self._beginning(np.ones(self.num_envs, dtype=bool), which)

    def step(self, actions: Any) -> Stepped:
        step = self.env.step(as_action(actions, self.env.spec))
        done = step.done.numpy()
        info = {
            "episode_index": self.episode,
            "episode_done": done,
            "success": step.success.numpy(),
            "new_task": np.zeros(self.num_envs, dtype=bool),
        }
        self.episode = self.episode + done
        over = self.episode >= self.trials.card.episodes
        obs, infos = step.obs.numpy().copy(), _told(info, ~over)
        if over.any():
            final = np.full(self.num_envs, None, dtype=object)
            for lane in np.flatnonzero(over):
                final[lane] = step.next_obs[lane].numpy().copy()
            obs[over], beginning = self._next_trials(over)
            infos = _together(infos, beginning)
            infos |= {"final_obs": final, "_final_obs": over.copy()}
            infos |= {"final_info": _told(info, over), "_final_info": over.copy()}
        return obs, step.reward.numpy().astype(np.float64), np.zeros_like(over), over, infos

    def _next_trials(self, over: Mask) -> tuple[Obs, Info]:
        """New tasks in lanes that are over: their first observations and their info."""
        which, tasks = self._draw(int(over.sum()), None)
        self.episode[over] = 0
        if isinstance(self.env, LaneResetEnv):
            obs = self.env.reset_lanes(from_numpy(over), tasks)
        elif over.all():
            self.env = self._world(tasks)
            obs = self.env.reset()
        else:
            raise UsageError(f"task '{self.trials.card.id}': its world cannot renew some of its lanes")
        return obs.numpy(), self._beginning(over, which)

    def _draw(self, count: int, asked: list[int] | None) -> tuple[list[int] | None, Tasks]:
        which = self.trials.choose(count, asked, self.np_random)
        self.rng.manual_seed(int(self.np_random.integers(2**62)))
        return which, self.trials.draw(count, which, self.rng)

    def _world(self, tasks: Tasks) -> Env:
        return make(self.trials.card, tasks, self.rng)

    def _beginning(self, lanes: Mask, which: list[int] | None) -> Info:
        info = {"episode_index": np.zeros_like(self.episode), "new_task": lanes}
        if which is not None:
            info["task"] = np.zeros_like(self.episode)
            info["task"][lanes] = which
        return _told(info, lanes)

    def _asked(self, options: dict[str, Any]) -> list[int] | None:
        if unknown := set(options) - {"tasks"}:
            raise UsageError(f"task '{self.trials.card.id}': no option '{min(unknown)}'; valid: tasks")
        asked = options.get("tasks")
        if asked is not None and len(asked) != self.num_envs:
            raise UsageError(f"task '{self.trials.card.id}': {self.num_envs} lanes, but {len(asked)} tasks")
        return None if asked is None else [int(index) for index in asked]

    def _one_seed(self, seed: int | Sequence[int | None] | None) -> int | None:
        if seed is None or isinstance(seed, int | np.integer):
            return seed if seed is None else int(seed)
        if len(seed) != self.num_envs:
            raise UsageError(f"task '{self.trials.card.id}': {self.num_envs} lanes, but {len(seed)} seeds")
        given = [int(each) for each in seed if each is not None]
        if given and len(given) < len(seed):
            raise UsageError("lanes share one world: give a seed to every lane, or to none")
        return seed_of("lanes", *given) if given else None


def _told(info: Info, lanes: Mask) -> Info:
    """Some lanes' info as Gymnasium batches it: zero elsewhere, a mask beside every entry."""
    if not lanes.any():
        return {}
    infos: Info = {}
    for name, values in info.items():
        infos[name], infos[f"_{name}"] = values * lanes, lanes.copy()
    return infos


def _together(some: Info, others: Info) -> Info:
    """The infos of disjoint lanes; what either does not tell is zero there already."""
    shared = {name: some[name] | others[name] for name in some.keys() & others.keys()}
    return some | others | shared
