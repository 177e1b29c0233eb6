"""What a method is: a combination, its paper and what it may have from a held-out task."""

from dataclasses import dataclass
from typing import Any, Literal

from metairl.training import goal_conditioned_offline

Part = tuple[Any, Any]  # a class and its Config
Support = Literal["trial", "logs", "demos", "preferences", "goals", "told"]
DEFAULT_STEPS = 2_000_000


@dataclass(frozen=True)
class Method:
    title: str
    paper: str
    learner: Part
    recipe: Part | None = None  # None: nothing is trained
    encoder: str | None = None  # the default one; None: the learner acts on its own
    any_encoder: bool = False  # takes another one too
    encoders: tuple[str, ...] = ()  # takes these too, and no others
    pretrains: bool = True  # learns before it meets a held-out task; False: it begins there
    adapts: Any = None  # the recipe's Config for learning on in a held-out task; None: weights stay still
    onwards: Any = None  # the recipe that learns on there; None: the same
    support: Support = "trial"  # what it may have from a held-out task
    envs: tuple[str, ...] | None = None  # None: any world
    steps: int = DEFAULT_STEPS  # training budget where none was tuned
    sees_task: bool = False  # an exact row that is told the task; a bound, not a learner

    @property
    def imitates(self) -> bool:
        """From demonstrations alone: no chart says what its actions lead to."""
        return self.support == "demos" and self.encoder is not None

    @property
    def chooses_goals(self) -> bool:
        """In hindsight, from logs whose reward it does not read."""
        return self.recipe is not None and issubclass(
            self.recipe[0], goal_conditioned_offline.GoalConditionedOffline
        )

    @property
    def mode(self) -> str:
        if self.support == "demos" and not (self.recipe and self.pretrains):
            return "scratch"
        return "meta" if self.recipe else "exact"
