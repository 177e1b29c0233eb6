"""What a method is: an algorithm, its paper, its parts, and what it may have from a held-out task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from metairl.core.errors import UsageError
from metairl.core.types import Part

Support = Literal["trial", "logs", "demos", "preferences", "goals", "task"]
Problem = Literal[  # what a method learns from, and how it is judged: experiments/problems.py
    "exact",
    "online",
    "offline",
    "offline-goals",
    "offline-preferences",
    "imitation",
    "online-imitation",
    "known-dynamics",
    "examples",
]
Regime = Literal["meta", "scratch", "fine-tune"]
REGIMES: tuple[Regime, ...] = get_args(Regime)
DEFAULT_STEPS = 2_000_000

BANDIT, TABULAR, GRID, MAZE, TOKENS = ("bandit",), ("tabular",), ("maze-grid",), ("maze",), ("tokens",)
FINITE_MDP = ("random-mdp", "gridworld", "objectworld", "binaryworld")
DISCRETE = ("cart-pole", "acrobot", "lander", *TOKENS, *TABULAR, *FINITE_MDP)
POINT, ARM = ("point", "point-sparse"), ("meta-world",)
WITH_GOALS = (*POINT, "point-maze")
CONTINUOUS = (*WITH_GOALS, "locomotion", *ARM)


@dataclass(frozen=True)
class Method:
    """As it is used in one regime:

    meta        trained on training tasks; at meta-test its weights stay as they are
    scratch     trained in each held-out task alone, on that task's support
    fine-tune   trained on training tasks, then further in each held-out task
    """

    title: str
    paper: str
    learner: Part  # or a planner, a rule, a known-dynamics IRL algorithm
    recipe: Part | None = None  # the training loop; None: nothing is trained
    encoder: str | None = None  # the default one; None: the learner acts on its own
    any_encoder: bool = False  # works with every other encoder too
    encoders: tuple[str, ...] = ()  # works with these, and no others
    problem: Problem = "exact"
    support: Support = "trial"  # what it may have from a held-out task
    envs: tuple[str, ...] | None = None  # the kinds it runs on; None: all
    steps: int = DEFAULT_STEPS  # training budget where none was tuned
    sees_task: bool = False  # an exact method that is given the task's parameters: a bound, not a learner
    pretrains: bool = True  # trained on training tasks before it meets a held-out one
    adapt: Part | None = None  # the training loop in a held-out task; None: weights stay as they are
    regimes: Mapping[Regime, Mapping[str, Any]] = field(  # the first is the default; what each changes here
        default_factory=lambda: {"meta": {}}, compare=False
    )
    regime: Regime = "meta"
    name: str = ""

    def under(self, regime: Regime | None) -> "Method":
        """The method in one of its regimes, by default its first."""
        chosen: Regime = next(iter(self.regimes)) if regime is None else regime
        if chosen not in self.regimes:
            known = " and ".join(f"'{name}'" for name in self.regimes)
            raise UsageError(f"method '{self.name}' has no regime '{chosen}'; it has {known}")
        return replace(self, regime=chosen, **self.regimes[chosen])

    @property
    def label(self) -> str:
        """Its name, with the regime where that is not its default one."""
        return self.name if self.regime == next(iter(self.regimes)) else f"{self.name}-{self.regime}"
