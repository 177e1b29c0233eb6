"""What is asked for, checked before any work starts, and what it is made of: policy, recipe, judgement."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from metairl import __version__
from metairl.agents.agent import Agent, AgentPolicy
from metairl.core.errors import CardError, Incompatible, UsageError
from metairl.core.interfaces import Policy, SetEncoder
from metairl.core.records import Evaluation, RunFolder, made_by
from metairl.core.rng import seed_of, stream
from metairl.core.types import Batch, PolicyInputs, Spec
from metairl.data import demonstrations, exemplified, offline_dataset
from metairl.data.exemplified import SuccessExampleTasks
from metairl.data.hindsight import without_reward
from metairl.data.imitated import DemonstratedTasks
from metairl.data.task_sources import SingleTask, TrainingTasks
from metairl.envs import make
from metairl.envs.engines import Kind, choose
from metairl.evaluation import protocol, reward_metrics
from metairl.methods import build as building
from metairl.methods import registry, requirements
from metairl.methods import settings as tuning
from metairl.rewards.irl.solution import Evaluable, IRLMethod
from metairl.rewards.preferences import task_evidence
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS
from metairl.training import fine_tuning, offline_preferences
from metairl.training.loop import TrainingLoop
from metairl.training.off_policy import OffPolicy
from metairl.training.on_policy import OnPolicy
from metairl.training.preference_queries import TEACHERS


@dataclass(frozen=True)
class Request:
    """What a person asks for; two equal requests are the same run."""

    method: str
    task: str  # full name with settings, "bandit-5-v1:pulls=100"
    encoder: str | None
    seed: int
    steps: int  # training budget; 0 where nothing is trained
    settings: Any  # the method's parts and their Configs
    engine: Kind = "cpu"  # that steps worlds with physics
    judged: Literal["test", "validation"] = "test"  # at its end; a search never meets test tasks

    @property
    def card(self) -> TaskCard:
        return catalogue.task(self.task)

    @property
    def inputs(self) -> PolicyInputs:
        return building.inputs(registry.find(self.method), self.encoder, self.settings)

    @property
    def reads_logs(self) -> bool:
        return registry.find(self.method).support == "logs"

    @property
    def reads_demos(self) -> bool:
        return registry.find(self.method).support == "demos"

    @property
    def compares(self) -> bool:
        """Logs, whose reward only a teacher reads."""
        return isinstance(getattr(self.settings, "recipe", None), offline_preferences.Config)

    @property
    def reads_examples(self) -> bool:
        return registry.find(self.method).support == "goals"

    @property
    def imitates(self) -> bool:
        """From demonstrations alone, without a chart."""
        return registry.find(self.method).imitates

    @property
    def diverse(self) -> str | None:
        """Quality of logs that it reads beside demonstrations."""
        quality: str | None = getattr(getattr(self.settings, "recipe", None), "diverse", None)
        return quality

    @property
    def _diverse_sha256(self) -> str:
        assert self.diverse, "logs beside demonstrations"
        split = "train" if registry.find(self.method).pretrains else "test"
        return offline_dataset.sha256(demonstrations.other_logs(self.card, self.diverse), split)

    @property
    def lives(self) -> bool:
        """Whether it trains in worlds."""
        recipe = registry.find(self.method).recipe
        return recipe is not None and issubclass(recipe[0], (OnPolicy, OffPolicy))

    @property
    def taught(self) -> bool:
        """By demonstrations of other tasks, before."""
        return self.reads_demos and registry.find(self.method).mode == "meta"

    def folder(self, root: Path) -> Path:
        """Where this run stands under a root, so that no two requests share a place by accident."""
        own = registry.find(self.method).encoder
        name = self.method if self.encoder == own else f"{self.method}+{self.encoder}"
        return root / name / self.task.replace(":", "_") / f"seed-{self.seed}"

    def identity(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "encoder": self.encoder,
            "task": self.task,
            "card_sha256": self.card.sha256,
            "seed": self.seed,
            "steps": self.steps,
            "config": json.loads(json.dumps(asdict(self.settings))),
            **({"engine": self.engine} if self.card.simulated else {}),
            **({"judged": self.judged} if self.judged != "test" else {}),
            **({"data_sha256": offline_dataset.sha256(self.card, "train")} if self.reads_logs else {}),
            **({"data_sha256": offline_dataset.sha256(self.card, "test")} if self.reads_demos else {}),
            **({"taught_sha256": offline_dataset.sha256(self.card, "train")} if self.taught else {}),
            **({"diverse_sha256": self._diverse_sha256} if self.diverse else {}),
        }


def request(
    method: str,
    task: str,
    encoder: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    settings: Any = None,
    engine: str = "cpu",
) -> Request:
    """Checks the combination before any work starts and fills in what was tuned for it."""
    chosen = registry.find(method)
    card = catalogue.task(task)
    requirements.check_world(method, chosen, card)
    requirements.check_ends_seen(method, chosen, card)
    requirements.check_logs(method, chosen, card)
    requirements.check_demos(method, chosen, card)
    requirements.check_examples(method, chosen, card)
    requirements.check_goals(method, chosen, card)
    requirements.check_labels(method, chosen, card)
    encoder = requirements.choose_encoder(method, chosen, encoder)
    requirements.check_answers(method, chosen, encoder, card)
    requirements.check_episodes(chosen, encoder, card)
    if steps is not None and steps < 0:
        raise UsageError(f"--steps must be 0 or more, not {steps}")
    kind = choose(engine) if card.simulated else "cpu"
    tuned_steps, tuned_settings = tuning.tuned(method, task, encoder)
    settings = settings or tuned_settings
    requirements.check_counts(settings)
    requirements.check_shaped(settings, card)
    requirements.check_rewards(method, chosen, settings)
    requirements.check_heads(method, chosen, settings, card)
    requirements.check_questions(method, settings, card)
    if steps and chosen.recipe and not chosen.pretrains:
        raise UsageError(f"method '{method}' trains on held-out tasks alone: set --adapt.steps, not --steps")
    budget = (steps if steps is not None else tuned_steps) if chosen.recipe and chosen.pretrains else 0
    within = _within(settings, card.questions) if card.questions else settings
    return Request(method, catalogue.task_name(task), encoder, seed, budget, within, kind)


def _within(settings: Any, questions: int) -> Any:
    """The same with no more questions than that to ask."""
    ask = replace(settings.recipe.ask, labels=questions)
    return replace(settings, recipe=replace(settings.recipe, ask=ask))


def requested(folder: RunFolder) -> Request:
    """The request that a folder was made by."""
    run = folder.description()
    choose(run.get("engine", "cpu"))  # what this machine lacks is no matter of versions
    try:
        return described(run, str(folder.run_file))
    except KeyError as missing:
        fault = f"it says no {missing}"
    except (CardError, UsageError) as unknown:
        fault = str(unknown)
    raise Incompatible(f"{folder.path}: made by {made_by(run)}; this is {__version__}, where {fault}")


def described(run: dict[str, Any], where: str) -> Request:
    """The request that a run.json tells of; settings that its version did not know have their defaults."""
    method, encoder = registry.find(run["method"]), run["encoder"]
    settings = tuning.settings_from(method, encoder, run["config"], where)
    engine, judged = choose(run.get("engine", "cpu")), run.get("judged", "test")
    return Request(run["method"], run["task"], encoder, run["seed"], run["steps"], settings, engine, judged)


def build(asked: Request) -> tuple[Evaluable, protocol.Recipe | None]:
    """The policy to judge and, where there is something to train, the recipe that trains it."""
    chosen, card = registry.find(asked.method), asked.card
    spec = spec_of(card)
    for other in card.transfer:
        if not alike(card, catalogue.task(other), told=False):
            raise CardError(f"task '{card.id}' cannot transfer to '{other}': it sees or does something else")
    if asked.reads_demos and not asked.imitates:
        return _explaining(asked, spec)
    if chosen.recipe is None or asked.encoder is None:
        return building.build_exact(chosen, spec, asked.settings), None
    agent = building.build_agent(chosen, asked.encoder, spec, asked.settings, card, asked.seed)
    recipe = chosen.recipe[0](agent, _source(asked, spec), asked.settings.recipe, asked.seed)
    return _judged(agent, recipe), recipe


def _judged(agent: Agent[Any], recipe: TrainingLoop) -> Policy:
    """As it acts when it matters, with the reward that it recovered where it did."""
    return recipe.with_reward() or agent.policy(explore=False)


def _explaining(asked: Request, spec: Spec) -> tuple[IRLMethod, protocol.Recipe | None]:
    chosen, card = registry.find(asked.method), asked.card
    explainer = building.build_explainer(chosen, spec, asked.settings, asked.seed)
    if chosen.recipe is None:
        return explainer, None
    chart, shown = demonstrations.every(card, spec, "train")
    return explainer, chosen.recipe[0](explainer, chart, shown, asked.settings.recipe, asked.seed)


def _source(
    asked: Request, spec: Spec
) -> TrainingTasks | SuccessExampleTasks | DemonstratedTasks | offline_dataset.OfflineDataset:
    """What there is to learn from before held-out tasks are met."""
    pretrains = registry.find(asked.method).pretrains
    if asked.imitates and asked.lives:
        return demonstrations.imitated(asked.card, spec, asked.engine, asked.seed)
    if asked.imitates:
        demos, split = demonstrations.demonstrated(asked.card, spec, "test", asked.seed), "test"
        if pretrains:
            demos, split = demonstrations.to_learn_from(asked.card, spec, asked.seed), "train"
        return demonstrations.beside(demos, asked.card, spec, split, asked.diverse)
    if asked.reads_logs:
        found = offline_dataset.read(asked.card, spec, "train" if pretrains else "test")
        found = replace(found, comparisons=asked.card.comparisons)
        return without_reward(found, asked.card) if registry.find(asked.method).chooses_goals else found
    if asked.reads_examples:
        return SuccessExampleTasks(asked.card, spec, asked.engine, asked.settings.recipe.tasks, asked.seed)
    return TrainingTasks(asked.card, spec, asked.engine)


def judge(
    asked: Request, policy: Evaluable, split: str, spent: protocol.StepCounts, on: TaskCard | None = None
) -> list[Evaluation]:
    """On a split of the request's own card, or of another one, which the records then name."""
    card = on or asked.card
    tasks = sampling.task_set(card, split)
    told = given_support(asked, policy, card, split)
    judged = protocol.meta_test(told, card, tasks, asked.inputs, asked.seed, spent, asked.engine)
    if card.world in FINITE_MDPS:
        judged = [replace(e, measures=reward_metrics.measured(told, card, tasks, e)) for e in judged]
    return [replace(e, split=f"{card.id}:{split}") for e in judged] if on else judged


