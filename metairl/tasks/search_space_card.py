"""What a search may choose settings from: the schema of the cards in benchmarks/search."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metairl.tasks.distributions import Strict

Value = int | float | bool | str | list[int]
DIGITS = 3  # of a drawn number, so that what is printed is what was tried


class Between(Strict):
    """A number from low to high, or with its logarithm even between theirs."""

    law: Literal["uniform", "log-uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Between":
        if not self.low < self.high or (self.law == "log-uniform" and self.low <= 0):
            raise ValueError("'low' must be below 'high', and above 0 for 'log-uniform'")
        return self

    def at(self, share: float) -> Value:
        """Its quantile; shares are in [0, 1)."""
        if self.law == "uniform":
            return _rounded(self.low + (self.high - self.low) * share)
        return _rounded(self.low * (self.high / self.low) ** share)


class OneOf(Strict):
    """One of some values, each as likely."""

    law: Literal["one-of"]
    values: list[Value] = Field(min_length=1)

    def at(self, share: float) -> Value:
        return self.values[int(share * len(self.values))]


Choice = Annotated[Between | OneOf, Field(discriminator="law")]
Choices = dict[str, Choice]


class Space(Strict):
    id: str
    title: str
    methods: list[str] = Field(min_length=1)  # that it is meant for
    learner: Choices = Field(default_factory=dict)
    encoder: Choices = Field(default_factory=dict)
    recipe: Choices = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_a_choice(self) -> "Space":
        if not self.choices:
            raise ValueError(f"space '{self.id}' leaves nothing to choose")
        return self

    @property
    def choices(self) -> dict[tuple[str, str], Between | OneOf]:
        """By part and key."""
        parts = {"learner": self.learner, "encoder": self.encoder, "recipe": self.recipe}
        return {(part, key): choice for part, keys in parts.items() for key, choice in keys.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
