"""CLARE's recipe: what its policy is paid."""

from dataclasses import replace
from math import log, pi
from typing import Any

import pytest
import torch

from metairl.agents.exact.baselines import Random
from metairl.core.rng import stream
from metairl.core.rollout import rollout
from metairl.core.types import EncodedTransitions, NoConfig, PolicyInputs
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.replay import Replay
from metairl.envs import spec_of
from metairl.envs.point import Point
from metairl.methods import build, registry
from metairl.methods import settings as tuning
from metairl.tasks import catalogue
from metairl.training import dynamics_ensemble
from metairl.training.clare import CLARE, Config

METHOD = registry.find("clare")


def walked(name: str) -> Replay:
    """Twenty random steps towards nowhere."""
    kept = Replay(1, 20, torch.zeros(1, dtype=torch.long))
    env = Point({"goal": torch.zeros(1, 2)}, 20, 1, stream(name))
    policy = Random(env.spec, NoConfig())
    kept.add(torch.arange(1), rollout(policy, env, stream(name), PolicyInputs(), final=True))
    return kept.demonstrated()


def clare(penalty: float = 0.0, fitted: bool = True, **options: Any) -> CLARE:
    few = dynamics_ensemble.Config(members=3, elites=2, hidden=(8,), passes=2)
    small: dict[str, Any] = {"rollouts": 8, "horizon": 4, "batch_tasks": 1, "batch": 16, "rounds": 2}
    config = Config(model=few, penalty=penalty, real=0.5, reward_steps=1, **small, **options)
    card = catalogue.task("point-robot:data=replay,demos=1")
    settings: Any = tuning.settings_type(METHOD, "none")()
    agent = build.build_agent(METHOD, "none", spec_of(card), replace(settings, recipe=config), card, 0)
    made = CLARE(agent, OfflineDataset(walked("shown"), "", few=1, others=walked("others")), config, 0)
    if fitted:
        dynamics_ensemble.fit(made.model, made.replay, stream("fit"))
    return made


def test_an_imagined_step_is_fined_for_doubt() -> None:
    """p e u / max_D u, where three members say 0, 1 and 5 of the first number: μ̄ = 2, u = 3."""
    recipe = clare(penalty=2.0)
    recipe.config = replace(recipe.config, doubt="spread")
    recipe.model.variance.fill_(4.0)
    recipe.model.errors.fill_(1.0)
    recipe.balance = replace(recipe.balance, most=6.0)
    mean = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1)
    fine = recipe._penalty(mean, torch.zeros_like(mean))
    assert fine.tolist() == pytest.approx([2 * (1 / 4) * 3 / 6])


def test_without_a_fine_doubt_costs_nothing() -> None:
    recipe = clare(penalty=0.0)
    mean = torch.randn(3, 5, 3)
    assert not recipe._penalty(mean, mean).any()


def test_an_end_pays_what_rest_pays_for_ever() -> None:
    """γ / (1 − γ) r(rest), at the steps that ended and at no others."""
    recipe = clare()
    recipe._imagine()
    ends = recipe.imagined.data["terminated"]
    assert not ends.any()
    recipe.streams["improve"].manual_seed(0)
    on = recipe._moves()[0]
    ends.fill_(1.0)
    recipe.streams["improve"].manual_seed(0)
    over = recipe._moves()[0]
    gamma = recipe.agent.learner.config.gamma
    ended = 1 - over.continues
    assert 0 < ended.sum() < ended.numel()
    with torch.no_grad():
        rest = recipe.reward.absorbing() * gamma / (1 - gamma)
    torch.testing.assert_close(over.reward - on.reward, ended * rest)


def flat(held: str) -> tuple[CLARE, EncodedTransitions]:
    """One whose policy is around (0, 0) everywhere, of unit spread before it is squashed; what was shown."""
    recipe = clare(held=held)
    for weight in recipe.agent.learner.policy.parameters():
        weight.data.zero_()
    return recipe, recipe.agent.encode_transitions(recipe.demos.all_transitions())[0]


def test_held_near_what_was_done() -> None:
    """‖(0, 0) − (0.6, 0.8)‖² = 1 at one step of two, ‖(0, 0) − (0, 0.5)‖² = 0.25 at the other."""
    recipe, shown = flat("near")
    done = torch.tensor([[0.6, 0.8], [0.0, 0.5]]).repeat(shown.action.shape[1] // 2, 1)
    apart = recipe._apart(replace(shown, action=done.unsqueeze(0)))
    assert apart.item() == pytest.approx((1 + 0.25) / 2)


def test_held_to_what_is_likely() -> None:
    """−log of the density of (0, 0): log 2π."""
    recipe, shown = flat("likely")
    apart = recipe._apart(replace(shown, action=torch.zeros_like(shown.action)))
    assert apart.item() == pytest.approx(log(2 * pi), rel=1e-5)


@pytest.mark.parametrize(("falling", "left"), [(True, 0.75), (False, 1.0)])
def test_a_rate_falls_over_the_budget_where_it_is_asked_to(falling: bool, left: float) -> None:
    recipe = clare(falling=falling, learning_rate=0.01, doubt="spread")
    recipe.iterate(0.25)
    assert [group["lr"] for group in recipe.optimiser.param_groups] == pytest.approx([0.01 * left])
