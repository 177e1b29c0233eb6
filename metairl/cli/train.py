"""Start a run in a folder, or go on with the one that is there: the same words again continue it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from tyro.conf import Positional

from metairl.cli.show import print_scores
from metairl.core.records import RunFolder
from metairl.experiments.request import make_request
from metairl.experiments.run import execute
from metairl.experiments.tracking import Console, Mode, Wandb
from metairl.methods import registry, requirements
from metairl.methods.method import Method, Regime
from metairl.methods.settings import settings_type, tuned
from metairl.tasks import catalogue


@dataclass(frozen=True)
class Train:
    method: Positional[str]  # see `metairl list methods`
    task: Positional[str]  # see `metairl list tasks`; settings as in bandit-5:pulls=100
    regime: Regime | None = None  # see Method in the docs; by default the method's first, mostly meta
    encoder: str | None = None  # see `metairl list encoders`; by default the method's own
    seed: int = 0  # of networks, training tasks and choices; held-out tasks never depend on it
    steps: int | None = None  # training steps in the world; by default the tuned budget
    out: Path | None = None  # the run's folder; by default runs/METHOD/TASK/seed-SEED
    threads: int | None = None  # of torch; numbers repeat only at equal thread counts
    engine: Literal["auto", "cpu", "gpu"] = "auto"  # of MuJoCo tasks; auto: gpu where there is one
    stages: bool = False  # keep the networks of every judged moment, for `metairl collect`
    wandb: Mode = "auto"  # auto: online where a key is present, else offline


def main(words: list[str]) -> int:
    args, rest = _parse(words)
    if args.threads:
        torch.set_num_threads(args.threads)
    method = registry.find(args.method, args.regime)
    settings = _settings(method, args, rest)
    request = make_request(method, args.task, args.encoder, args.seed, args.steps, settings, args.engine)
    folder = args.out or request.folder(Path("runs"))
    execute(request, folder, [Console(), Wandb(args.wandb)], args.stages)
    print_scores(RunFolder(folder))
    return 0


def _parse(words: list[str]) -> tuple[Train, list[str]]:
    """The verb's own options, and the words that belong to the method's."""
    named = [word for word in words[:2] if not word.startswith("-")]
    mine = [word for word in words if word not in ("-h", "--help")] if len(named) == 2 else words
    args, rest = tyro.cli(
        Train, prog="metairl train", description=__doc__, args=mine, return_unknown_args=True
    )
    return args, rest + [word for word in words if word not in mine]


def _settings(method: Method, args: Train, words: list[str]) -> Any:
    """The method's own options (--learner.clip 0.1 …) over what was tuned for this task."""
    encoder = requirements.choose_encoder(method, args.encoder)
    catalogue.task(args.task)
    _, defaults = tuned(method, args.task, encoder)
    kind = settings_type(method, encoder)
    return tyro.cli(kind, prog=f"metairl train {args.method} {args.task}", args=words, default=defaults)
