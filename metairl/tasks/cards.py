"""What a card may say: the schemas of the TOML files in tasks/ and benchmarks/, and how they are read.

A card is data that outlives the code that reads it, so nothing is guessed: an unknown key, a wrong type
or a missing split is one line that names the file, the key and the nearest valid name.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from metairl.core.errors import CardError, nearest
from metairl.tasks.distributions import Count, Law, Maps, SkillGoals, Strict


class Physics(Strict):
    """A MuJoCo body and what its reward is made of; see `metairl.envs.locomotion`."""

    body: str
    xml: str | None = None  # another model of that body: its path, or its name among Gymnasium's
    aim: str  # its target is the task parameter of this name
    progress: float = 1.0  # weight of the aim
    alive: float = 0.0  # reward of being healthy
    control: float = 0.0  # cost of |u|²
    contact: float = 0.0  # cost of squared contact forces
    contact_limit: float = 1e9  # what that cost never exceeds
    falls: bool = False  # an episode ends when the body is not healthy
    sees_place: bool = False  # where it is, is part of what it sees
    scale: dict[str, float] = Field(
        default_factory=dict
    )  # fields of the model, "body_mass" or "body_mass:torso", times a number


class Arm(Strict):
    """Meta-World's robot; see `metairl.envs.metaworld`."""

    sees_goal: bool  # else it has to find out


class Split(Strict):
    """How many tasks each split holds; "endless" draws new training tasks for every trial."""

    train: Literal["endless"] | Count
    validation: Count  # held-out tasks of the training distribution: for curves and tuning
    test: Count  # judged once, at the end


class Score(Strict):
    """Reference returns that normalise a score: `random` becomes 0 and `expert` becomes 1."""

    unit: Literal["step", "episode"]  # what one reference return is the return of
    random: float
    expert: float
    expert_method: str  # the method whose measured return `expert` is
    source: str  # where the two numbers come from


SupportSize = Literal[
    "demos", "examples", "comparisons", "labels", "questions"
]  # how much support methods get
Setting = Literal["horizon", "episodes", "skill", "goals", "data"] | SupportSize
SUPPORT_SIZES: tuple[SupportSize, ...] = get_args(SupportSize)
OPTIONAL_IN_HASH = ("physics", "arm", "data", *SUPPORT_SIZES)  # than some records


