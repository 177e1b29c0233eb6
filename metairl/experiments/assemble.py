"""What a request is made of: its policy, its training loop, and copies of it that learn in held-out tasks."""

from typing import Any

from metairl.agents.agent import Agent
from metairl.core.errors import CardError
from metairl.core.interfaces import Policy
from metairl.core.rng import seed_of
from metairl.core.types import Spec
from metairl.data import demonstrations
from metairl.envs import spec_of
from metairl.evaluation.protocol import Recipe
from metairl.experiments.request import Request
from metairl.methods.build import build_agent, build_alone
from metairl.methods.requirements import has_heads, heads_serve
from metairl.rewards.irl.solution import Evaluable
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet
from metairl.training import fine_tuning
from metairl.training.loop import TrainingLoop


def build(request: Request) -> tuple[Evaluable, Recipe | None]:
    """The policy to judge and, where there is something to train, the loop that trains it."""
    method, card = request.method, request.card
    spec = spec_of(card)
    for other in card.transfer:
        if not alike(card, catalogue.task(other), task_observed=False):
            raise CardError(f"task '{card.id}' cannot transfer to '{other}': observations or actions differ")
    if request.encoder is None:
        return _build_alone(request, spec)
    agent = build_agent(method, request.encoder, spec, request.settings, card, request.seed)
    if method.recipe is None:
        return agent.policy(explore=False), None
    source = request.problem.tasks(request, spec)
    recipe = method.recipe.cls(agent, source, request.settings.recipe, request.seed)
    return _judged(agent, recipe), recipe


def _build_alone(request: Request, spec: Spec) -> tuple[Evaluable, Recipe | None]:
    """An exact method, or IRL with known dynamics and what learns its prior."""
    method = request.method
    made = build_alone(method, spec, request.settings, request.seed)
    if method.recipe is None:
        return made, None
    mdps, demos = demonstrations.mdps_with_all_demos(request.card, spec, "train")
    return made, method.recipe.cls(made, mdps, demos, request.settings.recipe, request.seed)


def _judged(agent: Agent[Any], recipe: TrainingLoop) -> Policy:
    """The policy as it is judged, with the reward that was learned beside it if there is one."""
    return recipe.policy_with_reward() or agent.policy(explore=False)


def copy_for_task(
    request: Request, trained: Recipe, tasks: TaskSet, index: int
) -> tuple[Policy, TrainingLoop]:
    """The trained weights, or fresh ones, with a loop that goes on in one of the tasks."""
    method, spec = request.method, spec_of(request.card)
    assert method.recipe and method.adapt and request.encoder
    seed = seed_of("adapt", request.seed, index)
    agent = build_agent(method, request.encoder, spec, request.settings, request.card, seed)
    if method.pretrains:
        agent.networks.load_state_dict(trained.state()["networks"])
    fine_tuning.freeze(agent, request.settings.adapt.layers)
    source = request.problem.one_task(request, spec, tasks, index)
    recipe = method.adapt.cls(agent, source, request.settings.alone, seed)
    return _judged(agent, recipe), recipe


def alike(card: TaskCard, other: TaskCard, task_observed: bool) -> bool:
    """Whether a policy trained on one card can act on the other; one that observes the task needs equal
    task parameters too."""
    here, there = spec_of(card), spec_of(other)
    same = (here.obs, here.actions, here.discrete) == (there.obs, there.actions, there.discrete)
    return same and (here.params == there.params or not task_observed)


def can_act(request: Request, other: TaskCard) -> bool:
    """Whether what was trained for a request can act on another card."""
    if has_heads(request.method) and not heads_serve(request.card, other):
        return False
    return alike(request.card, other, request.inputs.task)
