"""Distributions of task parameters, as a card declares them (key `law`); `metairl.tasks.sampling` samples them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metairl.tasks.maze_text import read_map
from metairl.tasks.metaworld_boxes import NAMES, unknown_skill


class Strict(BaseModel):
    """Base of all schemas: exact types, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Uniform(Strict):
    """Entries are i.i.d. U[low, high)."""

    law: Literal["uniform"]
    low: float
    high: float
    shape: list[int]


class Normal(Strict):
    """Entries are i.i.d. N(mean, std²)."""

    law: Literal["normal"]
    mean: float
    std: float = Field(gt=0)
    shape: list[int]


class Simplex(Strict):
    """Rows (last axis) are i.i.d. Dirichlet(1, …, 1)."""

    law: Literal["simplex"]
    shape: list[int]


Count = Annotated[int, Field(ge=1)]


class Maze(Strict):
    """A random perfect maze of `cells` × `cells` cells, with a start and a goal."""

    law: Literal["maze"]
    cells: Annotated[int, Field(ge=2)]


class Maps(Strict):
    """Mazes listed in the card as text, for each split; see `metairl.tasks.maze_text`."""

    law: Literal["maps"]
    train: list[str]
    validation: list[str]
    test: list[str]

    @model_validator(mode="after")
    def _check_maps(self) -> "Maps":
        first: dict[str, tuple[str, str]] = {}  # map -> the name and split where it first occurs
        sizes = set()
        for split in ("train", "validation", "test"):
            for index, text in enumerate(getattr(self, split)):
                name = f"{split}[{index}]"
                try:
                    sizes.add(len(read_map(text)))
                except ValueError as fault:
                    raise ValueError(f"{name}: {fault}") from None
                earlier, earlier_split = first.setdefault("".join(text.split()), (name, split))
                if earlier_split != split:
                    raise ValueError(f"{name} repeats {earlier}")
        if len(sizes) > 1:
            raise ValueError(f"all maps must have the same size, found {sorted(sizes)}")
        return self


class Power(Strict):
    """Entries are i.i.d. base^u with u ~ U[low, high): log-uniform multipliers."""

    law: Literal["power"]
    base: float = Field(gt=0)
    low: float
    high: float
    shape: list[int]


class Disc(Strict):
    """A point in the plane, uniform on a disc around the origin."""

    law: Literal["disc"]
    radius: float = Field(gt=0)


class Arc(Strict):
    """A point in the plane, uniform on an arc around the origin; angles in units of π."""

    law: Literal["arc"]
    radius: float = Field(gt=0)
    low: float
    high: float


class OneOf(Strict):
    """One of several numbers: uniform in training, in turn in held-out splits."""

    law: Literal["one-of"]
    values: list[float] = Field(min_length=2)


class SkillGoals(Strict):
    """A Meta-World skill and a goal for it; skills take turns. See `metairl.tasks.metaworld_goals`.

    Validation tasks are new goals of the training skills.
    """

    law: Literal["skill-goals"]
    train: list[str] = Field(min_length=1)
    test: list[str] = Field(min_length=1)
    # the inner share of each goal box is for training, the rest for testing
    inner: float | None = Field(default=None, gt=0, lt=1)
    package: int | None = Field(default=None, ge=0)  # goals of the metaworld package, with this seed
    package_next: bool = False  # test goals use the next seed, as in its ML1

    @model_validator(mode="after")
    def _check_skills(self) -> "SkillGoals":
        for name in (*self.train, *self.test):
            if name not in NAMES:
                raise ValueError(unknown_skill(name))
        return self


Distribution = Annotated[
    Uniform | Normal | Simplex | Maze | Maps | Power | Disc | Arc | OneOf | SkillGoals,
    Field(discriminator="law"),
]
