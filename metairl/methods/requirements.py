"""Checks that method, encoder, settings and task go together; each error names a combination that works."""

from dataclasses import fields, is_dataclass
from typing import Any

from metairl.agents.encoders import ENCODERS
from metairl.core.errors import UsageError, nearest
from metairl.core.old_names import OLD_ENCODERS
from metairl.envs.goal_spec import goal_of
from metairl.envs.termination import ends_unseen
from metairl.methods.method import Method
from metairl.methods.registry import METHODS
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard
from metairl.training.offline import Offline

SHAPED = ("point-sparse",)  # environments with a denser reward beside the true one
SUGGESTED = 6  # methods that an error names


def choose_encoder(method: Method, asked: str | None) -> str | None:
    """The encoder to use: the one asked for, else the method's own."""
    if asked is None:
        return method.encoder
    if method.encoder is None:
        raise UsageError(f"method '{method.name}' uses no encoder; leave out --encoder {asked}")
    if asked in OLD_ENCODERS:
        name, settings = OLD_ENCODERS[asked]
        flags = " ".join(f"--encoder.{key} {value}" for key, value in settings.items())
        raise UsageError(f"encoder '{asked}' is now: --encoder {name} {flags}")
    if asked not in ENCODERS:
        raise UsageError(f"no encoder '{asked}'; {nearest(asked, ENCODERS)}")
    if method.encoders and asked not in method.encoders:
        known = " and ".join(f"'{encoder}'" for encoder in method.encoders)
        raise UsageError(f"method '{method.name}' works with the encoders {known}, not with '{asked}'")
    if asked != method.encoder and not method.any_encoder and not method.encoders:
        raise UsageError(
            f"method '{method.label}' always uses encoder '{method.encoder}'; to use encoder '{asked}', "
            f"choose {_with_any_encoder(method.support)}"
        )
    return asked


def _with_any_encoder(support: str) -> str:
    """Methods that may have as much from a held-out task."""
    able = [name for name, other in METHODS.items() if other.any_encoder and other.support == support]
    return f"method {' or '.join(able)}" if able else "another method"


def check_env(method: Method, card: TaskCard) -> None:
    if method.envs and card.world not in method.envs:
        others = [name for name, other in METHODS.items() if not other.envs or card.world in other.envs]
        raise UsageError(
            f"method '{method.name}' does not run on {card.world} tasks such as '{card.id}'; "
            f"try {', '.join(others[:SUGGESTED])} (all: metairl list methods --task {card.id})"
        )


def check_data(method: Method, encoder: str | None, card: TaskCard) -> None:
    """That the card says how much of the data that the method learns from there is."""
    check_demos(method, card)
    check_examples(method, card)
    if method.support == "logs" and card.data is None:
        if "data" not in card.settable:
            raise UsageError(f"method '{method.name}' learns from logs, and '{card.id}' has none")
        raise UsageError(f"method '{method.name}' learns from logs; say which: {card.id}:data=replay")
    if method.problem == "offline-preferences" and encoder and ENCODERS[encoder].cls.context_kind != "step":
        check_comparisons(method, card)


def check_demos(method: Method, card: TaskCard) -> None:
    if method.support == "demos" and card.demos is None:
        raise UsageError(
            f"method '{method.name}' learns from demonstrations; "
            f"say which, and how many: {card.id}:data=expert,demos=8"
        )


def check_examples(method: Method, card: TaskCard) -> None:
    if method.support == "goals" and card.examples is None:
        raise UsageError(
            f"method '{method.name}' learns from examples of success; say how many: {card.id}:examples=20"
        )


def check_comparisons(method: Method, card: TaskCard) -> None:
    if card.comparisons is None:
        raise UsageError(
            f"method '{method.name}' infers tasks from comparisons of their logs; "
            f"say how many: {card.id}:data=replay,comparisons=10"
        )


def check_goals(method: Method, card: TaskCard) -> None:
    """Goals are relabelled in logs, so they have to be part of what is observed."""
    if method.problem == "offline-goals" and goal_of(card) is None:
        known = ", ".join(other for other in catalogue.task_ids() if goal_of(catalogue.task(other)))
        raise UsageError(
            f"method '{method.name}' reaches goals, and observations of '{card.id}' do not contain its goal; "
            f"those of {known} do"
        )


