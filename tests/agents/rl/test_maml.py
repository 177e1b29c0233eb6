"""MAML's inner step against hands and against autograd."""

import pytest
import torch
from torch import Tensor

from metairl.agents.agent import Agent
from metairl.agents.encoders.none import NoEncoder
from metairl.agents.rl.maml import MAML, Config, _baseline
from metairl.core.rng import stream
from metairl.core.types import Context, EncodedTrial, NoConfig, PolicyInputs, Spec

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=3, episodes=2, params=1)
LANES, STEPS = 4, SPEC.steps


def learner(**settings: object) -> MAML:
    torch.manual_seed(0)
    return MAML(SPEC, SPEC.obs, Config(hidden=(5,), **settings))


def features() -> EncodedTrial:
    rng = stream("maml")
    done = (torch.arange(STEPS) % SPEC.horizon == SPEC.horizon - 1).float().expand(LANES, STEPS)
    return EncodedTrial(
        z=torch.randn(LANES, STEPS, 2, generator=rng),
        action=torch.randn(LANES, STEPS, 1, generator=rng),
        reward=torch.randn(LANES, STEPS, generator=rng),
        continues=torch.ones(LANES, STEPS),
        mask=torch.ones(LANES, STEPS),
        done=done,
    )


def by_hand(maml: MAML, f: EncodedTrial, inner: Tensor, lane: int) -> dict[str, Tensor]:
    """θ − α ∇L of one lane, with plain autograd over its first episode."""
    first = slice(0, SPEC.horizon)
    pi = maml.policy(f.z[lane, first])
    loss = -(pi.log_prob(f.action[lane, first]) * inner[lane, first]).mean()
    theta = maml.theta()
    slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
    return {name: w - maml.config.step * g for (name, w), g in zip(theta.items(), slopes, strict=True)}


def test_the_inner_step_is_one_gradient_step_on_the_first_episode() -> None:
    maml, f = learner(step=0.5), features()
    inner = maml.targets(f, 0.0).inner
    first, _ = maml._parts(f)
    moves = maml._moves(f.z, f.action, inner, first)
    for lane in range(LANES):
        for name, weight in by_hand(maml, f, inner, lane).items():
            torch.testing.assert_close(maml.theta()[name] + moves[name][lane], weight)


@pytest.mark.parametrize("exact", [True, False])
def test_the_outer_gradient_passes_through_the_inner_step_where_exact(exact: bool) -> None:
    """d/dθ of Σ w · θ_i is w for every lane first-order; exactly, w minus α times the Hessian's product."""
    maml, f = learner(step=0.5, exact=exact), features()
    inner = maml.targets(f, 0.0).inner
    first, _ = maml._parts(f)
    theta = maml.theta()
    moves = maml._moves(f.z, f.action, inner, first)
    total = torch.stack([(theta[n] + moves[n][1]).sum() for n in theta]).sum()
    found = torch.autograd.grad(total, list(theta.values()))
    alone = torch.stack([w.sum() for w in by_hand(maml, f, inner, 1).values()]).sum()
    exactly = torch.autograd.grad(alone, list(theta.values()))
    plain = [torch.ones_like(w) for w in theta.values()]
    for got, want in zip(found, exactly if exact else plain, strict=True):
        torch.testing.assert_close(got, want)
    assert any(not torch.allclose(a, b) for a, b in zip(exactly, plain, strict=True))


def test_only_the_last_episode_is_judged_and_only_those_before_teach() -> None:
    maml, f = learner(), features()
    first, last = maml._parts(f)
    assert first[0].tolist() == [1, 1, 1, 0, 0, 0]
    assert last[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert maml.losses(f, maml.targets(f, 0.0))["policy"].isfinite()


def test_acting_makes_the_same_step_as_learning() -> None:
    """One step at a time, θ_i is what a whole trial gives: old and new probabilities agree."""
    maml, f = learner(step=0.5), features()
    encoder = NoEncoder(SPEC, NoConfig())
    policy = Agent(encoder, maml, "trial", PolicyInputs()).policy(explore=False)
    memory = policy.initial(LANES)
    for t in range(STEPS):
        past = max(t - 1, 0)
        known = float(t > 0)
        context = Context(
            f.z[:, t : t + 1],
            f.action[:, past : past + 1] * known,
            f.reward[:, past : past + 1] * known,
            f.done[:, past : past + 1] * known,
        )
        _, memory = policy.act(context, memory, stream("act"))
    first, _ = maml._parts(f)
    moves = maml._moves(f.z, f.action, maml.targets(f, 0.0).inner, first)
    for acted, learned in zip(memory[6:], moves.values(), strict=True):
        assert learned.abs().sum() > 0
        torch.testing.assert_close(acted, learned, atol=1e-6, rtol=1e-4)


def test_the_baseline_explains_what_its_features_can() -> None:
    f = features()
    mask = torch.ones(1, 200)
    obs = torch.randn(1, 200, 2, generator=stream("obs"))
    done = (torch.arange(200) % 50 == 49).float().unsqueeze(0)
    t = (torch.arange(200) % 50 / 100).unsqueeze(0)
    total = 2 * obs[..., 0] - obs[..., 1].square() + 3 * t**2 - 1
    torch.testing.assert_close(_baseline(obs, done, total, mask, 1e-5), total, atol=1e-3, rtol=1e-3)
    assert f.z.shape == (LANES, STEPS, 2)
