"""PEARL's belief: worked out by hand, in any order, and equal however it is reached."""

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.encoders.pearl import Config, Pearl
from metairl.agents.rl.sac import SAC
from metairl.agents.rl.sac import Config as Settings
from metairl.core.rng import stream
from metairl.core.types import Batch, Context, PolicyInputs, Spec

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=3, episodes=2, params=1)
LATENT = 2


@pytest.fixture
def encoder() -> Pearl:
    torch.manual_seed(0)
    return Pearl(SPEC, Config(latent=LATENT, hidden=(8,), kl=1.0))


def transitions(lanes: int, count: int) -> Batch:
    rng = stream("transitions")

    def numbers(*width: int) -> Tensor:
        return torch.randn(lanes, count, *width, generator=rng)

    still = torch.zeros(lanes, count)
    return Batch(
        obs=numbers(2),
        action=numbers(1),
        reward=numbers(),
        training_reward=still,
        next_obs=numbers(2),
        done=still,
        terminated=still,
        mask=still + 1,
        task=torch.zeros(lanes, 1),
        family=torch.zeros(lanes, dtype=torch.long),
        is_demo=still,
    )


def test_two_factors_and_the_prior_by_hand(encoder: Pearl) -> None:
    """N(0, 1) · N(1, 1) · N(3, 1/2): precision 1 + 1 + 2, mean (0 + 1 + 6) / 4."""
    sums = torch.tensor([[1.0 + 6.0, 0.0, 1.0 + 2.0, 0.0]])  # the second number of z: no evidence
    mean, variance = encoder._posterior(sums)
    torch.testing.assert_close(mean, torch.tensor([[1.75, 0.0]]))
    torch.testing.assert_close(variance, torch.tensor([[0.25, 1.0]]))
    expected = (0.25 + 1.75**2 - 1 - log(0.25)) / 2
    torch.testing.assert_close(encoder._divergence(sums), torch.tensor([expected]))


def test_a_draw_is_mean_plus_spread_times_chance(encoder: Pearl) -> None:
    sums, obs = torch.tensor([[7.0, 0.0, 3.0, 0.0]]), torch.ones(1, 4, 2)
    z = encoder.condition(sums, obs, torch.tensor([[2.0, -1.0]]))
    torch.testing.assert_close(z[0, 3], torch.tensor([1.0, 1.0, 1.75 + 2 * 0.5, -1.0]))
    torch.testing.assert_close(encoder.condition(sums, obs, None)[0, 0, 2:], torch.tensor([1.75, 0.0]))


def test_the_order_of_transitions_does_not_matter(encoder: Pearl) -> None:
    batch = transitions(lanes=3, count=7)
    order = torch.randperm(7, generator=stream("order"))
    columns = ("obs", "action", "reward", "next_obs", "done", "terminated", "mask")
    other = replace(batch, **{name: getattr(batch, name)[:, order] for name in columns})
    for one, two in zip(encoder.infer_posterior(batch), encoder.infer_posterior(other), strict=True):
        torch.testing.assert_close(one, two)


def test_transitions_that_do_not_count_say_nothing(encoder: Pearl) -> None:
    batch = transitions(lanes=1, count=4)
    some = replace(batch, mask=torch.tensor([[1.0, 0.0, 1.0, 0.0]]))
    fewer = replace(
        batch,
        **{name: getattr(batch, name)[:, ::2] for name in ("obs", "action", "reward", "next_obs", "mask")},
    )
    torch.testing.assert_close(encoder.infer_posterior(some)[0], encoder.infer_posterior(fewer)[0])


def test_where_asked_for_steps_that_paid_nothing_say_nothing(encoder: Pearl) -> None:
    paying = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    context, batch = lived(torch.zeros(1, 6, LATENT))
    batch = replace(batch, reward=batch.reward * paying)
    context = replace(context, prev_reward=torch.cat([paying[:, :1] * 0, batch.reward[:, :-1]], dim=1))
    told, _ = encoder.infer_posterior(replace(batch, mask=paying))
    encoder.config = replace(encoder.config, ignore_zero_reward=True)
    torch.testing.assert_close(encoder.infer_posterior(batch)[0], told)
    total, *_ = encoder(context, encoder.initial(1)).state
    torch.testing.assert_close(total, told)
    unpaid, _ = encoder.infer_posterior(replace(batch, reward=batch.reward * 0))
    z = encoder.condition(torch.cat([unpaid, told]), batch.obs[:, :1].expand(2, 1, 2), torch.ones(2, LATENT))
    assert not z[0, 0, 2:].any()
    assert z[1, 0, 2:].all()


def lived(noise: Tensor | None) -> tuple[Context, Batch]:
    """A trial of two episodes of three steps, as it was known and as transitions."""
    batch = transitions(lanes=1, count=6)
    done = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    late = {name: torch.cat([x[:, :1] * 0, x[:, :-1]], 1) for name, x in vars(batch).items() if x.dim() > 1}
    context = Context(
        batch.obs, late["action"], late["reward"], torch.cat([done[:, :1] * 0, done[:, :-1]], 1), None, noise
    )
    return context, batch


def test_a_task_is_inferred_where_an_episode_begins_and_then_held(encoder: Pearl) -> None:
    noise = torch.randn(1, 2, LATENT, generator=stream("chance")).repeat_interleave(3, 1)
    context, batch = lived(noise)
    z = encoder(context, encoder.initial(1)).z[0, :, 2:]
    torch.testing.assert_close(z[:3], noise[0, :3])  # nothing known: a draw from the prior
    first = replace(
        batch, **{n: getattr(batch, n)[:, :3] for n in ("obs", "action", "reward", "next_obs", "mask")}
    )
    sums, _ = encoder.infer_posterior(first)
    torch.testing.assert_close(z[3:], encoder.condition(sums, batch.obs[:, 3:], noise[:, 3])[0, :, 2:])
    assert not torch.equal(z[3], z[0])


def test_without_sampling_no_chance_is_asked_for() -> None:
    assert Config(latent=4).noise_dim == 4
    assert Config(latent=4, sampling=False).noise_dim == 0


def test_evidence_teaches_the_encoder_through_the_critic_alone(encoder: Pearl) -> None:
    learner = SAC(SPEC, encoder.width, Settings(hidden=(8,)))
    agent = Agent(encoder, learner, "trial", PolicyInputs(noise_dim=LATENT))
    moves, _ = agent.encode_given_context(transitions(3, 5), transitions(3, 4), stream("draws"))
    losses = learner.losses(moves, stream("actions"))
    weights = list(encoder.parameters())
    for name, taught in (("critic", True), ("policy", False), ("temperature", False)):
        gradients = torch.autograd.grad(losses[name], weights, retain_graph=True, allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients) == taught, name