def check_labels(method: Method, card: TaskCard) -> None:
    """Labelled transitions are what a method learns further from in a held-out task."""
    learns = method.adapt is not None and method.adapt.cls is Offline and method.support == "logs"
    if card.labels is not None and not learns:
        raise UsageError(
            f"labels={card.labels} limits the labelled logs of a held-out task, which '{method.label}' does "
            "not train on; iql --regime scratch and gc-iql --regime fine-tune do"
        )


def check_rewards(method: Method, settings: Any) -> None:
    """Without rewards, a posterior that leaves out zero rewards would stay at the prior."""
    asked = getattr(getattr(settings, "encoder", None), "ignore_zero_reward", False)
    if asked and method.support not in ("trial", "logs"):
        raise UsageError(
            f"encoder.ignore_zero_reward: '{method.name}' infers tasks without rewards, so its posterior "
            "would never change; use it with methods that see rewards, such as pearl and iql"
        )


def check_heads(method: Method, settings: Any, card: TaskCard) -> None:
    if not has_heads(method):
        return
    if settings.encoder.embed:
        raise UsageError(f"encoder.embed: '{method.name}' reads the skill's index as it is; leave it at 0")
    if not heads_serve(card, card):
        cards = map(catalogue.task, catalogue.task_ids())
        known = ", ".join(other.id for other in cards if heads_serve(other, other))
        raise UsageError(
            f"method '{method.name}' has one head for each training skill; it needs several, and the same "
            f"ones in the test: try {known}, not '{card.id}'"
        )


def has_heads(method: Method) -> bool:
    return getattr(method.learner.cls, "head_per_skill", False)


def heads_serve(trained: TaskCard, judged: TaskCard) -> bool:
    """Whether training on one card gives several heads, and one for every skill of the other."""
    if trained.arm is None or judged.arm is None:
        return False
    heads, wanted = set(trained.skill_goals.train), judged.skill_goals
    return len(heads) > 1 and heads.issuperset((*wanted.train, *wanted.test))


def check_questions(method: Method, settings: Any, card: TaskCard) -> None:
    if card.questions is not None and not hasattr(getattr(settings, "recipe", None), "queries"):
        raise UsageError(f"questions={card.questions}: '{method.name}' asks no questions")


def check_episodes(method: Method, encoder: str | None, card: TaskCard) -> None:
    if method.support != "trial":
        return  # the task is inferred from its support, before the first episode
    parts: list[tuple[str, Any]] = [(f"method '{method.name}'", method.learner.cls)]
    if encoder:
        parts.append((f"encoder '{encoder}'", ENCODERS[encoder].cls))
    for name, part in parts:
        least = getattr(part, "least_episodes", 1)
        if card.episodes < least:
            able = f"{card.id}:episodes={least}" if "episodes" in card.settable else "another task"
            raise UsageError(f"{name} adapts between episodes and needs at least {least}; try {able}")


def check_termination_known(method: Method, card: TaskCard) -> None:
    """A learned model predicts observations; whether an episode ends has to be computed from them."""
    learned = method.recipe and getattr(method.recipe.cls, "needs_termination", False)
    if learned and ends_unseen(card):
        raise UsageError(
            f"method '{method.name}' rolls out a learned model, which does not predict termination; "
            f"episodes of '{card.id}' may end early, and observations do not tell when"
        )


def check_counts(settings: Any, within: str = "") -> None:
    """Whole numbers are counts: at least 1, unless 0 is their default."""
    for field in fields(settings):
        name, value = within + field.name, getattr(settings, field.name)
        if is_dataclass(value):
            check_counts(value, f"{name}.")
            continue
        counts = value if isinstance(value, tuple) else (value,)
        if field.default != 0 and any(type(count) is int and count < 1 for count in counts):
            raise UsageError(f"{name} must be 1 or more, not {value}")


def check_shaped(settings: Any, card: TaskCard) -> None:
    if settings and getattr(getattr(settings, "recipe", None), "shaped", False) and card.world not in SHAPED:
        raise UsageError(
            f"recipe.shaped: '{card.id}' has no shaped reward; {' and '.join(SHAPED)} tasks have one"
        )
