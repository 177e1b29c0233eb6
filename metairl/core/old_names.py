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
    "bc-tenth": Now("bc", settings={"recipe": {"best": 0.1}}),
    "bc-mixed": Now("bc-demos", settings={"recipe": {"other_data": "medium"}}),
    "iq-learn-mixed": Now("iq-learn", settings={"recipe": {"other_data": "medium"}}),
    "clare-equal": Now("clare", settings={"recipe": {"scheme": "equal"}}),
    "max-margin-structured": Now("max-margin", settings={"learner": {"distance": "structured"}}),
    "preferences-sac-uniform": Now("preferences-sac", settings={"recipe": {"ask": {"choose": "uniform"}}}),
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

OLD_SETTINGS: dict[str, dict[str, str]] = {  # part -> old key -> new key, of every class that part can be
    "learner": {},
    "encoder": {"paid": "ignore_zero_reward"},
    "recipe": {"diverse": "other_data", "surgery": "pcgrad"},
}
OLD_SETTINGS["alone"] = OLD_SETTINGS["recipe"]

OLD_VALUES: dict[tuple[str, str | None], dict[Any, Any]] = {  # (part, new key) -> old value -> new value
    ("learner", "value"): {"shown": "demos"},
}

OLD_STATE = {  # parts of the names of networks, and of what else a checkpoint holds
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


def _renamed_part(part: str, values: Any) -> Any:
    """Settings of a part, and of parts inside it."""
    if not isinstance(values, dict):
        return values
    names = OLD_SETTINGS.get(part, {})
    found = {names.get(key, key): _renamed_part(part, value) for key, value in values.items()}
    return {
        key: OLD_VALUES.get((part, key), {}).get(value, value) if isinstance(value, str) else value
        for key, value in found.items()
    }


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
