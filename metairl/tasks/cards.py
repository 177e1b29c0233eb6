"""Schemas of the cards, the TOML files in tasks/ and benchmarks/, and their reader.

Parsing is strict. An unknown key, a wrong type or a missing key is an error of one line that names the file,
the key and the closest valid name.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from metairl.core.errors import CardError, nearest
from metairl.tasks.distributions import Count, Distribution, Maps, SkillGoals, Strict


class Physics(Strict):
    """A MuJoCo body and the terms of its reward; see `metairl.envs.locomotion`."""

    body: str
    xml: str | None = None  # another model of the body: a path, or the name of a file of Gymnasium
    aim: str  # kind of goal; the task parameter of this name is its target
    progress: float = 1.0  # weight of the goal's reward
    alive: float = 0.0  # reward per step while healthy
    control: float = 0.0  # weight of the control cost |u|²
    contact: float = 0.0  # weight of the squared contact forces
    contact_limit: float = 1e9  # upper bound of the contact cost
    falls: bool = False  # whether the episode terminates when the body is unhealthy
    sees_place: bool = False  # whether the position is part of the observation
    # factors of model fields, "body_mass" for all bodies or "body_mass:torso" for one
    scale: dict[str, float] = Field(default_factory=dict)


class Arm(Strict):
    """Meta-World's robot; see `metairl.envs.metaworld`."""

    sees_goal: bool  # whether the goal is part of the observation


class Split(Strict):
    """Number of tasks in each split; "endless" samples new training tasks for every trial."""

    train: Literal["endless"] | Count
    validation: Count  # held-out tasks of the training distribution, for learning curves and tuning
    test: Count  # evaluated once, after training


class Score(Strict):
    """Reference returns of the normalised score: `random` scores 0 and `expert` scores 1."""

    unit: Literal["step", "episode"]  # whether the reference returns are per step or per episode
    random: float
    expert: float
    expert_method: str  # the method whose return `expert` is
    source: str  # of the two numbers


# how much supervision of a task a method gets
SupportSize = Literal["demos", "examples", "comparisons", "labels", "questions"]
Setting = Literal["horizon", "episodes", "skill", "goals", "data"] | SupportSize
SUPPORT_SIZES: tuple[SupportSize, ...] = get_args(SupportSize)
OPTIONAL_IN_HASH = (
    "physics",
    "arm",
    "data",
    *SUPPORT_SIZES,
)  # newer than some records; not hashed while None


class TaskCard(Strict):
    """A task distribution: an env, how its parameters are sampled, and how it is scored."""

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
    parameters: dict[str, Distribution]
    split: Split
    score: Score | None = None  # None: no expert return is known
    physics: Physics | None = None  # for MuJoCo bodies
    arm: Arm | None = None  # for Meta-World
    data: str | None = None  # quality of the tasks' offline dataset; None: no dataset
    demos: Count | None = None  # demonstrations per held-out task; None: not given
    examples: Count | None = None  # success examples per task; None: not given
    comparisons: Count | None = None  # preference labels that a task is inferred from; None: not given
    questions: Count | None = None  # budget of preference queries on training tasks; None: the method's
    labels: Count | None = None  # transitions of a held-out task's data that have a reward label; None: all
    same_tasks: bool = (
        False  # training and held-out tasks are the same by design, as in multi-task benchmarks
    )
    # other cards on whose test tasks a trained run is evaluated too
    transfer: list[str] = Field(default_factory=list)
    notes: str = ""

    @model_validator(mode="after")
    def _check_map_counts(self) -> "TaskCard":
        for name, listed in self.parameters.items():
            if not isinstance(listed, Maps):
                continue
            for split, count in self.split.model_dump().items():
                maps = len(getattr(listed, split))
                if count != maps:
                    raise ValueError(f"split.{split} is {count}, but '{name}' has {maps} maps for it")
        return self

    @model_validator(mode="after")
    def _check_sections(self) -> "TaskCard":
        needs = {"locomotion": "physics", "meta-world": "arm"}.get(self.world)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"world '{self.world}' needs a section [{needs}]")
        has_skills = isinstance(self.parameters.get("goal"), SkillGoals)
        for name, field in self.settable.items():
            if field in ("skill", "goals") and not has_skills:
                raise ValueError(f"setting '{name}' needs a parameter 'goal' with law = \"skill-goals\"")
        return self

    @property
    def steps(self) -> int:
        """Steps of a trial."""
        return self.horizon * self.episodes

    @property
    def sha256(self) -> str:
        """Hash of everything that determines returns, and of nothing else."""
        irrelevant = {"title", "source", "tags", "notes", "settable", "score", "transfer", "same_tasks"}
        content = self.model_dump(exclude=irrelevant)
        absent = {part for part in OPTIONAL_IN_HASH if content[part] is None}
        return digest({key: value for key, value in content.items() if key not in absent})

    @property
    def simulated(self) -> bool:
        """Whether MuJoCo simulates it."""
        return self.physics is not None or self.arm is not None

    @property
    def skill_goals(self) -> SkillGoals:
        goal = self.parameters.get("goal")
        if not isinstance(goal, SkillGoals):
            raise ValueError(f"task '{self.id}' has no skills")
        return goal

    @property
    def skill(self) -> str:
        """The value of the setting 'skill', for cards of one skill."""
        return self.skill_goals.train[0]

    @property
    def goals(self) -> str:
        """The value of the setting 'goals'."""
        seed = self.skill_goals.package
        return "ours" if seed is None else f"package-{seed}"

    def normalised(self, total: float, episodes: int) -> float | None:
        """The normalised score of so many episodes with this sum of returns; None without reference returns."""
        if self.score is None:
            return None
        units = episodes * (self.horizon if self.score.unit == "step" else 1)
        return (total / units - self.score.random) / (self.score.expert - self.score.random)


