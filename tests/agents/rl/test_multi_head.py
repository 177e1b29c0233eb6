"""Heads of skills: each is the last layer of a network of its own, and learns from its own skill alone."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from metairl.agents.rl import ppo, sac
from metairl.agents.rl.multi_head import HeadedPPO, HeadedSAC, Heads
from metairl.core.errors import UsageError
from metairl.core.rng import stream
from metairl.core.types import EncodedTransitions, EncodedTrial, Spec
from metairl.envs import make, spec_of
from metairl.experiments.assemble import build, can_act
from metairl.experiments.request import make_request
from metairl.methods.registry import find
from metairl.methods.settings import settings_from
from metairl.tasks import catalogue, sampling
from metairl.tasks.metaworld_boxes import NAMES

SPEC = Spec(obs=2, actions=2, discrete=False, horizon=3, episodes=1, params=4, skills=(2, 0))
SKILLS, WIDTH, HIDDEN = (0, 1), SPEC.obs + SPEC.params, (5, 4)
LAST = {"policy.net.4", "value.head.4"} | {
    f"{part}.{of}.2" for part in ("critic", "target") for of in ("weights", "biases")
}
SAC, PPO = sac.Config(hidden=HIDDEN), ppo.Config(hidden=HIDDEN)


def seen(*skills: int) -> Tensor:
    """z of a lane for each, [B, 3, Z]: what is seen, then what is told."""
    told = torch.zeros(len(skills), SPEC.params)
    told[range(len(skills)), [SPEC.skills[skill] for skill in skills]] = 1.0
    told[:, 1] = 0.7  # what else a task's parameters say
    obs = torch.randn(len(skills), SPEC.steps, SPEC.obs, generator=stream("seen"))
    return torch.cat([obs, told.unsqueeze(1).expand(-1, SPEC.steps, -1)], dim=-1)


def moves(*skills: int) -> EncodedTransitions:
    z, ones = seen(*skills), torch.ones(len(skills), SPEC.steps)
    action = torch.rand(*ones.shape, SPEC.actions, generator=stream("action"))
    reward = torch.randn(ones.shape, generator=stream("reward"))
    return EncodedTransitions(z, action, reward, z.roll(1, 1), ones, ones, torch.tensor(skills), 0 * ones)


def features(*skills: int) -> EncodedTrial:
    m = moves(*skills)
    return EncodedTrial(m.z, m.action, m.reward, m.continues, m.mask, 0 * m.mask)


def losses(learner: Any, *skills: int) -> dict[str, Tensor]:
    found: dict[str, Tensor]
    if isinstance(learner, sac.SAC):
        found = learner.losses(moves(*skills), stream("draws"))
    else:
        found = learner.losses(features(*skills), learner.targets(features(*skills), 0.0))
    return found


def made(kind: Any) -> nn.Module:
    torch.manual_seed(0)
    config = SAC if issubclass(kind, sac.SAC) else PPO
    module: nn.Module = kind(SPEC, WIDTH, config)
    for name, weight in module.named_parameters():  # biases at zero would tell nothing apart
        if "bias" in name:
            nn.init.normal_(weight)
    return module


def own(name: str, weight: Tensor, skill: int) -> Tensor:
    """Of a last layer, what is a skill's; of shared weights, all."""
    if not of_heads(name):
        return weight
    return weight.chunk(2)[skill] if name.startswith(("policy", "value")) else weight[..., [skill]]


def of_heads(name: str) -> bool:
    return name.removesuffix(".weight").removesuffix(".bias") in LAST


@pytest.mark.parametrize("kind", [HeadedSAC, HeadedPPO])
@pytest.mark.parametrize("skill", SKILLS)
def test_a_skill_learns_what_a_network_with_its_head_alone_learns(kind: Any, skill: int) -> None:
    headed, alone = made(kind), made(kind.__base__)
    alone.load_state_dict({name: own(name, x, skill) for name, x in headed.state_dict().items()})
    assert_close(losses(headed, skill, skill), losses(alone, skill, skill))
    z = seen(skill, skill)[:, 0]
    assert_close(headed.act(z, stream("a"), True), alone.act(z, stream("a"), True))
    other = seen(1 - skill, 1 - skill)[:, 0]
    assert not torch.allclose(headed.act(other, stream("a"), True), alone.act(other, stream("a"), True))


