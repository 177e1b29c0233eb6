"""The dynamics ensemble on a linear system: errors, predicted variance, elites, bootstraps."""

import pytest
import torch
from torch import Tensor

from metairl.core.rng import stream
from metairl.core.types import Spec
from metairl.data.replay import Replay
from metairl.training.dynamics_ensemble import Config, DynamicsEnsemble, fit

SPEC = Spec(obs=2, actions=1, discrete=False, horizon=5, episodes=1, params=1)
NOISE = 0.1
TURN = torch.tensor([[-0.1, 0.5], [-0.5, -0.1]])  # o′ = o + TURN o + PUSH a
PUSH = torch.tensor([[0.0], [1.0]])


def model(task_observed: bool = False, **settings: object) -> DynamicsEnsemble:
    torch.manual_seed(0)
    return DynamicsEnsemble(
        SPEC, task_observed, Config(**{"members": 3, "elites": 2, "hidden": (32, 32), **settings})
    )


def logged(steps: int, noise: float = NOISE) -> Replay:
    """Of two tasks, −1 and 1, a linear system; its reward is the task times the first number of the observation.

    The second task's last quarter of the buffer is empty.
    """
    rng, tasks = stream("system"), 2
    obs = torch.randn(tasks, 1, steps, 2, generator=rng)
    action = 2 * torch.rand(tasks, 1, steps, 1, generator=rng) - 1
    said = torch.cat([obs + obs @ TURN.T + action @ PUSH.T, obs[..., :1]], dim=-1)
    said[0, ..., 2] *= -1
    said += noise * torch.randn(said.shape, generator=rng)
    none = torch.zeros(tasks, 1, steps)
    kept = Replay(1, steps, torch.zeros(tasks, dtype=torch.long))
    after, reward = said[..., :2], said[..., 2]
    kept.data = {"obs": obs, "action": action, "next_obs": after, "reward": reward, "training_reward": reward}
    kept.data |= {"done": none, "terminated": none}
    kept.num_trials, kept.tasks = torch.ones(tasks, dtype=torch.long), torch.tensor([[-1.0], [1.0]])
    kept.lengths = torch.tensor([[steps], [steps * 3 // 4]])
    for values in kept.data.values():
        values[1, 0, steps * 3 // 4 :] = torch.nan
    return kept


@pytest.fixture(scope="module")
def fitted() -> DynamicsEnsemble:
    """Fitted to the system with the task as an input."""
    ensemble = model(task_observed=True, epochs=30, batch=64)
    fit(ensemble, logged(2000), stream("fit"))
    return ensemble


def spread(fitted: DynamicsEnsemble, away: float) -> Tensor:
    """How far a member's opinion is from the mean of all, at most, at places so far away."""
    rng = stream("doubts")
    obs, action = torch.randn(500, 2, generator=rng), 2 * torch.rand(500, 1, generator=rng) - 1
    mean, _ = fitted.predict(obs + away, action, torch.ones(500, 1))
    return (mean - mean.mean(0)).norm(dim=-1).amax(0).mean()


@pytest.mark.parametrize("member", [0, 2])
def test_no_members_loss_reaches_another(member: int) -> None:
    ensemble, rng = model(), stream("rows")
    x, y = torch.randn(3, 8, 3, generator=rng), torch.randn(3, 8, 3, generator=rng)
    ensemble.losses(x, y)[member].backward()
    for weight in ensemble.parameters():
        assert weight.grad is not None
        moved = weight.grad.flatten(1).abs().amax(1) > 0
        assert moved.nonzero().flatten().tolist() == [member]


def test_a_loss_is_of_the_gaussian_and_of_its_bounds() -> None:
    """With μ = 0 and v = 0 the bounds alone say what σ is."""
    ensemble = model(bounds=0.5)
    with torch.no_grad():
        ensemble.net.weights[-1].zero_()
    y = torch.full((3, 4, 3), 2.0)
    softly = 0.5 - torch.tensor(0.5).exp().add(1).log()  # 0.5 − softplus(0.5 − 0)
    log_var = -10 + (softly + 10).exp().add(1).log()
    loss = 4 * (-log_var).exp() + log_var + 0.5 * 3 * 10.5
    torch.testing.assert_close(ensemble.losses(torch.randn(3, 4, 3), y), loss.expand(3))


def test_a_linear_system_is_learned_to_its_noise(fitted: DynamicsEnsemble) -> None:
    assert fitted.errors[fitted.elites].mean() < 1.25 * NOISE**2
    obs, action = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.3]])
    mean, std = fitted.predict(obs, action, torch.tensor([[-1.0]]))
    wanted = torch.cat([obs + obs @ TURN.T + action @ PUSH.T, torch.tensor([[-0.5]])], dim=1)
    torch.testing.assert_close(mean, wanted.expand(3, 1, 3), atol=0.08, rtol=0)
    torch.testing.assert_close(std, torch.full((3, 1, 3), NOISE), atol=0.03, rtol=0)


def test_what_is_left_unexplained_is_the_noise_s_share_of_the_variance(fitted: DynamicsEnsemble) -> None:
    """Variances are 0.26, 0.26 + 1/3 and 1, beside the noise."""
    variance = (0.26 + 0.26 + 1 / 3 + 1) / 3 + NOISE**2
    assert fitted.unexplained == pytest.approx(NOISE**2 / variance, rel=0.25)


def test_task_rewards_are_learned_only_if_the_task_is_an_input() -> None:
    blind = model(epochs=8)
    fit(blind, logged(1000), stream("fit"))
    assert blind.net.weights[0].shape[1] == 3
    obs = torch.tensor([[1.0, 0.0]])
    one, other = (blind.predict(obs, torch.zeros(1, 1), torch.tensor([[c]]))[0] for c in (-1.0, 1.0))
    assert torch.equal(one, other)
    assert blind.errors.min() > 0.1  # a third of the reward's variance


def test_members_are_further_apart_where_the_logs_have_not_been(fitted: DynamicsEnsemble) -> None:
    assert spread(fitted, 6.0) > 3 * spread(fitted, 0.0)


def test_everyone_is_as_it_was_at_its_best_and_the_best_are_believed() -> None:
    """The hold-out is what is drawn first; a rate this high makes the last epoch no better than others."""
    ensemble, logs = model(learning_rate=0.03, epochs=15, patience=15, max_holdout=300), logged(500)
    fit(ensemble, logs, stream("fit"))
    every = logs.all_transitions()
    there = every.mask > 0
    assert int(there.sum()) == 875
    held = torch.randperm(875, generator=stream("fit"))[:175]
    x = ensemble.inputs(every.obs[there], every.action[there], torch.empty(0))[held]
    y = torch.cat([every.next_obs[there] - every.obs[there], every.reward[there].unsqueeze(1)], dim=1)[held]
    torch.testing.assert_close(ensemble.squared_errors(x, y), ensemble.errors)
    assert ensemble.elites.tolist() == ensemble.errors.argsort()[:2].tolist()


def test_fitting_again_gives_the_same_and_stops_where_nothing_is_gained() -> None:
    probs = [stream("fit") for _ in range(3)]
    for rng, epochs in zip(probs, (50, 50, 60), strict=True):
        ensemble = model(epochs=epochs, min_improvement=0.5)
        fit(ensemble, logged(200), rng)
        if rng is probs[0]:
            first = ensemble.state_dict()
        assert all(torch.equal(values, first[name]) for name, values in ensemble.state_dict().items())
        assert torch.equal(rng.get_state(), probs[0].get_state())  # as many passes


def test_members_learn_from_different_rows() -> None:
    """Initialised alike and given all rows in every step, only their bootstraps can tell them apart."""
    alike = model(epochs=1, batch=10_000)
    with torch.no_grad():
        for weight in alike.parameters():
            weight.copy_(weight[:1].expand_as(weight))
    fit(alike, logged(200), stream("fit"))
    assert alike.errors.unique().numel() == 3


def test_inputs_are_standardised_and_what_never_varies_is_centred() -> None:
    ensemble = model()
    x = torch.randn(1000, 3, generator=stream("x")) * torch.tensor([1.0, 50.0, 0.0]) + 7
    ensemble.standardise(x)
    torch.testing.assert_close(ensemble.middle, x.mean(0))
    torch.testing.assert_close(ensemble.scale[:2], x.std(0, correction=0)[:2])
    assert ensemble.scale[2] == 1
