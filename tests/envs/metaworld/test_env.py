"""Meta-World: every task against the package's own class, many tasks at once, and what is refused."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.testing import assert_close

from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.envs import make
from metairl.envs.metaworld import MetaWorld, official, starts
from metairl.envs.metaworld.skills import SKILLS
from metairl.experiments.assemble import build
from metairl.experiments.request import make_request
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import Arm
from metairl.tasks.metaworld_boxes import BOXES, GOAL, NAMES
from metairl.tasks.metaworld_goals import draw_goals

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


def walked(name: str, gym_env: Any, goal: Array, chance: float, rng: np.random.Generator) -> Way:
    """By the package's scripted policy, which now and then does anything."""
    from metaworld.policies import ENV_POLICY_MAP

    policy, seen = ENV_POLICY_MAP[name](), [official.begin(gym_env, goal)]
    actions, rewards, successes = [], [], []
    for _ in range(STEPS):
        wanted = rng.uniform(-1, 1, 4) if rng.random() < chance else policy.get_action(seen[-1].copy())
        actions.append(np.clip(wanted, -1, 1).astype(np.float32))
        obs, reward, _, _, info = gym_env.step(actions[-1])
        seen.append(obs)
        rewards.append(reward)
        successes.append(info["success"])
    return Way(goal, np.stack(actions), np.stack(seen), np.array(rewards), np.array(successes))


def some_goals(gym_env: Any, count: int) -> list[Array]:
    """As the package draws them."""
    gym_env._freeze_rand_vec, gym_env.seeded_rand_vec = False, True
    gym_env.seed(7)
    goals = []
    for _ in range(count):
        gym_env.reset()
        goal = np.zeros(GOAL)
        drawn = gym_env._last_rand_vec
        goal[: len(drawn)] = drawn
        goals.append(goal)
    gym_env._freeze_rand_vec = True
    return goals


@pytest.mark.filterwarnings("ignore:Constant")
@pytest.mark.parametrize("name", SKILLS)
def test_equals_the_package(name: str) -> None:
    gym_env, rng = official.make(name), np.random.default_rng(3)
    assert_close(gym_env._random_reset_space.low, np.array(BOXES[name].low), atol=1e-9, rtol=0)
    assert_close(gym_env._random_reset_space.high, np.array(BOXES[name].high), atol=1e-9, rtol=0)
    goals = some_goals(gym_env, 3)
    ways = [
        walked(name, gym_env, goal, chance, rng)
        for goal, chance in zip(goals, (0.0, FALTERING, 1.0), strict=True)
    ]
    which = torch.full((len(goals), 1), float(NAMES.index(name)), dtype=torch.float64)
    env = arms(torch.cat([which, torch.from_numpy(np.stack(goals))], dim=1), STEPS)
    seen = env.reset()
    for t in range(STEPS + 1):
        for lane, way in enumerate(ways):
            apart = np.abs(seen[lane].numpy() - way.seen[t])
            assert apart.max() <= 1e-6, (
                f"{name}, step {t}: number {apart.argmax()} seen differs by {apart.max()}"
            )
        if t == STEPS:
            break
        step = env.step(torch.from_numpy(np.stack([way.action[t] for way in ways])))
        seen = step.next_obs
        for lane, way in enumerate(ways):
            ours, theirs = float(step.reward[lane]), way.reward[t]
            assert abs(ours - theirs) <= 1e-5, f"{name}, step {t}: reward {ours}, the package's {theirs}"
            assert bool(step.success[lane]) == bool(way.success[t]), f"{name}, step {t}: success"


def arms(goals: Tensor, horizon: int = 20) -> MetaWorld:
    return MetaWorld({"goal": goals}, horizon, 2, stream("arms"), Arm(sees_goal=True))


def test_every_name_has_a_skill() -> None:
    assert set(SKILLS) == set(NAMES)


def test_many_skills_at_once_are_what_each_is_alone() -> None:
    goals = draw_goals(["reach-v3", "drawer-open-v3", "soccer-v3"], 7, stream("goals"))
    together = arms(goals)
    alone = [arms(goals[lane : lane + 1]) for lane in range(7)]
    seen = together.reset()
    assert torch.equal(seen, torch.cat([env.reset() for env in alone]))
    for _ in range(30):  # past the horizon
        action = 2 * torch.rand(7, 4, generator=stream("actions")) - 1
        step, steps = (
            together.step(action),
            [env.step(row[None]) for env, row in zip(alone, action, strict=True)],
        )
        for part in ("obs", "reward", "success", "truncated", "next_obs"):
            assert torch.equal(getattr(step, part), torch.cat([getattr(one, part) for one in steps])), part