@pytest.mark.parametrize("kind", [HeadedSAC, HeadedPPO])
def test_a_step_on_one_skill_moves_its_heads_and_what_is_shared_and_no_other_head(kind: Any) -> None:
    learner = made(kind)
    before = {name: weight.clone() for name, weight in learner.named_parameters()}
    optimiser = torch.optim.Adam(learner.parameters(), lr=0.01)
    torch.stack(list(losses(learner, 0, 0).values())).sum().backward()
    optimiser.step()
    checked = set()
    for name, weight in learner.named_parameters():
        if name.startswith("target"):
            continue
        moved = [not torch.equal(own(name, weight, k), own(name, before[name], k)) for k in SKILLS]
        assert moved == ([True, False] if of_heads(name) else [True, True]), name
        checked.add((name.partition(".")[0], of_heads(name)))
    parts = {name.partition(".")[0] for name in before} - {"log_alpha", "target"}
    assert checked >= {(part, heads) for part in parts for heads in (True, False)}


@pytest.mark.parametrize("kind", [HeadedSAC, HeadedPPO])
def test_skills_in_one_batch_have_each_their_own_head(kind: Any) -> None:
    learner, z = made(kind), seen(1, 0, 1)
    together, of_one_skill = said(learner, z), said(learner, seen(0, 0, 0))
    for lane in range(3):
        assert_close(together[lane], said(learner, z[[lane]])[0])
        same = torch.isclose(together[lane], of_one_skill[lane])
        assert same.all() if lane == 1 else not same.any()


def said(learner: Any, z: Tensor) -> Tensor:
    """By policy and values of every lane, [B, 3, …]."""
    mean = learner.policy(z).mean
    if isinstance(learner, sac.SAC):
        return torch.cat([mean, *learner.critic(torch.cat([z, mean], dim=-1)).unsqueeze(-1)], dim=-1)
    return torch.cat([mean, learner.value(z).unsqueeze(-1)], dim=-1)


@pytest.mark.parametrize("name", ["mt10", "ml10-outside"])
def test_every_held_out_task_has_the_head_of_its_skill(name: str) -> None:
    card = catalogue.task(name)
    tasks = sampling.task_set(card, "test")[:10]
    policy, _ = build(make_request("sac-heads", name, steps=0))
    net = policy.agent.learner.policy.net
    told = make(card, tasks, stream("world")).task
    z = torch.cat([torch.randn(10, policy.agent.encoder.width - told.shape[1]), told], dim=1)
    assert isinstance(net, Heads) and spec_of(card).families == 10
    of_skill = [card.skill_goals.train.index(NAMES[int(place)]) for place in tasks["goal"][:, 0]]
    assert z[:, net.marks].argmax(1).tolist() == sampling.families(card, tasks).tolist() == of_skill
    assert (z[:, net.marks].sum(1) == 1).all()


@pytest.mark.parametrize("name", ["sac-heads", "ppo-heads"])
@pytest.mark.parametrize(
    "task, encoder, said",
    [
        ("mt1", None, "it needs several, .*: try ml10-outside-v1, mt10-v1, mt50-v1, not 'mt1-v1'"),
        ("ml10", None, "same ones in the test: try ml10-outside-v1, mt10-v1, mt50-v1, not 'ml10-v1'"),
        ("point-robot", None, "does not run on point tasks such as 'point-robot-v1'"),
        ("mt10", "none", "always uses encoder 'oracle'; to use encoder 'none', choose method ppo or sac"),
        ("mt10", "care", "always uses encoder 'oracle'; to use encoder 'care', choose method ppo or sac"),
    ],
)
def test_what_has_no_heads_is_refused(name: str, task: str, encoder: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_request(name, task, encoder)


def test_a_skill_is_not_known_by_an_embedding() -> None:
    settings = settings_from(find("sac-heads"), "oracle", {"encoder": {"embed": 3}}, "here")
    with pytest.raises(UsageError, match=r"encoder\.embed: 'sac-heads' reads the skill's index as it is"):
        make_request("sac-heads", "mt10", settings=settings)
    assert make_request("sac", "mt10", "oracle", settings=settings)


def test_a_card_with_skills_that_have_no_head_is_not_judged() -> None:
    headed, plain = make_request("sac-heads", "mt10"), make_request("sac", "mt10", "oracle")
    other, fewer = catalogue.task("mt50"), catalogue.task("mt1")
    assert can_act(plain, other) and not can_act(headed, other)
    assert can_act(headed, fewer) and can_act(headed, headed.card)
    assert not can_act(replace(headed, task="mt50-v1"), catalogue.task("point-robot"))
