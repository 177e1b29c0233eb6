"""What a person asks for: a method in one of its regimes, a task, an encoder, a seed, a budget, settings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from metairl import __version__
from metairl.core.errors import CardError, Incompatible, UsageError
from metairl.core.old_names import renamed_run
from metairl.core.records import RunFolder, made_by
from metairl.core.types import PolicyInputs
from metairl.envs.engines import Kind, choose
from metairl.experiments.problems import PROBLEMS, Online
from metairl.methods import build, registry, requirements
from metairl.methods.method import Method, Regime
from metairl.methods.settings import settings_from, tuned
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard


@dataclass(frozen=True)
class Request:
    """Two equal requests are the same run."""

    method: Method
    task: str  # full name with settings, "bandit-5-v1:pulls=100"
    encoder: str | None
    seed: int
    steps: int  # training budget; 0 where nothing is trained
    settings: Any  # the method's parts and their Configs
    engine: Kind = "cpu"  # that steps MuJoCo environments
    judged: Literal["test", "validation"] = "test"  # at its end; a search never meets test tasks
    variant: Mapping[str, Any] = field(default_factory=dict, compare=False)  # settings that a table row names

    @property
    def card(self) -> TaskCard:
        return catalogue.task(self.task)

    @property
    def problem(self) -> Online:
        return PROBLEMS[self.method.problem]

    @property
    def inputs(self) -> PolicyInputs:
        return build.policy_inputs(self.method, self.encoder, self.settings)

    @property
    def regime(self) -> Regime | None:
        """None where it is the method's default."""
        return None if self.method.regime == next(iter(self.method.regimes)) else self.method.regime

    @property
    def label(self) -> str:
        """The method, with regime and encoder where they are not its own."""
        own = self.encoder == self.method.encoder
        return self.method.label if own else f"{self.method.label}+{self.encoder}"

    def folder(self, root: Path) -> Path:
        """The run's folder under a root, so that no two requests share one by accident."""
        named = "".join(f",{key.rpartition('.')[2]}={value}" for key, value in sorted(self.variant.items()))
        return root / (self.label + named) / self.task.replace(":", "_") / f"seed-{self.seed}"

    def identity(self) -> dict[str, Any]:
        return {
            "method": self.method.name,
            **({"regime": self.regime} if self.regime else {}),
            "encoder": self.encoder,
            "task": self.task,
            "card_sha256": self.card.sha256,
            "seed": self.seed,
            "steps": self.steps,
            "config": json.loads(json.dumps(asdict(self.settings))),
            **({"engine": self.engine} if self.card.simulated else {}),
            **({"judged": self.judged} if self.judged != "test" else {}),
            **self.problem.data(self),
        }


def make_request(
    method: str | Method,
    task: str,
    encoder: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    settings: Any = None,
    engine: str = "cpu",
    regime: Regime | None = None,
) -> Request:
    """Checks the combination before any work starts, and fills in what was tuned for it."""
    method = registry.find(method, regime) if isinstance(method, str) else method
    card = catalogue.task(task)
    requirements.check_env(method, card)
    requirements.check_termination_known(method, card)
    encoder = requirements.choose_encoder(method, encoder)
    requirements.check_data(method, encoder, card)
    requirements.check_goals(method, card)
    requirements.check_labels(method, card)
    requirements.check_episodes(method, encoder, card)
    if steps is not None and steps < 0:
        raise UsageError(f"--steps must be 0 or more, not {steps}")
    engine = choose(engine) if card.simulated else "cpu"
    tuned_steps, tuned_settings = tuned(method, task, encoder)
    settings = settings or tuned_settings
    requirements.check_counts(settings)
    requirements.check_shaped(settings, card)
    requirements.check_rewards(method, settings)
    requirements.check_heads(method, settings, card)
    requirements.check_questions(method, settings, card)
    trains = method.recipe is not None and method.pretrains
    if steps and method.recipe and not trains:
        raise UsageError(
            f"'{method.label}' is trained on held-out tasks alone: set --adapt.steps, not --steps"
        )
    budget = (tuned_steps if steps is None else steps) if trains else 0
    if card.questions:
        settings = _with_questions(settings, card.questions)
    return Request(method, catalogue.task_name(task), encoder, seed, budget, settings, engine)


def _with_questions(settings: Any, questions: int) -> Any:
    """The same with so many questions to ask."""
    queries = replace(settings.recipe.queries, labels=questions)
    return replace(settings, recipe=replace(settings.recipe, queries=queries))


def read_request(folder: RunFolder) -> Request:
    """The request that a run folder was made by."""
    run = folder.description()
    choose(run.get("engine", "cpu"))  # what this machine lacks is no matter of versions
    try:
        return from_run(run, str(folder.run_file))
    except KeyError as missing:
        fault = f"it has no {missing}"
    except (CardError, UsageError) as unknown:
        fault = str(unknown)
    raise Incompatible(f"{folder.path}: made by {made_by(run)}; this is {__version__}, where {fault}")


def from_run(run: dict[str, Any], where: str) -> Request:
    """The request in a run.json; settings that its version did not have get their defaults."""
    run = renamed_run(run)
    method, encoder = registry.find(run["method"], run.get("regime")), run["encoder"]
    settings = settings_from(method, encoder, run["config"], where)
    engine, judged = choose(run.get("engine", "cpu")), run.get("judged", "test")
    return Request(method, run["task"], encoder, run["seed"], run["steps"], settings, engine, judged)
