"""Assembling a request: its policy, its training loop, and copies for held-out tasks."""

import pytest
import torch

from metairl.agents.agent import AgentPolicy
from metairl.agents.exact.bandits import Thompson
from metairl.core.errors import CardError
from metairl.experiments.assemble import alike, build, can_act, copy_for_task
from metairl.experiments.request import make_request
from metairl.rewards.recovered import PolicyWithReward
from metairl.tasks import catalogue, sampling
from metairl.training.off_policy import OffPolicy


def test_exact_methods_have_nothing_to_train() -> None:
    policy, recipe = build(make_request("thompson", "bandit-5"))
    assert isinstance(policy, Thompson) and recipe is None


def test_a_trained_policy_is_judged_by_its_mode_and_shares_the_networks_in_training() -> None:
    policy, recipe = build(make_request("sac", "point-robot", steps=0))
    assert isinstance(policy, AgentPolicy) and isinstance(recipe, OffPolicy)
    assert not policy.explore and policy.agent is recipe.agent


@pytest.mark.usefixtures("logged")
def test_a_reward_that_was_learned_beside_a_policy_comes_with_it() -> None:
    policy, _ = build(make_request("airl", "random-mdp:data=expert,demos=1"))
    assert isinstance(policy, PolicyWithReward)


def test_a_card_that_cannot_transfer_where_it_says_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    card = catalogue.task("bandit-5").model_copy(update={"transfer": ["bandit-10-v1"]})
    found = catalogue.task
    monkeypatch.setattr(catalogue, "task", lambda name: card if name.startswith("bandit-5") else found(name))
    with pytest.raises(CardError, match="cannot transfer to 'bandit-10-v1': observations or actions differ"):
        build(make_request("random", "bandit-5"))


def test_cards_are_alike_by_observations_actions_and_for_what_is_told_the_task_by_parameters() -> None:
    vel, heavy, direction, ant = (
        catalogue.task(name)
        for name in ("half-cheetah-vel", "half-cheetah-vel-heavy", "half-cheetah-dir", "ant-dir")
    )
    assert alike(vel, heavy, task_observed=False) and alike(vel, direction, task_observed=False)
    assert not alike(vel, ant, task_observed=False)
    both = alike(vel, heavy, task_observed=True), alike(vel, direction, task_observed=True)
    assert both == (vel.parameters.keys() == heavy.parameters.keys(), True)


def test_heads_act_on_cards_whose_skills_were_trained() -> None:
    headed = make_request("sac-heads", "mt10")
    assert can_act(headed, catalogue.task("mt10"))
    assert not can_act(headed, catalogue.task("mt50"))
    assert can_act(make_request("sac", "mt10"), catalogue.task("mt50"))


def test_a_copy_begins_with_the_trained_weights_and_from_scratch_with_its_own() -> None:
    tasks = sampling.task_set(catalogue.task("point-robot"), "test")
    for regime, equal in (("fine-tune", True), ("scratch", False)):
        request = make_request("sac", "point-robot", regime=regime)  # type: ignore[arg-type]
        _, trained = build(request)
        assert trained is not None
        copies = [copy_for_task(request, trained, tasks, index)[1] for index in (0, 1)]
        weights = [list(copy.networks.state_dict().values()) for copy in copies]
        theirs = list(trained.networks.state_dict().values())
        assert all(torch.equal(a, b) for a, b in zip(weights[0], theirs, strict=True)) == equal
        assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True)) == equal
        assert copies[0].networks is not trained.networks