class TaskCard(Strict):
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*-v[0-9]+$")
    title: str
    world: str
    horizon: Count
    episodes: Count
    objective: Literal["trial", "episode"]
    reports_success: bool
    source: str
    tags: list[str]
    settable: dict[str, Setting] = Field(default_factory=dict)
    parameters: dict[str, Law]
    split: Split
    score: Score | None = None  # None: no expert is known yet
    physics: Physics | None = None  # of bodies that MuJoCo steps
    arm: Arm | None = None  # of Meta-World, which MuJoCo steps too
    data: str | None = None  # quality of the logs that come with its tasks; None: there are none
    demos: Count | None = None  # demonstrations of a held-out task; None: not set
    examples: Count | None = None  # success states of a task; None: not set
    comparisons: Count | None = None  # answers about its logs that a task is inferred from; None: not said
    questions: Count | None = None  # that may be asked about training tasks; None: as the method says
    labels: Count | None = None  # transitions of a held-out task's logs that tell their reward; None: all
    same_tasks: bool = False  # training and held-out tasks are the same by definition: no test of transfer
    transfer: list[str] = Field(
        default_factory=list
    )  # other cards whose test tasks a trained run is judged on too
    notes: str = ""

    @model_validator(mode="after")
    def _counts_its_maps(self) -> "TaskCard":
        for name, law in self.parameters.items():
            for split, count in self.split.model_dump().items() if isinstance(law, Maps) else ():
                if count != len(getattr(law, split)):
                    raise ValueError(
                        f"split.{split} is {count}, but '{name}' has {len(getattr(law, split))} maps for it"
                    )
        return self

    @model_validator(mode="after")
    def _has_what_its_world_needs(self) -> "TaskCard":
        needs = {"locomotion": "physics", "meta-world": "arm"}.get(self.world)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"a {self.world} world needs a section [{needs}]")
        skilled = isinstance(self.parameters.get("goal"), SkillGoals)
        for name, field in self.settable.items():
            if field in ("skill", "goals") and not skilled:
                raise ValueError(f"setting '{name}' is for cards whose 'goal' is of the law skill-goals")
        return self

    @property
    def steps(self) -> int:
        return self.horizon * self.episodes

    @property
    def sha256(self) -> str:
        """Of everything that decides a return, and of nothing else."""
        words = {"title", "source", "tags", "notes", "settable", "score", "transfer", "same_tasks"}
        content = self.model_dump(exclude=words)
        absent = {part for part in OPTIONAL_IN_HASH if content[part] is None}
        return digest({key: value for key, value in content.items() if key not in absent})

    @property
    def simulated(self) -> bool:
        """Whether an engine steps it."""
        return self.physics is not None or self.arm is not None

    @property
    def skill_goals(self) -> SkillGoals:
        law = self.parameters.get("goal")
        if not isinstance(law, SkillGoals):
            raise ValueError(f"task '{self.id}' has no skills")
        return law

    @property
    def skill(self) -> str:
        """Of cards with one, its name, as a setting says it."""
        return self.skill_goals.train[0]

    @property
    def goals(self) -> str:
        """Whose goals these are, as a setting says it."""
        seed = self.skill_goals.package
        return "ours" if seed is None else f"package-{seed}"

    def normalised(self, total: float, episodes: int) -> float | None:
        """The score of `episodes` episodes whose returns add up to `total`."""
        if self.score is None:
            return None
        units = episodes * (self.horizon if self.score.unit == "step" else 1)
        return (total / units - self.score.random) / (self.score.expert - self.score.random)


Metric = Literal[
    "return",
    "score",  # of the return: 0 random, 100 the card's expert
    "length",
    "successful-length",  # of episodes that reached the goal
    "success",  # in per cent
    "value-difference",  # this and what follows: see metairl.evaluation.reward_metrics
    "in-wind",
    "agreement",
    "correlation",
    "epic",
    "starc",
    "area",  # this and what follows: see metairl.evaluation.adaptation_curves
    "jump-start",
    "steps-to-threshold",
    "forward-transfer",
]


class Column(Strict):
    name: str
    task: str  # "bandit-5:pulls=10"
    trained_on: str | None = None  # the task whose runs were judged on this one too; None: on itself
    episode: Count | None = None  # None: the whole trial
    judged: Count | None = None  # tasks that the published figures were averaged over
    metric: Metric | None = None  # None: the table's
    skill: str | None = None  # of cards with several: the only one whose tasks it is about
    threshold: float | None = None  # of steps-to-threshold: the return to come to
    top: float | None = None  # of forward-transfer: the return that leaves nothing to gain


class Published(Strict):
    """One printed row: where it was printed, and a cell a column (omitted where none was printed)."""

    source: str
    cells: dict[str, float]
    notes: list[str] = Field(default_factory=list)  # keys of the table's footnotes


class Row(Strict):
    name: str
    method: str | None = None  # None: printed by others, not run here
    regime: Literal["meta", "scratch", "fine-tune"] | None = None  # None: the method's default
    encoder: str | None = None
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)  # part -> key -> value, over tuned ones
    steps: dict[str, int] = Field(default_factory=dict)  # budgets that differ from the tuned one, by column
    seeds: Count = 1
    columns: list[str] | None = None  # the only columns it can fill; None: all
    notes: list[str] = Field(default_factory=list)  # keys of footnotes about our cells
    published: Published | None = None

    @property
    def flat_settings(self) -> dict[str, Any]:
        """By their full names: recipe.queries.selection."""
        return dict(_leaves(self.settings))

    def fills(self, column: Column) -> bool:
        return self.method is not None and (self.columns is None or column.name in self.columns)


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


