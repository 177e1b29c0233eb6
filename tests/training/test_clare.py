"""CLARE's policy: its rewards, its cloning loss and its learning rate."""

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


def random_walk(name: str) -> Replay:
    """Twenty random steps."""
    replay = Replay(1, 20, torch.zeros(1, dtype=torch.long))
    env = Point({"goal": torch.zeros(1, 2)}, 20, 1, stream(name))
    policy = Random(env.spec, NoConfig())
    replay.add(torch.arange(1), rollout(policy, env, stream(name), PolicyInputs(), keep_next_obs=True))
    return replay.without_reward(is_demo=True)


def clare(penalty: float = 0.0, fitted: bool = True, **options: Any) -> CLARE:
    few = dynamics_ensemble.Config(members=3, elites=2, hidden=(8,), epochs=2)
    small: dict[str, Any] = {"rollouts": 8, "horizon": 4, "batch_tasks": 1, "batch": 16, "rounds": 2}
    config = Config(model=few, penalty=penalty, real_share=0.5, reward_steps=1, **small, **options)
    card = catalogue.task("point-robot:data=replay,demos=1")
    settings: Any = tuning.settings_type(METHOD, "none")()
    agent = build.build_agent(METHOD, "none", spec_of(card), replace(settings, recipe=config), card, 0)
    made = CLARE(
        agent,
        OfflineDataset(random_walk("shown"), "", context_episodes=1, others=random_walk("others")),
        config,
        0,
    )
    if fitted:
        made.rollouts.fit(stream("fit"))
    return made


def test_model_steps_are_penalised_for_uncertainty() -> None:
    """p e u / max_D u, where three members predict 0, 1 and 5 for the first number: μ̄ = 2, u = 3."""
    recipe = clare(penalty=2.0, uncertainty="disagreement")
    recipe.rollouts.model.variance.fill_(4.0)
    recipe.rollouts.model.errors.fill_(1.0)
    recipe.weights = replace(recipe.weights, max_uncertainty=6.0)
    mean = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1)
    penalty = recipe._penalty(mean, torch.zeros_like(mean))
    assert penalty.tolist() == pytest.approx([2 * (1 / 4) * 3 / 6])


def test_without_a_penalty_uncertainty_costs_nothing() -> None:
    recipe = clare(penalty=0.0)
    mean = torch.randn(3, 5, 3)
    assert not recipe._penalty(mean, mean).any()


def test_termination_earns_the_absorbing_reward_for_ever() -> None:
    """γ / (1 − γ) r(absorbing), at terminal steps and at no others."""
    recipe = clare()
    recipe.rollouts.generate(recipe._starts, recipe._penalty, recipe.streams["imagine"])
    ends = recipe.rollouts.buffer.data["terminated"]
    assert not ends.any()
    recipe.streams["improve"].manual_seed(0)
    on = recipe.encoded_batch()[0]
    ends.fill_(1.0)
    recipe.streams["improve"].manual_seed(0)
    over = recipe.encoded_batch()[0]
    gamma = recipe.agent.learner.config.gamma
    ended = 1 - over.continues
    assert 0 < ended.sum() < ended.numel()
    with torch.no_grad():
        rest = recipe.reward.absorbing() * gamma / (1 - gamma)
    torch.testing.assert_close(over.reward - on.reward, ended * rest)


def flat(cloning_loss: str) -> tuple[CLARE, EncodedTransitions]:
    """A policy around (0, 0), of unit variance before it is squashed, and the demonstrated transitions."""
    recipe = clare(cloning_loss=cloning_loss)
    for weight in recipe.agent.learner.policy.parameters():
        weight.data.zero_()
    return recipe, recipe.agent.encode_transitions(recipe.demos.all_transitions())[0]


def test_cloning_by_distance() -> None:
    """‖(0, 0) − (0.6, 0.8)‖² = 1 at one step of two, ‖(0, 0) − (0, 0.5)‖² = 0.25 at the other."""
    recipe, data = flat("distance")
    done = torch.tensor([[0.6, 0.8], [0.0, 0.5]]).repeat(data.action.shape[1] // 2, 1)
    loss = recipe._cloning_loss(replace(data, action=done.unsqueeze(0)))
    assert loss.item() == pytest.approx((1 + 0.25) / 2)


def test_cloning_by_likelihood() -> None:
    """−log of the density of (0, 0): log 2π."""
    recipe, data = flat("likelihood")
    loss = recipe._cloning_loss(replace(data, action=torch.zeros_like(data.action)))
    assert loss.item() == pytest.approx(log(2 * pi), rel=1e-5)


@pytest.mark.parametrize(("anneal_lr", "left"), [(True, 0.75), (False, 1.0)])
def test_the_learning_rate_is_annealed_if_it_is_asked_for(anneal_lr: bool, left: float) -> None:
    recipe = clare(anneal_lr=anneal_lr, learning_rate=0.01, uncertainty="disagreement")
    recipe.iterate(0.25)
    assert [group["lr"] for group in recipe.optimiser.param_groups] == pytest.approx([0.01 * left])