def infers_before(asked: Request, policy: Evaluable) -> bool:
    """Whether it acts by what it was given of a task before the trial."""
    told = asked.reads_logs or asked.imitates or asked.reads_examples
    return told and isinstance(policy, AgentPolicy) and isinstance(policy.agent.encoder, SetEncoder)


def given_support(asked: Request, policy: Evaluable, card: TaskCard, split: str) -> Policy:
    """With what it infers of every task of a card's split from its support, the same for every method."""
    if isinstance(policy, IRLMethod):
        requirements.check_demos(asked.method, registry.find(asked.method), card)
        if card.horizon != asked.card.horizon:
            raise UsageError(f"'{asked.method}' plans {asked.card.horizon} steps, not those of '{card.id}'")
        return policy.fit(*demonstrations.shown(card, spec_of(card), split, asked.seed))
    if not infers_before(asked, policy):
        return policy
    assert isinstance(policy, AgentPolicy) and isinstance(policy.agent.encoder, SetEncoder)
    spec, chance = spec_of(card), stream("judge", "support", card.id, split)
    if asked.reads_examples:
        requirements.check_examples(asked.method, registry.find(asked.method), card)
        env = make(card, sampling.task_set(card, split)[:], chance)
        few = exemplified.shown(env, card, chance)[:, : asked.settings.recipe.context]
        return policy.conditioned_on(exemplified.context_for(few, spec))
    if card.data is None:
        raise UsageError(f"'{asked.method}' infers tasks from their logs, and '{card.id}' has none")
    if asked.imitates:
        requirements.check_demos(asked.method, registry.find(asked.method), card)
        found = demonstrations.demonstrated(card, spec, split, asked.seed)
    else:
        found = offline_dataset.read(card, spec, split)
    if asked.compares:
        requirements.check_comparisons(asked.method, card)
        return policy.conditioned_on(_answered(asked, found, card, spec, chance))
    config, every = asked.settings.recipe, torch.arange(len(found))
    return policy.conditioned_on(
        found.some(every, config.context, policy.agent.encoder.reads_in_order, chance)
    )


