"""Every Meta-World task against the package's own class, along scripted and random trajectories."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from metairl.cards import Arm
from metairl.skill_boxes import GOAL, NAMES
from metairl.streams import stream
from metairl.worlds.metaworld import MetaWorld, official
from metairl.worlds.metaworld.skills import SKILLS

STEPS = 150
FALTERING = 0.3  # of the steps of the second trajectory are random
Array = NDArray[np.float64]


@dataclass
class Way:
    """What the package does with one goal."""

    goal: Array  # [6]
    action: Array  # [T, 4]
    seen: Array  # [T + 1, 39]
    reward: Array  # [T]
    success: Array  # [T]


def walked(name: str, env: object, goal: Array, chance: float, rng: np.random.Generator) -> Way:
    """By the package's scripted policy, which now and then does anything."""
    from metaworld.policies import ENV_POLICY_MAP

    policy, seen = ENV_POLICY_MAP[name](), [official.begin(env, goal)]
    actions, rewards, successes = [], [], []
    for _ in range(STEPS):
        wanted = rng.uniform(-1, 1, 4) if rng.random() < chance else policy.get_action(seen[-1].copy())
        actions.append(np.clip(wanted, -1, 1).astype(np.float32))
        obs, reward, _, _, info = env.step(actions[-1])  # type: ignore[attr-defined]
        seen.append(obs)
        rewards.append(reward)
        successes.append(info["success"])
    return Way(goal, np.stack(actions), np.stack(seen), np.array(rewards), np.array(successes))


def some_goals(name: str, env: object, count: int) -> list[Array]:
    """As the package draws them."""
    env._freeze_rand_vec, env.seeded_rand_vec = False, True  # type: ignore[attr-defined]
    env.seed(7)  # type: ignore[attr-defined]
    goals = []
    for _ in range(count):
        env.reset()  # type: ignore[attr-defined]
        goal = np.zeros(GOAL)
        drawn = env._last_rand_vec  # type: ignore[attr-defined]
        goal[: len(drawn)] = drawn
        goals.append(goal)
    env._freeze_rand_vec = True  # type: ignore[attr-defined]
    return goals


@pytest.mark.filterwarnings("ignore:Constant")
@pytest.mark.parametrize("name", SKILLS)
def test_equals_the_package(name: str) -> None:
    env, rng = official.make(name), np.random.default_rng(3)
    goals = some_goals(name, env, 3)
    ways = [
        walked(name, env, goal, chance, rng)
        for goal, chance in zip(goals, (0.0, FALTERING, 1.0), strict=True)
    ]
    which = torch.full((len(goals), 1), float(NAMES.index(name)), dtype=torch.float64)
    tasks = {"goal": torch.cat([which, torch.from_numpy(np.stack(goals))], dim=1)}
    world = MetaWorld(tasks, STEPS, 1, stream("parity"), Arm(sees_goal=True))
    seen = world.reset()
    for t in range(STEPS + 1):
        for lane, way in enumerate(ways):
            apart = np.abs(seen[lane].numpy() - way.seen[t])
            assert apart.max() <= 1e-6, (
                f"{name}, step {t}: number {apart.argmax()} seen differs by {apart.max()}"
            )
        if t == STEPS:
            break
        step = world.step(torch.from_numpy(np.stack([way.action[t] for way in ways])))
        seen = step.final_obs
        for lane, way in enumerate(ways):
            ours, theirs = float(step.reward[lane]), way.reward[t]
            assert abs(ours - theirs) <= 1e-5, f"{name}, step {t}: reward {ours}, the package's {theirs}"
            assert bool(step.success[lane]) == bool(way.success[t]), f"{name}, step {t}: success"