Metric = Literal[
    "return",
    "score",  # the normalised return in per cent
    "length",
    "successful-length",  # of successful episodes only
    "success",  # in per cent
    "value-difference",  # this and the next five: see metairl.evaluation.reward_metrics
    "in-wind",
    "agreement",
    "correlation",
    "epic",
    "starc",
    "area",  # this and the rest: see metairl.evaluation.adaptation_curves
    "jump-start",
    "steps-to-threshold",
    "forward-transfer",
]


class Column(Strict):
    """A column of a table or leaderboard: a task, and a metric on it."""

    name: str
    task: str  # "bandit-5:pulls=10"
    trained_on: str | None = None  # the task that runs were trained on, if it is another
    episode: Count | None = None  # None: the whole trial
    judged: Count | None = None  # number of tasks that published figures are averages over
    metric: Metric | None = None  # None: the table's
    skill: str | None = None  # only the tasks of this skill, of cards with several
    threshold: float | None = None  # the return to reach, for steps-to-threshold
    top: float | None = None  # the highest possible return, for forward-transfer


class Published(Strict):
    """A row of published figures."""

    source: str
    cells: dict[str, float]  # by column; columns without a published figure are absent
    notes: list[str] = Field(default_factory=list)  # keys of footnotes about these cells


class Row(Strict):
    """A row of a table: a method with its settings, or published figures, or both."""

    name: str
    method: str | None = None  # None: published figures only
    regime: Literal["meta", "scratch", "fine-tune"] | None = None  # None: the method's default
    encoder: str | None = None
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict
    )  # part -> key -> value; override tuned ones
    steps: dict[str, int] = Field(default_factory=dict)  # budget by column, where not the tuned one
    seeds: Count = 1
    columns: list[str] | None = None  # columns that it is run for; None: all
    notes: list[str] = Field(default_factory=list)  # keys of footnotes about the measured cells
    published: Published | None = None

    @property
    def flat_settings(self) -> dict[str, Any]:
        """Settings by full name, such as recipe.queries.selection."""
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
    """A table of results, beside those of a paper."""

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
    def _check_metric_numbers(self) -> "TableCard":
        for column in self.columns:
            metric = column.metric or self.metric
            needs = {"steps-to-threshold": "threshold", "forward-transfer": "top"}.get(metric)
            if needs and getattr(column, needs) is None:
                raise ValueError(f"column '{column.name}' needs '{needs}'")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> "TableCard":
        columns = {column.name for column in self.columns}
        for row in self.rows:
            printed = row.published or Published(source="", cells={})
            for name in [*(row.columns or ()), *printed.cells]:
                if name not in columns:
                    raise ValueError(
                        f"row '{row.name}' has a cell for unknown column '{name}'; {nearest(name, columns)}"
                    )
            for note in [*row.notes, *printed.notes]:
                if note not in self.footnotes:
                    hint = nearest(note, self.footnotes)
                    raise ValueError(f"row '{row.name}' has an unknown footnote '{note}'; {hint}")
        return self


class BoardCard(Strict):
    """A leaderboard. Results are comparable only under the same version of its rules."""

    id: str
    title: str
    rules: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    support: str
    metric: Metric  # score or success, from 0 to 100
    columns: list[Column] = Field(min_length=1)
    seeds: Count = 3  # seeds that a confidence interval needs
    max_steps: Count | None = None  # training budget; None: unlimited, but displayed
    notes: str = ""

    @model_validator(mode="after")
    def _check_unique_columns(self) -> "BoardCard":
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two columns are named '{name}'")
        return self


Card = TypeVar("Card", bound=BaseModel)


def read(path: Path, schema: type[Card]) -> Card:
    """Reads and validates a card; the error is one line about its first problem."""
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
    """One line about the first error; unknown keys go first, since a misspelt key is also a missing one."""
    unknown_first = sorted(fault.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    error = unknown_first[0]
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
    """Valid keys of the nested model at an error's location."""
    for part in location:
        if isinstance(part, int):
            continue
        models = [model for model in _models_of(schema, part) if model is not None]
        schema = models[0] if models else schema
    return list(schema.model_fields) if isinstance(schema, type) and issubclass(schema, BaseModel) else []


def _models_of(schema: Any, part: str) -> list[Any]:
    """Models in the annotation of a field, inside lists, dicts and unions too."""
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