def _answered(
    asked: Request, found: offline_dataset.OfflineDataset, card: TaskCard, spec: Spec, chance: torch.Generator
) -> Batch:
    """A teacher's answers about logs of every task."""
    assert card.comparisons, "a card that says how many"
    asks, every = asked.settings.recipe.ask, torch.arange(len(found))
    teacher = TEACHERS[type(asks.teacher)](asks.teacher, spec)
    length = min(asks.length, spec.horizon)
    answers = task_evidence.ask(found.replay, card.comparisons, length, teacher, chance)
    return answers.some(every, card.comparisons, chance)


def adapted(
    asked: Request, learned: protocol.Recipe, spent: protocol.StepCounts
) -> Iterator[list[Evaluation]]:
    """On the first test tasks, while copies of what was learned go on learning there: the curve, its end."""
    config, card = asked.settings.adapt, asked.card
    tasks = sampling.TaskSet(card.id, "test", sampling.task_set(card, "test")[slice(config.tasks)])
    policies, recipes = zip(
        *(_copy(asked, learned, tasks, index) for index in range(len(tasks))), strict=True
    )
    judged: list[Evaluation] = []
    for lived in fine_tuning.adapt(recipes, config):
        judged = protocol.meta_test_each(
            policies, card, tasks, asked.inputs, asked.seed, spent, lived, asked.engine
        )
        if card.world in FINITE_MDPS:
            judged = [
                replace(e, measures=reward_metrics.measured_each(policies, card, tasks, e)) for e in judged
            ]
        yield [replace(evaluation, split="adaptation") for evaluation in judged]
    yield judged


