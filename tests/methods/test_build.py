"""Networks are made from a run's own stream, and policies see what their support allows."""

import pytest
import torch

from metairl.agents.encoders.from_support import SupportEncoder
from metairl.envs import spec_of
from metairl.methods.build import build_agent, build_alone, context_steps, policy_inputs
from metairl.methods.registry import METHODS, find
from metairl.methods.settings import settings_type
from metairl.tasks import catalogue

CARD = catalogue.task("point-robot")
SPEC = spec_of(CARD)


def weights(method: str, encoder: str, seed: int) -> list[torch.Tensor]:
    settings = settings_type(find(method), encoder)()
    return list(build_agent(find(method), encoder, SPEC, settings, CARD, seed).networks.state_dict().values())


def test_a_seed_gives_the_same_networks_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (weights("sac", "none", seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", METHODS)
def test_rewards_are_seen_inside_a_trial_by_methods_whose_support_is_the_trial(name: str) -> None:
    method = find(name)
    inputs = policy_inputs(method, method.encoder, settings_type(method, method.encoder)())
    assert inputs.reward == (method.support == "trial")


def test_pearl_samples_by_as_many_numbers_as_its_latent_has() -> None:
    method = find("pearl")
    settings = settings_type(method, "pearl")()
    assert policy_inputs(method, "pearl", settings).noise_dim == settings.encoder.latent


@pytest.mark.parametrize("encoder", ["rl2", "snail"])
def test_sequence_encoders_read_support_where_a_method_has_some(encoder: str) -> None:
    for name, wrapped in (("iql", True), ("sac", False)):
        settings = settings_type(find(name), encoder)()
        agent = build_agent(find(name), encoder, SPEC, settings, CARD, 0)
        assert isinstance(agent.encoder, SupportEncoder) == wrapped


def test_so_many_transitions_of_support_are_read() -> None:
    """m, but no more than an episode, or a task's examples; of comparisons two segments each."""
    config = settings_type(find("iql"), "pearl")().recipe
    assert config.context == 200
    assert context_steps(SPEC, config, CARD) == SPEC.horizon == 20
    examples = catalogue.task("point-robot:examples=7")
    assert context_steps(SPEC, config, examples) == 7
    compared = settings_type(find("preferences-iql"), "pearl")().recipe
    card = catalogue.task("point-robot:data=replay,comparisons=3")
    assert context_steps(SPEC, compared, card) == 2 * 3 * min(compared.queries.length, 20)


def test_exact_methods_are_made_of_their_rule_alone() -> None:
    rule = build_alone(find("random"), SPEC, settings_type(find("random"), None)(), 0)
    assert rule.initial(3) == ()
