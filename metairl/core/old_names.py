"""Names that earlier versions used, so that their run folders, records and networks can still be read.

Nothing else in the package knows an old name: run.json, checkpoints and record lines are renamed where they
are read. New files are written with today's names alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]


@dataclass(frozen=True)
class Now:
    """What an old method name means today."""

    method: str
    regime: str | None = None  # None: the method's default
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # part -> key -> value

    @property
    def spelling(self) -> str:
        regime = f" --regime {self.regime}" if self.regime else ""
        options = [f" --{key.replace('_', '-')} {value}" for key, value in _leaves(self.settings)]
        return self.method + regime + "".join(options)


_ONE_SETTING = {
    "bc-tenth": Now("bc", settings={"recipe": {"best_share": 0.1}}),
    "bc-mixed": Now("bc-demos", settings={"recipe": {"other_data": "medium"}}),
    "iq-learn-mixed": Now("iq-learn", settings={"recipe": {"other_data": "medium"}}),
    "clare-equal": Now("clare", settings={"recipe": {"scheme": "equal"}}),
    "max-margin-structured": Now("max-margin", settings={"learner": {"distance": "structured"}}),
    "preferences-sac-uniform": Now(
        "preferences-sac", settings={"recipe": {"queries": {"selection": "uniform"}}}
    ),
    "rl2-lstm": Now("rl2", settings={"encoder": {"cell": "lstm"}}),
}
_RENAMED = {
    "copied": Now("tabular-bc"),
    "straight": Now("point-expert"),
    "any-right": Now("token-expert"),
    "hindsight-only": Now("visited-goals"),
    "gc-cql": Now("actionable-models"),
}
_REGIMES = {
    "fine-tune": Now("sac", "fine-tune"),
    "scratch": Now("sac", "scratch"),
    "gc-iql-tuned": Now("gc-iql", "fine-tune"),
    "gc-cql-tuned": Now("actionable-models", "fine-tune"),
    "maxent-irl-meta": Now("maxent-irl", "meta"),
    "deep-maxent-meta": Now("deep-maxent", "meta"),
}
_ALONE = (  # methods that could be trained on a held-out task alone, as NAME-alone
    *("bc", "bc-tenth", "iql", "td3-bc", "cql", "cql-discrete", "mopo", "preferences-iql"),
    *("bc-demos", "bc-mixed", "pi-v", "iq-learn", "iq-learn-mixed", "iq-learn-discrete", "iq-learn-online"),
    *("gail", "airl", "gcl", "clare", "clare-equal"),
)


def _alone(name: str) -> Now:
    now = _ONE_SETTING.get(name, Now(name))
    in_one_task = {"alone": now.settings["recipe"]} if "recipe" in now.settings else {}
    return Now(now.method, "scratch", in_one_task)


OLD_METHODS: dict[str, Now] = {
    **_ONE_SETTING,
    **_RENAMED,
    **_REGIMES,
    **{f"{name}-alone": _alone(name) for name in _ALONE},
}

OLD_ENCODERS = {"rl2-lstm": ("rl2", {"cell": "lstm"})}

OLD_RUN_KEYS = {"taught_sha256": "train_data_sha256", "diverse_sha256": "other_data_sha256"}

OLD_SETTINGS: dict[str, dict[str, str]] = {  # part -> old path -> new key, of every class that part can be
    "learner": {"acts": "policy", "rate": "learning_rate"},
    "encoder": {"paid": "ignore_zero_reward"},
    "recipe": {
        "ask": "queries",
        "best": "best_share",
        "cloning": "cloning_weight",
        "diverse": "other_data",
        "doubt": "uncertainty",
        "everything": "clone_all",
        "failed": "failure_reward",
        "falling": "anneal_lr",
        "first": "first_rounds",
        "from_shown": "demo_start_share",
        "held": "cloning_loss",
        "real": "real_share",
        "pays": "training_reward",
        "rate": "learning_rate",
        "reward_rate": "reward_learning_rate",
        "rows": "batch_trials",
        "slow": "time_reward",
        "squares": "reward_decay",
        "surgery": "pcgrad",
        "whim": "noise_dim",
        "goals.evenly": "uniform",
        "goals.here": "p_current",
        "goals.later": "p_future",
        "goals.near": "radius",
        "goals.worth": "reward",
        "model.held": "holdout",
        "model.held_most": "max_holdout",
        "model.gain": "min_improvement",
        "model.passes": "epochs",
        "queries.choose": "selection",
        "queries.early": "initial_share",
        "queries.rate": "learning_rate",
        "queries.rounds": "gradient_steps",
        "reward.acts": "state_action",
        "reward.surest": "max_log_prob",
    },
}

OLD_VALUES: dict[tuple[str, str], dict[str, str]] = {  # (part, new path) -> old value -> new value
    ("learner", "value"): {"shown": "demos"},
    ("recipe", "cloning_loss"): {"likely": "likelihood", "near": "distance"},
    ("recipe", "reward.form"): {
        "alive": "positive",
        "both": "logit",
        "chance": "probability",
        "done": "negative",
    },
    ("recipe", "training_reward"): {"answers": "learned", "nothing": "zero"},
    ("recipe", "uncertainty"): {"noise": "std", "spread": "disagreement"},
}

OLD_STATE = {  # parts of the names of networks, and of what else a checkpoint holds
    "asking": "queries",
    "counts": "mask",
    "eyes": "obs_encoder",
    "kept": "data",
    "lived": "num_trials",
    "learned": "training_reward",
    "after": "next_obs",
}

OLD_RECORD_FIELDS = {"lost": "diverged"}


def renamed_run(run: dict[str, Any]) -> dict[str, Any]:
    """A run.json with today's names."""
    run = {OLD_RUN_KEYS.get(key, key): value for key, value in run.items()}
    if not isinstance(run.get("config"), dict):
        return run
    config = {part: _renamed_part(part, values) for part, values in run["config"].items()}
    now = OLD_METHODS.get(run.get("method", ""))
    if now:
        run |= {"method": now.method} | ({"regime": now.regime} if now.regime else {})
        config = _filled(config, now.settings)
        if named := dict(_leaves(now.settings)):
            run["variant"] = named
    if run.get("encoder") in OLD_ENCODERS:
        run["encoder"], settings = OLD_ENCODERS[run["encoder"]]
        config = _filled(config, {"encoder": settings})
    return run | {"config": config}


