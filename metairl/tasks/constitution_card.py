"""Constitution files: principles to compare two segments by, in words and as features of a segment."""

from typing import Literal

from pydantic import Field, model_validator

from metairl.tasks.distributions import Count, Strict

Trait = Literal["distance", "level", "effort", "jerk"]


class Principle(Strict):
    text: str  # as a language model reads it
    trait: Trait  # the feature, see metairl.rewards.preferences.clip_features
    of: list[int] = Field(default_factory=list)  # indices of the observation
    prefer: Literal["more", "less"]
    weight: float = Field(gt=0)

    @model_validator(mode="after")
    def _names_indices(self) -> "Principle":
        reads_obs = self.trait in ("distance", "level")
        if reads_obs != bool(self.of) or min(self.of, default=0) < 0:
            raise ValueError(
                f"trait '{self.trait}' {'needs' if reads_obs else 'takes no'} 'of', numbers from 0 on"
            )
        return self


class Constitution(Strict):
    id: str
    title: str
    principles: list[Principle] = Field(default_factory=list)

    @model_validator(mode="after")
    def _not_empty(self) -> "Constitution":
        if not self.principles:
            raise ValueError(f"constitution '{self.id}' is empty: a judge needs a principle")
        return self

    @property
    def num_obs(self) -> Count:
        """The fewest numbers that an observation must have."""
        return 1 + max((index for principle in self.principles for index in principle.of), default=-1)

    @property
    def num_params(self) -> Count:
        """The fewest parameters that a task must have."""
        return max((len(p.of) for p in self.principles if p.trait == "distance"), default=0)