def test_an_episode_ends_at_its_horizon_and_the_next_begins_as_the_first_did() -> None:
    env = arms(draw_goals(["push-v3"], 2, stream("goals")), horizon=3)
    first, push = env.reset(), torch.tensor([[1.0, 1.0, -1.0, 1.0]]).expand(2, 4)
    ways = [[env.step(push) for _ in range(3)] for _ in range(2)]
    assert [step.truncated.tolist() for step in ways[0]] == [[False] * 2, [False] * 2, [True] * 2]
    assert torch.equal(ways[0][2].obs, first)
    assert not torch.equal(ways[0][2].next_obs, first)
    for one, other in zip(*ways, strict=True):
        assert torch.equal(one.next_obs, other.next_obs)
        assert torch.equal(one.reward, other.reward)


def test_a_hidden_goal_is_not_in_what_is_seen() -> None:
    goals = draw_goals(["reach-v3"], 2, stream("goals"))
    hidden = MetaWorld({"goal": goals}, 20, 1, stream("arms"), Arm(sees_goal=False))
    shown = arms(goals)
    assert not hidden.reset()[:, 36:].any()
    assert torch.equal(shown.reset()[:, 36:], goals[:, 4:].float())
    assert torch.equal(hidden.reset()[:, :36], shown.reset()[:, :36])


def test_a_lane_that_diverges_ends_and_is_marked() -> None:
    env = arms(draw_goals(["reach-v3", "push-v3"], 4, stream("goals")))
    first = env.reset()
    env.scenes[0].engine.field("qvel")[1, 0] = torch.nan
    step = env.step(torch.zeros(4, 4))
    assert step.diverged is not None
    lane = int(step.diverged.nonzero())
    assert step.diverged.sum() == 1
    assert step.terminated.tolist() == step.diverged.tolist()
    assert step.obs.isfinite().all() and step.next_obs.isfinite().all() and step.reward[lane] == 0
    assert torch.equal(step.obs[lane], first[lane])


def test_beginnings_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAIRL_CACHE", str(tmp_path))
    goals = draw_goals(["reach-v3"], 3, stream("goals"))[:, 1:]
    first = starts.of("reach-v3", goals[:2])
    more = starts.of("reach-v3", goals)
    monkeypatch.setattr(official, "make", None)  # from here on nothing can be computed
    again = starts.of("reach-v3", goals.flip(0))
    for name, rows in again.items():
        assert torch.equal(rows.flip(0), more[name])
        assert torch.equal(rows.flip(0)[:2], first[name])
    whole = starts.file("reach-v3").read_bytes()
    half = len(whole) // 2
    changed = bytes([whole[half] ^ 1])
    for damaged in (b"damaged", whole[:half], whole[:half] + changed + whole[half + 1 :]):
        starts.file("reach-v3").write_bytes(damaged)
        with pytest.raises(TypeError):
            starts.of("reach-v3", goals)
    monkeypatch.undo()
    monkeypatch.setenv("METAIRL_CACHE", str(tmp_path))
    assert torch.equal(starts.of("reach-v3", goals)["qpos"], more["qpos"])


@pytest.mark.parametrize("tasks", [[b"a pickle"], {"goal": [1, 2]}, {"goal": torch.zeros(2, 3)}, {}])
def test_tasks_that_are_not_numbers_are_refused(tasks: Any) -> None:
    with pytest.raises(UsageError, match="pickles"):
        MetaWorld(tasks, 20, 1, stream("arms"), Arm(sees_goal=True))


def test_a_goal_that_the_package_would_redraw_forever_is_refused() -> None:
    near = torch.tensor([[NAMES.index("push-v3"), 0.1, 0.7, 0.02, 0.1, 0.8, 0.02]], dtype=torch.float64)
    with pytest.raises(UsageError, match=r"push-v3 has its two places nearer than 0\.15"):
        arms(near)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "version", lambda name: "3.1.1")
    official.package.cache_clear()
    with pytest.raises(UsageError, match=r"those of metaworld 3.0.0, and 3.1.1 is installed"):
        official.package()