def renamed_state(state: Any) -> Any:
    """What a checkpoint holds, under today's names."""
    if isinstance(state, dict):
        return {_renamed_key(key): renamed_state(value) for key, value in state.items()}
    return state


def renamed_record(fields: dict[str, Any]) -> dict[str, Any]:
    return {OLD_RECORD_FIELDS.get(key, key): value for key, value in fields.items()}


def _renamed_part(part: str, values: Any, above: str = "") -> Any:
    """Settings of a part, and of parts inside it; `above` is the path that leads to those."""
    if not isinstance(values, dict):
        return values
    kind = "recipe" if part == "alone" else part
    keys: dict[str, str] = OLD_SETTINGS.get(kind, {})
    found = {}
    for old, value in values.items():
        key = keys[above + old] if above + old in keys else str(old)
        if isinstance(value, dict):
            value = _renamed_part(part, value, f"{above}{key}.")
        elif isinstance(value, str):
            value = OLD_VALUES.get((kind, above + key), {}).get(value, value)
        found[key] = value
    return found


def _renamed_key(key: Any) -> Any:
    if not isinstance(key, str):
        return key
    return ".".join(OLD_STATE.get(word, word) for word in key.split("."))


def _filled(config: Config, settings: Mapping[str, Mapping[str, Any]]) -> Config:
    """With what an old name meant, where the run's own settings do not say it."""
    filled = dict(config)
    for part, values in settings.items():
        if part in filled:
            filled[part] = _deeply(values, filled[part])
    return filled


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _deeply(below: Mapping[str, Any], above: Config) -> Config:
    both = dict(below) | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], dict):
            both[key] = _deeply(below[key], above[key])
    return both
