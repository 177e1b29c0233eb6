"""Combinations that cannot work, refused before any work starts by a line that names what would."""

from dataclasses import fields, is_dataclass
from typing import Any

from metairl.agents.encoders import ENCODERS
from metairl.core.errors import UsageError, nearest
from metairl.envs.goal_spec import goal_of
from metairl.envs.termination import ends_unseen
from metairl.methods.method import Method
from metairl.methods.registry import METHODS
from metairl.tasks import catalogue
from metairl.tasks.cards import TaskCard
from metairl.training.offline import Offline
from metairl.training.offline_preferences import OfflinePreferences

SHAPED = ("point-sparse",)  # worlds that tell a denser reward beside the true one


def choose_encoder(name: str, method: Method, asked: str | None) -> str | None:
    """The encoder to use: the one asked for, else the method's own."""
    if asked is None:
        return method.encoder
    if method.encoder is None:
        raise UsageError(f"method '{name}' acts on its own and takes no encoder; leave out --encoder {asked}")
    if asked not in ENCODERS:
        raise UsageError(f"no encoder '{asked}'; {nearest(asked, ENCODERS)}")
    if method.encoders and asked not in method.encoders:
        known = " and ".join(f"'{encoder}'" for encoder in method.encoders)
        raise UsageError(f"method '{name}' goes with the encoders {known}, not with '{asked}'")
    if asked != method.encoder and not method.any_encoder and not method.encoders:
        raise UsageError(
            f"method '{name}' is one with encoder '{method.encoder}'; '{asked}' goes with "
            + _that_take_any(method.support)
        )
    return asked


def _that_take_any(support: str) -> str:
    """Of the methods that have as much from a held-out task."""
    able = (name for name, method in METHODS.items() if method.any_encoder and method.support == support)
    return " and ".join(able) or "no method like it"


def check_world(name: str, method: Method, card: TaskCard) -> None:
    if method.envs and card.world not in method.envs:
        known = " and ".join(method.envs)
        others = ", ".join(
            other for other, found in METHODS.items() if not found.envs or card.world in found.envs
        )
        raise UsageError(
            f"method '{name}' works on {known} worlds; '{card.id}' is a {card.world} world, for {others}"
        )


def check_demos(name: str, method: Method, card: TaskCard) -> None:
    if method.support == "demos" and card.demos is None:
        raise UsageError(
            f"method '{name}' learns from demonstrations: say which, as in {card.id}:data=expert,demos=8"
        )


def check_examples(name: str, method: Method, card: TaskCard) -> None:
    if method.support == "goals" and card.examples is None:
        raise UsageError(
            f"method '{name}' learns from states of success: say how many, as in {card.id}:examples=20"
        )


def check_answers(name: str, method: Method, encoder: str | None, card: TaskCard) -> None:
    """Where a method compares logs, an encoder that infers a task does so from answers."""
    compares = method.recipe is not None and issubclass(method.recipe[0], OfflinePreferences)
    if compares and encoder and ENCODERS[encoder][0].context_kind != "step":
        check_comparisons(name, card)


def check_comparisons(name: str, card: TaskCard) -> None:
    if card.comparisons is None:
        raise UsageError(
            f"method '{name}' infers tasks from comparisons of their logs: "
            f"say of how many, as in {card.id}:data=replay,comparisons=10"
        )


def check_logs(name: str, method: Method, card: TaskCard) -> None:
    if method.support == "logs" and card.data is None:
        if "data" not in card.settable:
            raise UsageError(f"method '{name}' learns from logs, which do not come with '{card.id}'")
        raise UsageError(f"method '{name}' learns from logs: say which, as in {card.id}:data=replay")


def check_goals(name: str, method: Method, card: TaskCard) -> None:
    if method.chooses_goals and goal_of(card) is None:
        known = ", ".join(other for other in catalogue.task_ids() if goal_of(catalogue.task(other)))
        raise UsageError(
            f"method '{name}' learns to arrive at goals, and no goal of '{card.id}' can be read from what is "
            f"seen there; it can in {known}"
        )


def check_labels(name: str, method: Method, card: TaskCard) -> None:
    learns = method.onwards or (method.recipe and method.recipe[0])
    if card.labels is not None and not (method.support == "logs" and method.adapts and learns is Offline):
        raise UsageError(
            f"labels={card.labels} are what a method learns on from in a held-out task, as iql-alone and "
            f"gc-iql-tuned do; '{name}' does not"
        )


def check_rewards(name: str, method: Method, settings: Any) -> None:
    """Where steps that paid nothing say nothing, something has to pay."""
    asked = getattr(getattr(settings, "encoder", None), "paid", False)
    if asked and method.support not in ("trial", "logs"):
        raise UsageError(
            f"encoder.paid: '{name}' infers a task from what no reward is told of, so nothing would ever be "
            "known; it is for methods that see rewards, as pearl and iql do"
        )


def check_heads(name: str, method: Method, settings: Any, card: TaskCard) -> None:
    if not has_heads(method):
        return
    if settings.encoder.embed:
        raise UsageError(f"encoder.embed: '{name}' reads which skill it is as it is told; leave it at 0")
    if not heads_serve(card, card):
        cards = map(catalogue.task, catalogue.task_ids())
        known = ", ".join(other.id for other in cards if heads_serve(other, other))
        raise UsageError(
            f"method '{name}' has a head for every skill that it trains on; it needs several, and no others "
            f"in the test: that is {known}, not '{card.id}'"
        )


def has_heads(method: Method) -> bool:
    return getattr(method.learner[0], "head_per_skill", False)


def heads_serve(trained: TaskCard, judged: TaskCard) -> bool:
    """Whether what trains on a card has several heads, and one for every skill of the other."""
    if trained.arm is None or judged.arm is None:
        return False
    heads, wanted = set(trained.skill_goals.train), judged.skill_goals
    return len(heads) > 1 and heads.issuperset((*wanted.train, *wanted.test))


def check_questions(name: str, settings: Any, card: TaskCard) -> None:
    if card.questions is not None and not hasattr(getattr(settings, "recipe", None), "ask"):
        raise UsageError(f"questions={card.questions} are for methods that ask them; '{name}' does not")


def check_episodes(method: Method, encoder: str | None, card: TaskCard) -> None:
    if method.support != "trial":
        return  # what a task is inferred from comes before its first episode
    parts: list[Any] = [method.learner[0]] + ([ENCODERS[encoder][0]] if encoder else [])
    for part in parts:
        if card.episodes < getattr(part, "least_episodes", 1):
            raise UsageError(
                f"{part.__name__} learns a task where a new episode begins; '{card.id}' has one episode: "
                "try a task with more (TASK:episodes=2 where it can be set), or another method or encoder"
            )


def check_ends_seen(name: str, method: Method, card: TaskCard) -> None:
    sees = method.recipe and getattr(method.recipe[0], "sees_ends", False)
    if sees and ends_unseen(card):
        raise UsageError(
            f"method '{name}' learns what comes next, not what ends an episode: that must be read from what "
            f"is seen, as a body's fall is; those of '{card.id}' may end early, and nothing reads that there"
        )


def check_counts(settings: Any, within: str = "") -> None:
    """Whole numbers are counts: at least 1, unless 0 is what they are by default."""
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
        envs = " and ".join(SHAPED)
        raise UsageError(f"recipe.shaped: '{card.id}' has no shaped reward; {envs} worlds have one")