def _copy(
    asked: Request, learned: protocol.Recipe, tasks: sampling.TaskSet, index: int
) -> tuple[Policy, TrainingLoop]:
    """What was learned, or fresh weights, with a recipe that goes on in one of the tasks."""
    chosen, card, spec = registry.find(asked.method), asked.card, spec_of(asked.card)
    assert chosen.recipe and asked.encoder
    seed = seed_of("adapt", asked.seed, index)
    agent = building.build_agent(chosen, asked.encoder, spec, asked.settings, card, seed)
    if chosen.pretrains:
        agent.networks.load_state_dict(learned.state()["networks"])
    fine_tuning.hold(agent, asked.settings.adapt.layers)
    source = _alone(asked, spec, tasks, index)
    recipe = (chosen.onwards or chosen.recipe[0])(agent, source, asked.settings.alone, seed)
    return _judged(agent, recipe), recipe


def _alone(
    asked: Request, spec: Spec, tasks: sampling.TaskSet, index: int
) -> SingleTask | DemonstratedTasks | offline_dataset.OfflineDataset:
    """What there is to learn from in one held-out task."""
    if asked.imitates:
        demos = demonstrations.demonstrated(asked.card, spec, "test", asked.seed)
        if asked.lives:
            return DemonstratedTasks(asked.card, spec, asked.engine, tasks.select(index), demos.select(index))
        return demonstrations.beside(demos, asked.card, spec, "test", asked.diverse).select(index)
    if asked.reads_logs:
        return offline_dataset.labelled(asked.card, spec, "test", asked.seed).select(index)
    return SingleTask(asked.card, spec, tasks.select(index), asked.engine)


def alike(card: TaskCard, other: TaskCard, told: bool) -> bool:
    """Whether what is trained on one card can act on the other; what is told the task needs equal ones."""
    here, there = spec_of(card), spec_of(other)
    same = (here.obs, here.actions, here.discrete) == (there.obs, there.actions, there.discrete)
    return same and (here.params == there.params or not told)


def can_act(asked: Request, other: TaskCard) -> bool:
    """Whether what was trained for a request can act on another card."""
    if requirements.has_heads(registry.find(asked.method)) and not requirements.heads_serve(
        asked.card, other
    ):
        return False
    return alike(asked.card, other, asked.inputs.task)


def spec_of(card: TaskCard) -> Spec:
    one = sampling.draw(card, 1, torch.Generator())
    return replace(make(card, one, torch.Generator()).spec, skills=sampling.skills(card))
