"""Judge a run's newest checkpoint again, on held-out tasks. Writes nothing but pictures, if asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from tyro.conf import Positional

from metairl import catalogue, draws, heat_maps, measures, opengl
from metairl.cards import TaskCard
from metairl.commands.show import print_json, print_rows, scores
from metairl.errors import UsageError
from metairl.pooled import pooled_test
from metairl.record import RunFolder
from metairl.request import Request, alike, infers_from_logs, informed, judge
from metairl.rewards.explained import Explained, Explains, Judged
from metairl.run import reopen
from metairl.types import Policy, Tasks


@dataclass(frozen=True)
class Evaluate:
    folder: Positional[Path]  # the run's folder
    split: Literal["test", "validation"] = "test"
    on: str | None = None  # another task to judge it on, with the same observations and actions
    evaluator: Literal["ours", "official"] = "ours"  # official: counts success as the metaworld package does
    threads: int | None = None  # of torch; by default as many as the run was trained with
    json: bool = False  # print one object
    video: Path | None = None  # a folder for a picture and a film of what it does in tasks of the split
    plot: Path | None = None  # a folder for a picture of true and recovered rewards, on grids
    tasks: int = 4  # how many the video or the picture shows


def main(words: list[str]) -> int:
    args = tyro.cli(Evaluate, prog="metairl evaluate", description=__doc__, args=words)
    folder = RunFolder(args.folder)
    run = folder.description()
    card = catalogue.task(args.on or run["task"])
    if args.tasks < 1:
        raise UsageError(f"--tasks must be 1 or more, not {args.tasks}")
    if args.video:
        _require_stage(card)
    torch.set_num_threads(args.threads or run["threads"])
    asked, policy, spent = reopen(folder)
    if not alike(asked.card, card, asked.sight.task):
        raise UsageError(f"what was trained on '{asked.task}' cannot act on '{args.on}'")
    if args.evaluator == "official" and (args.video or args.plot):
        raise UsageError("--video and --plot show what our own judge sees; leave out --evaluator official")
    if args.plot:
        _plot(args, asked, policy, card)
    if args.video or args.evaluator == "official":
        if isinstance(policy, Explains) or infers_from_logs(asked, policy):
            raise UsageError(f"'{asked.method}' learns tasks from logs that only our own judge hands out")
        if not args.video:
            return _pooled(args, asked, policy, card)
        _show(args.video, asked, policy, card, draws.task_set(card, args.split)[: args.tasks])
    elsewhere = card if args.on else None
    found = scores(
        judge(asked, policy, args.split, spent, elsewhere), catalogue.task_name(args.on or asked.task)
    )
    if args.json:
        print_json({"method": asked.method, "encoder": asked.encoder, "seed": asked.seed} | found)
    else:
        print(f"{asked.method} trained on {asked.task}, seed {asked.seed}, after {spent.env_steps:,} steps")
        _print(found)
    return 0


def _pooled(args: Evaluate, asked: Request, policy: Policy, card: TaskCard) -> int:
    tasks, name = draws.task_set(card, args.split), catalogue.task_name(args.on or asked.task)
    found = pooled_test(policy, card, tasks, asked.sight, asked.seed, asked.engine)
    if args.json:
        about = {"method": asked.method, "seed": asked.seed, "task": name, "split": args.split}
        print_json(about | {"mean": found.mean, "success": found.success})
        return 0
    print(f"{asked.method} on {name}, counted as the metaworld package does: of every skill the first")
    print("episodes that finish. It favours goals that are solved; compare it with published figures only.")
    print_rows([{"skill": skill, "success": rate} for skill, rate in found.success.items()])
    print(f"mean {found.mean:.3f}")
    return 0


def _print(found: dict[str, Any]) -> None:
    print(f"judged on {found['tasks']} tasks of {found['task']}, {found['split'].rpartition(':')[2]}")
    print(f"  return      {found['return']:.3f} ± {found['standard_error']:.3f}")
    if found["normalised"] is not None:
        print(f"  normalised  {found['normalised']:.3f}")
    for name, value in found["measures"].items():
        print(f"  {name:<30} " + ("-" if value is None else f"{value:.3f}"))
    for name, values in found.items():
        if name.endswith("_by_episode") and len(values) > 1:
            label = name.replace("_", " ")
            print(f"  {label:<30} " + "  ".join("-" if value is None else f"{value:.2f}" for value in values))


def _plot(args: Evaluate, asked: Request, policy: Judged, card: TaskCard) -> None:
    found = informed(asked, policy, card, args.split) if isinstance(policy, Explains) else policy
    if not isinstance(found, Explained) or found.reward is None:
        raise UsageError(f"--plot shows rewards that were recovered; '{asked.method}' recovers none")
    assert args.plot
    true = measures.truth(card, draws.task_set(card, args.split)).reward
    heat_maps.draw(true, found.reward, args.plot, args.tasks)


def _require_stage(card: TaskCard) -> None:
    """What is missing for a film is said before the judge begins."""
    if not card.simulated and "plan" not in card.parameters:
        raise UsageError(f"task '{card.id}' has no map and no body to draw; --video is for mazes and MuJoCo")
    try:
        import av  # noqa: F401
    except ImportError:
        raise UsageError("--video needs PyAV: install metairl's extra 'video', or the package 'av'") from None
    if card.simulated:
        opengl.choose()


def _show(folder: Path, asked: Request, policy: Policy, card: TaskCard, tasks: Tasks) -> None:
    from metairl import film  # matplotlib and PyAV, which judging alone does not need
    from metairl.film import arms, bodies, mazes

    shoot = arms.shoot if card.arm else bodies.shoot if card.physics else mazes.shoot
    film.write(shoot(policy, card, tasks, asked.sight, asked.seed), folder)