class TableCard(Strict):
    id: str
    title: str
    paper: str
    metric: Metric
    protocol: str
    budget: str
    columns: list[Column]
    rows: list[Row]
    footnotes: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _metrics_have_their_numbers(self) -> "TableCard":
        for column in self.columns:
            metric = column.metric or self.metric
            needs = {"steps-to-threshold": "threshold", "forward-transfer": "top"}.get(metric)
            if needs and getattr(column, needs) is None:
                raise ValueError(f"column '{column.name}' needs '{needs}'")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "TableCard":
        columns = {column.name for column in self.columns}
        for row in self.rows:
            printed = row.published or Published(source="", cells={})
            for name in [*(row.columns or ()), *printed.cells]:
                if name not in columns:
                    raise ValueError(f"row '{row.name}' has a cell for '{name}'; {nearest(name, columns)}")
            for note in [*row.notes, *printed.notes]:
                if note not in self.footnotes:
                    hint = nearest(note, self.footnotes)
                    raise ValueError(f"row '{row.name}' names footnote '{note}'; {hint}")
        return self


class BoardCard(Strict):
    """A leaderboard. Results compare only inside one version of its rules."""

    id: str
    title: str
    rules: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    support: str
    metric: Metric  # from 0 to 100: scores and success
    columns: list[Column] = Field(min_length=1)
    seeds: Count = 3  # a row with fewer in a column has no interval there
    max_steps: Count | None = None  # training budget of any run; None: reported, not bounded
    notes: str = ""

    @model_validator(mode="after")
    def _columns_differ(self) -> "BoardCard":
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two columns are named '{name}'")
        return self


Card = TypeVar("Card", bound=BaseModel)


def read(path: Path, schema: type[Card]) -> Card:
    """The card in a file, or one line about the first thing that is wrong with it."""
    try:
        return schema.model_validate(read_toml(path))
    except ValidationError as fault:
        raise CardError(f"{path}: {_explain(fault, schema)}") from None


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise CardError(f"{path}: cannot read ({fault.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise CardError(f"{path}: not valid TOML ({fault})") from None


def digest(content: Any) -> str:
    """SHA-256 of the canonical JSON of a card or configuration."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _explain(fault: ValidationError, schema: type[BaseModel]) -> str:
    unknown_first = sorted(fault.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    error = unknown_first[0]  # a misspelt key also leaves its right name missing
    key = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            known = _keys_at(schema, error["loc"][:-1])
            return f"unknown key '{key}'; {nearest(str(error['loc'][-1]), known)}"
        case "missing":
            return f"missing key '{key}'"
        case "union_tag_invalid":
            known = str(error["ctx"]["expected_tags"]).replace("'", "").split(", ")
            kind, tag = str(error["ctx"]["discriminator"]).strip("'"), str(error["ctx"]["tag"])
            return f"'{key}': unknown {kind} '{tag}'; {nearest(tag, known)}"
        case _:
            where = f"'{key}': " if key else ""
            return f"{where}{error['msg'].removeprefix('Value error, ')} (found {_short(error['input'])})"


def _keys_at(schema: Any, location: Iterable[int | str]) -> list[str]:
    """The valid keys of the (nested) model that an error's location points into."""
    for part in location:
        if isinstance(part, int):
            continue
        models = [model for model in _models_of(schema, part) if model is not None]
        schema = models[0] if models else schema
    return list(schema.model_fields) if isinstance(schema, type) and issubclass(schema, BaseModel) else []


def _models_of(schema: Any, part: str) -> list[Any]:
    """Models reachable from a field, through lists, dicts, unions and their tags."""
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return []
    field = schema.model_fields.get(part)
    pending: list[Any] = [field.annotation] if field else []
    found: list[Any] = []
    while pending:
        kind = pending.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        pending += list(getattr(kind, "__args__", ()))
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
