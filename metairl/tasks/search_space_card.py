"""Search spaces of hyperparameters: the schema of the cards in benchmarks/search."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metairl.tasks.distributions import Strict

Value = int | float | bool | str | list[int]
DIGITS = 3  # significant digits of a sampled number, so that it is printed exactly


class Between(Strict):
    """A number between low and high, uniform or log-uniform."""

    law: Literal["uniform", "log-uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> "Between":
        if not self.low < self.high or (self.law == "log-uniform" and self.low <= 0):
            raise ValueError("'low' must be below 'high', and above 0 for 'log-uniform'")
        return self

    def at(self, share: float) -> Value:
        """The quantile at a share in [0, 1)."""
        if self.law == "uniform":
            return _rounded(self.low + (self.high - self.low) * share)
        return _rounded(self.low * (self.high / self.low) ** share)


class OneOf(Strict):
    """One of several values, uniform."""

    law: Literal["one-of"]
    values: list[Value] = Field(min_length=1)

    def at(self, share: float) -> Value:
        """The quantile at a share in [0, 1)."""
        return self.values[int(share * len(self.values))]


Choice = Annotated[Between | OneOf, Field(discriminator="law")]
Choices = dict[str, Choice]


class Space(Strict):
    """The settings that a search varies, by part of a method."""

    id: str
    title: str
    methods: list[str] = Field(min_length=1)  # that the space is meant for
    learner: Choices = Field(default_factory=dict)
    encoder: Choices = Field(default_factory=dict)
    recipe: Choices = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_not_empty(self) -> "Space":
        if not self.choices:
            raise ValueError(f"space '{self.id}' has no settings to search")
        return self

    @property
    def choices(self) -> dict[tuple[str, str], Between | OneOf]:
        """All settings by (part, key)."""
        parts = {"learner": self.learner, "encoder": self.encoder, "recipe": self.recipe}
        return {(part, key): choice for part, keys in parts.items() for key, choice in keys.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
