"""The laws by which a card says how a parameter of its tasks is drawn; `metairl.tasks.sampling` draws."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metairl.core.errors import nearest
from metairl.tasks.maze_text import read_map
from metairl.tasks.metaworld_boxes import NAMES


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Uniform(Strict):
    """Every entry is drawn from U[low, high)."""

    law: Literal["uniform"]
    low: float
    high: float
    shape: list[int]


class Normal(Strict):
    """Every entry is drawn from N(mean, std²)."""

    law: Literal["normal"]
    mean: float
    std: float = Field(gt=0)
    shape: list[int]


class Simplex(Strict):
    """Every row (last axis) is a distribution drawn from Dirichlet(1, …, 1)."""

    law: Literal["simplex"]
    shape: list[int]


Count = Annotated[int, Field(ge=1)]


class Maze(Strict):
    """A perfect maze of `cells` × `cells` cells, with a start and a goal."""

    law: Literal["maze"]
    cells: Annotated[int, Field(ge=2)]


class Maps(Strict):
    """Mazes that the card itself draws, as text, a list a split; see `metairl.tasks.maze_text`."""

    law: Literal["maps"]
    train: list[str]
    validation: list[str]
    test: list[str]

    @model_validator(mode="after")
    def _can_be_walked(self) -> "Maps":
        seen: dict[str, tuple[str, str]] = {}
        sizes = set()
        for split in ("train", "validation", "test"):
            for index, text in enumerate(getattr(self, split)):
                name = f"{split}[{index}]"
                try:
                    sizes.add(len(read_map(text)))
                except ValueError as fault:
                    raise ValueError(f"{name}: {fault}") from None
                elsewhere, where = seen.setdefault("".join(text.split()), (name, split))
                if where != split:
                    raise ValueError(f"{name} is {elsewhere} again")
        if len(sizes) > 1:
            raise ValueError(f"all maps must have one size, not {sorted(sizes)}")
        return self


class Power(Strict):
    """Every entry is base^u, u drawn from U[low, high): a multiplier, as often above 1 as below."""

    law: Literal["power"]
    base: float = Field(gt=0)
    low: float
    high: float
    shape: list[int]


class Disc(Strict):
    """A point in the plane, drawn evenly from a disc around the origin."""

    law: Literal["disc"]
    radius: float = Field(gt=0)


class Arc(Strict):
    """A point in the plane, drawn evenly from a part of a circle around the origin; angles in half turns."""

    law: Literal["arc"]
    radius: float = Field(gt=0)
    low: float
    high: float


class OneOf(Strict):
    """One of a few numbers: drawn in training, in turn in held-out splits."""

    law: Literal["one-of"]
    values: list[float] = Field(min_length=2)


class SkillGoals(Strict):
    """A skill of Meta-World and a goal for it; skills in turn in fixed splits. See `metairl.tasks.metaworld_goals`.

    Validation goals are new ones of the training skills.
    """

    law: Literal["skill-goals"]
    train: list[str] = Field(min_length=1)
    test: list[str] = Field(min_length=1)
    inner: float | None = Field(default=None, gt=0, lt=1)  # the share of a box to train in; tested outside
    package: int | None = Field(default=None, ge=0)  # the package's own goals for this seed, not ours
    package_next: bool = False  # its test goals are those of the seed after, as its ML1 has it

    @model_validator(mode="after")
    def _skills_exist(self) -> "SkillGoals":
        for name in (*self.train, *self.test):
            if name not in NAMES:
                raise ValueError(f"no Meta-World task '{name}'; {nearest(name, NAMES)}")
        return self


Law = Annotated[
    Uniform | Normal | Simplex | Maze | Maps | Power | Disc | Arc | OneOf | SkillGoals,
    Field(discriminator="law"),
]
