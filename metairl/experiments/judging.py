"""How a request is judged: on every task of a split, given each task's support, and after adaptation."""

from collections.abc import Iterator
from dataclasses import replace

from metairl.agents.agent import AgentPolicy
from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy, SetEncoder
from metairl.core.records import Evaluation
from metairl.data import demonstrations
from metairl.envs import spec_of
from metairl.evaluation import protocol, reward_metrics
from metairl.experiments.assemble import copy_for_task
from metairl.experiments.request import Request
from metairl.methods import requirements
from metairl.rewards.irl.solution import Evaluable, IRLMethod
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS
from metairl.training import fine_tuning

ONLINE = ("exact", "online")  # problems that give nothing before a held-out task's first episode


def judge(
    request: Request, policy: Evaluable, split: str, steps: protocol.StepCounts, on: TaskCard | None = None
) -> list[Evaluation]:
    """On a split of the request's own card, or of another one, which the records then name."""
    card = on or request.card
    tasks = sampling.task_set(card, split)
    acting = given_support(request, policy, card, split)
    judged = protocol.meta_test(acting, card, tasks, request.inputs, request.seed, steps, request.engine)
    if card.world in FINITE_MDPS:
        judged = [replace(e, measures=reward_metrics.measured(acting, card, tasks, e)) for e in judged]
    return [replace(e, split=f"{card.id}:{split}") for e in judged] if on else judged


def infers_from_support(request: Request, policy: Evaluable) -> bool:
    """Whether tasks are inferred from support, before their first episode."""
    supported = request.method.problem not in ONLINE
    return supported and isinstance(policy, AgentPolicy) and isinstance(policy.agent.encoder, SetEncoder)


def given_support(request: Request, policy: Evaluable, card: TaskCard, split: str) -> Policy:
    """The policy, given the support of every task of a card's split: the same for every method."""
    if isinstance(policy, IRLMethod):
        requirements.check_demos(request.method, card)
        if card.horizon != request.card.horizon:
            raise UsageError(
                f"'{request.method.name}' plans for {request.card.horizon} steps, not for those of '{card.id}'"
            )
        return policy.fit(*demonstrations.mdps_with_demos(card, spec_of(card), split, request.seed))
    if not infers_from_support(request, policy):
        return policy
    assert isinstance(policy, AgentPolicy) and isinstance(policy.agent.encoder, SetEncoder)
    context = request.problem.context(request, policy.agent.encoder, card, split)
    assert context is not None, "problems with support have some"
    return policy.conditioned_on(context)


def judge_adapted(
    request: Request, trained: protocol.Recipe, steps: protocol.StepCounts
) -> Iterator[list[Evaluation]]:
    """On the first test tasks, while a copy of the trained weights learns in each: the curve, then its end."""
    config, card = request.settings.adapt, request.card
    tasks = sampling.TaskSet(card.id, "test", sampling.task_set(card, "test")[slice(config.tasks)])
    copies = [copy_for_task(request, trained, tasks, index) for index in range(len(tasks))]
    policies, recipes = zip(*copies, strict=True)
    judged: list[Evaluation] = []
    for adapt_steps in fine_tuning.adapt(recipes, config):
        judged = protocol.meta_test_each(
            policies, card, tasks, request.inputs, request.seed, steps, adapt_steps, request.engine
        )
        if card.world in FINITE_MDPS:
            judged = [
                replace(e, measures=reward_metrics.measured_each(policies, card, tasks, e)) for e in judged
            ]
        yield [replace(evaluation, split="adaptation") for evaluation in judged]
    yield judged
