"""imitation's tabular maximum causal entropy: the soft backup with its occupancy, and MCEIRL.

`run.py partition DIR COUNT` plans for the first COUNT gridworlds of DIR/mdps.npz and counts where their soft
policies are, one by one; the time is that of the two calls. `run.py mceirl DIR` trains MCEIRL on the
gridworld of DIR/shown.npz until it stops. Both leave what they found in DIR/peer.npz, to be compared.
`run.py gail DIR SEED` imitates what DIR/demonstrations.npz shows (gail.py), `run.py preferences DIR PASSES`
fits a reward to the comparisons of DIR/pairs.npz (preferences.py).

Dynamics are dense matrices [S, A, S], as its functions ask for, made here from the chance that an action
slips. It also counts the state that follows the last action; that row is dropped, for MCEIRL before it
learns from it: its plan earns nothing there, so that the gradient is then that of the likelihood. As they
come are Adam's rate, both limits that stop it and its 1,000 rounds at most; nothing is logged, and weights
begin at 0, as ours.
"""

import json
import sys
import time
from math import isqrt
from pathlib import Path
from typing import Any

import gail
import numpy as np
import preferences
import torch
from gymnasium.spaces import Box, Discrete
from imitation.algorithms import mce_irl
from imitation.rewards.reward_nets import RewardNet
from seals.base_envs import TabularModelPOMDP

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1), (0, 0))  # rows and columns

whole_occupancy = mce_irl.mce_occupancy_measures


class Linear(RewardNet):
    def __init__(self, features: int):
        super().__init__(Box(-np.inf, np.inf, (features,)), Discrete(len(MOVES)))
        self.weights = torch.nn.Linear(features, 1, bias=False)
        torch.nn.init.zeros_(self.weights.weight)

    def forward(self, state: torch.Tensor, *_: Any) -> torch.Tensor:
        return self.weights(state).squeeze(1)


def dynamics(states: int, noise: float) -> np.ndarray:
    """[S, A, S]: any of the moves with the chance that it slips, else the chosen one."""
    side = isqrt(states)
    row, column = np.divmod(np.arange(states), side)
    led = np.zeros((states, len(MOVES), states))
    for action, (down, right) in enumerate(MOVES):
        after = (row + down).clip(0, side - 1) * side + (column + right).clip(0, side - 1)
        led[np.arange(states), action, after] = 1
    return (1 - noise) * led + noise * led.mean(1, keepdims=True)


def world(noise: float, reward: np.ndarray, features: np.ndarray, start: np.ndarray, horizon: int) -> Any:
    return TabularModelPOMDP(
        transition_matrix=dynamics(len(reward), noise),
        observation_matrix=features,
        reward_matrix=reward,
        horizon=horizon,
        initial_state_dist=start,
    )


def occupancy_when_acting(env: Any, **given: Any) -> tuple[np.ndarray, np.ndarray]:
    by_step = whole_occupancy(env, **given)[0][:-1]
    return by_step, by_step.sum(0)


def partition(folder: Path, count: int) -> dict[str, Any]:
    given = np.load(folder / "mdps.npz")
    states, horizon = given["reward"].shape[1], int(given["horizon"])
    start, seconds = np.full(states, 1 / states), 0.0
    values, occupancies = [], []
    for noise, reward in zip(given["noise"][:count], given["reward"][:count], strict=True):
        env = world(noise, reward, reward[:, None], start, horizon)
        began = time.perf_counter()
        value, _, policy = mce_irl.mce_partition_fh(env)
        by_step, _ = whole_occupancy(env, pi=policy)
        seconds += time.perf_counter() - began
        values.append(value[0])
        occupancies.append(by_step[:-1].sum(0))
    np.savez(folder / "peer.npz", value=values, occupancy=occupancies)
    return {"units": count, "seconds": seconds}


def mceirl(folder: Path) -> dict[str, Any]:
    given = np.load(folder / "shown.npz")
    features, shown = given["features"], given["occupancy"]
    unknown = np.zeros(len(features))
    env = world(float(given["noise"]), unknown, features, given["start"], int(given["horizon"]))
    torch.set_num_threads(1)
    mce_irl.mce_occupancy_measures = occupancy_when_acting
    net = Linear(features.shape[1])
    began = time.perf_counter()
    learner = mce_irl.MCEIRL(shown, env, net, np.random.default_rng(0), log_interval=None)
    expected = learner.train()
    seconds = time.perf_counter() - began
    error = float(np.abs((expected - shown) @ features).max())
    rounds = int(learner.optimizer.state[net.weights.weight]["step"])
    weights = net.weights.weight.detach().numpy()[0]
    np.savez(folder / "peer.npz", error=error, rounds=rounds, weights=weights)
    return {"units": 1, "seconds": seconds, "error": error, "iterations": rounds}


mode, folder, *rest = sys.argv[1:]
match mode:
    case "partition":
        said = partition(Path(folder), int(rest[0]))
    case "mceirl":
        said = mceirl(Path(folder))
    case "gail":
        said = gail.train(Path(folder), int(rest[0]))
    case "preferences":
        said = preferences.train(Path(folder), int(rest[0]))
print(json.dumps(said))
