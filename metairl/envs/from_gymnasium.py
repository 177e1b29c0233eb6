"""Any Gymnasium vector environment as a world, so that what acts here can act there.

    env = gymnasium.make_vec("HalfCheetah-v5", num_envs=8, vectorization_mode="sync")
    world = Foreign(env, episodes=2)                  # its horizon is the environment's own limit
    rollout(policy, world, rng, Sight())

A world's lane restarts in the step that ends its episode. How an environment is held to that depends on its
autoreset mode:

    SAME_STEP   it does so itself, and tells the last observation in `infos`
    DISABLED    the lanes that are over are reset at once, by `options={"reset_mask": ...}`
    NEXT_STEP   likewise, so that no step ignores its action. Only Gymnasium's SyncVectorEnv and
                AsyncVectorEnv are known to heed the mask in this mode. Any other is refused: it would
                restart a lane only in a step that moves all the others, and a world has no such step

To seed the environment, reset it with a seed first; a world's own reset goes on from there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.types import Spec, Step

Array = NDArray[Any]
Env = VectorEnv[Any, Any, Any]


class Foreign:
    def __init__(self, env: Env, horizon: int | None = None, episodes: int = 1):
        self.env, self.lanes = env, env.num_envs
        self.task = torch.zeros(self.lanes, 0)  # nobody tells what varies
        self.restarts_itself = _mode(env) is AutoresetMode.SAME_STEP
        self.horizon = _horizon(env, horizon)
        actions, discrete, self.stretch = _actions(env)
        self.spec = Spec(_width(env), actions, discrete, self.horizon, episodes, params=0)
        self.age = np.zeros(self.lanes, dtype=np.int64)

    def reset(self) -> Tensor:
        self.age[:] = 0
        return _tensor(self.env.reset()[0])

    def step(self, action: Tensor) -> Step:
        seen, reward, terminated, truncated, infos = self.env.step(self.stretch(action.numpy()))
        self.age += 1
        terminated, truncated = (np.array(end, dtype=bool) for end in (terminated, truncated))
        ended = terminated | truncated
        over = ended | (self.age >= self.horizon)
        obs, success = _tensor(seen), self._success(infos)
        final = obs
        if self.restarts_itself and ended.any():
            final = obs.clone()
            final[torch.from_numpy(ended)] = _tensor(np.stack(list(infos["final_obs"][ended])))
            success = np.where(ended, self._success(infos.get("final_info", {})), success)
        waiting = over & ~ended if self.restarts_itself else over
        if waiting.any():
            obs = torch.where(torch.from_numpy(waiting)[:, None], self._restart(waiting), obs)
        self.age[over] = 0
        return Step(
            obs=obs,
            reward=torch.from_numpy(np.array(reward, dtype=np.float32)),
            terminated=torch.from_numpy(terminated),
            truncated=torch.from_numpy(over & ~terminated),
            success=torch.from_numpy(success),
            next_obs=final,
        )

    def _restart(self, lanes: Array) -> Tensor:
        if not _heeds_mask(self.env):
            raise UsageError(
                f"{self.env}: an episode outlasts the horizon, {self.horizon}, and cannot be cut"
            )
        return _tensor(self.env.reset(options={"reset_mask": lanes})[0])

    def _success(self, infos: dict[str, Any]) -> Array:
        success = infos.get("success", infos.get("is_success"))
        return np.zeros(self.lanes, dtype=bool) if success is None else np.asarray(success).astype(bool)


def _tensor(obs: Array) -> Tensor:
    """A copy, since environments may write into what they gave."""
    return torch.from_numpy(np.array(obs, dtype=np.float32)).flatten(1)


def _mode(env: Env) -> AutoresetMode:
    if "autoreset_mode" not in env.metadata:
        raise UsageError(f"{env}: its metadata does not say how lanes restart ('autoreset_mode')")
    mode = AutoresetMode(env.metadata["autoreset_mode"])
    if mode is AutoresetMode.NEXT_STEP and not _heeds_mask(env):
        hint = "make it with vectorization_mode='sync', or one that restarts in the same step"
        raise UsageError(f"{env}: a lane restarts one step late, which no world does; {hint}")
    return mode


def _heeds_mask(env: Env) -> bool:
    """Whether some of the lanes can be reset alone."""
    disabled = env.metadata["autoreset_mode"] in (AutoresetMode.DISABLED, AutoresetMode.DISABLED.value)
    return disabled or isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv)


def _horizon(env: Env, asked: int | None) -> int:
    stated = env.spec.kwargs.get("max_episode_steps", env.spec.max_episode_steps) if env.spec else None
    horizon = stated if asked is None else asked
    if horizon is None:
        raise UsageError(f"{env}: it states no max_episode_steps; give a horizon")
    if stated is not None and asked is not None and asked > stated:
        raise UsageError(f"{env}: its episodes end after {stated} steps; the horizon cannot be {asked}")
    if stated is not None and horizon < stated and not _heeds_mask(env):
        raise UsageError(f"{env}: its episodes end after {stated} steps and cannot be cut at {horizon}")
    return int(horizon)


def _width(env: Env) -> int:
    space = env.single_observation_space
    if not isinstance(space, Box):
        raise UsageError(f"{env}: observations must be a Box, not {space}")
    return int(np.prod(space.shape))


def _actions(env: Env) -> tuple[int, bool, Callable[[Array], Array]]:
    """How many there are, whether they are discrete, and how a world's become the environment's."""
    space = env.single_action_space
    match space:
        case Discrete():
            return int(space.n), True, lambda action: (action + space.start).astype(space.dtype)
        case Box() if space.is_bounded():
            low, high = space.low.astype(np.float64), space.high.astype(np.float64)
            middle, reach = (low + high) / 2, (high - low) / 2

            def stretch(action: Array) -> Array:
                asked = middle + reach * action.reshape(-1, *space.shape)
                stretched: Array = np.clip(asked, low, high).astype(space.dtype)
                return stretched

            return int(np.prod(space.shape)), False, stretch
        case _:
            raise UsageError(f"{env}: actions must be Discrete or a bounded Box, not {space}")