@pytest.mark.parametrize("change", ["altered", "missing"])
def test_scenes_that_are_not_the_packages_are_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import metaworld

    installed = Path(metaworld.__file__).parent / "assets"
    for file in (path for path in installed.rglob("*") if path.suffix in (".xml", ".stl")):
        copy = tmp_path / "assets" / file.relative_to(installed)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(file)
    monkeypatch.setattr(metaworld, "__file__", str(tmp_path / "__init__.py"))
    official.package.cache_clear()
    official.package()  # the same scenes elsewhere
    some = next((tmp_path / "assets").rglob("*reach*.xml"))
    some.unlink()
    if change == "altered":
        some.write_text("<mujoco/>")
    official.package.cache_clear()
    with pytest.raises(UsageError, match=r"the scenes of metaworld are not those of its version 3\.0\.0"):
        official.package()


@pytest.mark.parametrize(
    "asked, said",
    [
        ("ml1:skill=reech", "unknown skill 'reech'; did you mean 'reach-v3'"),
        ("ml10:skill=reach", "no setting 'skill'"),
        ("mt1:goals=mine", "must be 'ours' or 'package-SEED'"),
        ("mt1:goals=package-99999999999", "the seed of package goals must be below"),
    ],
)
def test_settings_that_cannot_be_are_refused(asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        catalogue.task(asked)


def test_the_packages_goals_are_the_same_for_both_splits_of_mt_alone() -> None:
    assert catalogue.task("mt10:goals=package-1").same_tasks
    assert not catalogue.task("mt10:goals=package-1,goals=ours").same_tasks
    assert not catalogue.task("ml1:goals=package-1").same_tasks


def test_goals_of_the_outer_part_are_never_of_the_inner() -> None:
    card = catalogue.task("ml1-outside:skill=pick-place")
    box = BOXES["pick-place-v3"]
    low, high = torch.tensor([box.low, box.high], dtype=torch.float64)
    wide = high > low
    for split, inside in (("train", True), ("validation", True), ("test", False)):
        goals = sampling.task_set(card, split).tasks["goal"][:, 1:]
        share = ((2 * goals - low - high).abs() / (high - low))[:, wide]
        assert ((share <= 0.6).all(1) == inside).all(), split


@pytest.mark.slow  # the package takes ten seconds
def test_the_packages_own_goals() -> None:
    benchmark = official.package().ML10(seed=3)
    card = catalogue.task("ml10:goals=package-3")
    for split, theirs in (("train", benchmark.train_tasks), ("test", benchmark.test_tasks)):
        goals = sampling.task_set(card, split).tasks["goal"]
        for ours, task in zip(goals, theirs, strict=True):
            vector = pickle.loads(task.data)["rand_vec"]
            assert NAMES[int(ours[0])] == task.env_name
            assert ours[1 : 1 + len(vector)].tolist() == vector.tolist()


@pytest.mark.filterwarnings("ignore:Constant")
@pytest.mark.slow  # four minutes
def test_experts_succeed_as_often_as_in_the_package() -> None:
    """Ten goals of every task; an episode counts if any of its 500 steps succeeds."""
    from metaworld.policies import ENV_POLICY_MAP

    asked = make_request("scripted", "mt50")
    tasks = sampling.task_set(asked.card, "test")[:500]
    env = make(asked.card, tasks, stream("experts"))
    ours = rollout_outcome(build(asked)[0], env, stream("act"), asked.inputs).success.any(1)
    theirs = torch.zeros(500, dtype=torch.bool)
    for place, name in enumerate(NAMES):
        gym_env, policy = official.make(name), ENV_POLICY_MAP[name]()
        for row in (tasks["goal"][:, 0] == place).nonzero().flatten().tolist():
            seen = official.begin(gym_env, tasks["goal"][row, 1:].numpy())
            for _ in range(asked.card.horizon):
                action = np.clip(policy.get_action(seen.copy()), -1, 1).astype(np.float32)
                seen, _, _, _, info = gym_env.step(action)
                if info["success"]:
                    theirs[row] = True
                    break
    rates = ours.float().mean().item(), theirs.float().mean().item()
    print(f"scripted success, 500 goals: ours {rates[0]:.3f}, the package's classes {rates[1]:.3f}")
    assert rates[0] >= 0.97
    assert abs(rates[0] - rates[1]) <= 0.02
