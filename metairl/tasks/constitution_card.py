"""What a constitution may say: principles to compare two clips by, in words and as traits of a clip."""

from typing import Literal

from pydantic import Field, model_validator

from metairl.tasks.distributions import Count, Strict

Trait = Literal["distance", "level", "effort", "jerk"]


class Principle(Strict):
    text: str  # as a judge that reads is told it
    trait: Trait  # what is measured of a clip: see metairl.rewards.preferences.clip_features
    of: list[int] = Field(default_factory=list)  # which numbers of what is seen
    prefer: Literal["more", "less"]
    weight: float = Field(gt=0)

    @model_validator(mode="after")
    def _says_of_what(self) -> "Principle":
        seen = self.trait in ("distance", "level")
        if seen != bool(self.of) or min(self.of, default=0) < 0:
            raise ValueError(
                f"trait '{self.trait}' {'needs' if seen else 'takes no'} 'of', numbers from 0 on"
            )
        return self


class Constitution(Strict):
    id: str
    title: str
    principles: list[Principle] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_any(self) -> "Constitution":
        if not self.principles:
            raise ValueError(f"constitution '{self.id}' is empty: a judge needs a principle")
        return self

    @property
    def sees(self) -> Count:
        """How many numbers an observation needs."""
        return 1 + max((index for principle in self.principles for index in principle.of), default=-1)

    @property
    def told(self) -> Count:
        """How many numbers a task needs."""
        return max((len(p.of) for p in self.principles if p.trait == "distance"), default=0)
