"""Judge runs' newest checkpoints again, on held-out tasks of their own and, with --on, of other cards.

One run on one card is one judgement. Several of either are a matrix, with what is kept of the training tasks.
Nothing is written but what is asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from tyro.conf import Positional

from metairl.cli.show import print_json, print_rows, scores
from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy
from metairl.core.records import RunFolder
from metairl.core.types import Tasks
from metairl.evaluation import reward_metrics, reward_plots, transfer_matrix
from metairl.evaluation.metaworld_protocol import pooled_test
from metairl.evaluation.transfer_matrix import Matrix
from metairl.evaluation.videos import opengl
from metairl.experiments import transfer
from metairl.experiments.judging import given_support, infers_from_support, judge
from metairl.experiments.request import Request
from metairl.experiments.run import reopen
from metairl.experiments.transfer import check_alike
from metairl.rewards.irl.solution import Evaluable, IRLMethod, IRLSolution
from metairl.tasks import catalogue, sampling
from metairl.tasks.cards import TaskCard


@dataclass(frozen=True)
class Evaluate:
    folders: Positional[tuple[Path, ...]]  # of runs; those that differ in their seed alone are one row
    split: Literal["test", "validation"] = "test"
    on: tuple[str, ...] = ()  # other tasks to judge on, with the same observations and actions
    write: Path | None = None  # the matrix also to PATH.md, .csv, .svg and .png
    evaluator: Literal["ours", "official"] = "ours"  # official: counts success as the metaworld package does
    threads: int | None = None  # of torch; by default as many as the run was trained with
    json: bool = False  # print one object
    video: Path | None = None  # a folder for a picture and a film of what it does in tasks of the split
    plot: Path | None = None  # a folder for a picture of true and recovered rewards, on grids
    tasks: int = 4  # how many the video or the picture shows

    @property
    def elsewhere(self) -> str | None:
        """The only other task, where one run is judged on one."""
        return self.on[0] if self.on else None


def main(words: list[str]) -> int:
    args = tyro.cli(Evaluate, prog="metairl evaluate", description=__doc__, args=words)
    if args.tasks < 1:
        raise UsageError(f"--tasks must be 1 or more, not {args.tasks}")
    if not args.folders:
        raise UsageError("say which run: metairl evaluate DIR")
    if len(args.folders) > 1 or len(args.on) > 1 or args.write:
        return _matrix(args)
    return _one(args, RunFolder(args.folders[0]))


def _matrix(args: Evaluate) -> int:
    if args.video or args.plot or args.evaluator == "official":
        raise UsageError("--video, --plot and --evaluator official are for one run on one task")
    found = transfer.matrix([*map(RunFolder, args.folders)], args.on, args.split, args.threads)
    if args.json:
        print_json(list(transfer_matrix.lines(found)))
    else:
        _print_matrix(found)
    if args.write:
        transfer_matrix.write(found, args.write)
    return 0


def _print_matrix(found: Matrix) -> None:
    for row in found.rows:
        seeds = f"{len(row.seeds)} seed{'s' * (len(row.seeds) > 1)}"
        print(f"{row.name}, {seeds}, after {row.steps:,} steps")
        for column, cell in row.cells.items():
            texts = (
                transfer_matrix.whole_text(cell)
                if cell
                else ["cannot be evaluated: there is no dataset of it"]
            )
            print(f"  {column:<40} " + ", ".join(texts))
            if cell and cell.episodes > 1:
                curve = "  ".join(f"{cell.at(k)[0]:.2f}" for k in range(1, cell.episodes + 1))
                print(f"  {'':<40} by episode: {curve}")


def _one(args: Evaluate, folder: RunFolder) -> int:
    run = folder.description()
    card = catalogue.task(args.elsewhere or run["task"])
    if args.video:
        _require_stage(card)
    torch.set_num_threads(args.threads or run["threads"])
    request, policy, spent = reopen(folder)
    check_alike(request, args.on)
    if args.evaluator == "official" and (args.video or args.plot):
        raise UsageError("--video and --plot show what our own judge sees; leave out --evaluator official")
    if args.plot:
        _plot(args, request, policy, card)
    if args.video or args.evaluator == "official":
        if isinstance(policy, IRLMethod) or infers_from_support(request, policy):
            raise UsageError(
                f"'{request.method.label}' learns tasks from logs that only our own judge hands out"
            )
        if not args.video:
            return _pooled(args, request, policy, card)
        _show(args.video, request, policy, card, sampling.task_set(card, args.split)[: args.tasks])
    elsewhere = card if args.on else None
    found = scores(
        judge(request, policy, args.split, spent, elsewhere),
        catalogue.task_name(args.elsewhere or request.task),
    )
    if args.json:
        print_json({"method": request.method.label, "encoder": request.encoder, "seed": request.seed} | found)
    else:
        print(
            f"{request.method.label} trained on {request.task}, seed {request.seed}, after {spent.env_steps:,} steps"
        )
        _print(found)
    return 0


def _pooled(args: Evaluate, request: Request, policy: Policy, card: TaskCard) -> int:
    tasks, name = sampling.task_set(card, args.split), catalogue.task_name(args.elsewhere or request.task)
    found = pooled_test(policy, card, tasks, request.inputs, request.seed, request.engine)
    if args.json:
        about = {"method": request.method.label, "seed": request.seed, "task": name, "split": args.split}
        print_json(about | {"mean": found.mean, "success": found.success})
        return 0
    print(
        f"{request.method.label} on {name}, counted as the metaworld package does: of every skill the first"
    )
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


def _plot(args: Evaluate, request: Request, policy: Evaluable, card: TaskCard) -> None:
    found = given_support(request, policy, card, args.split) if isinstance(policy, IRLMethod) else policy
    if not isinstance(found, IRLSolution) or found.reward is None:
        raise UsageError(f"--plot shows rewards that were recovered; '{request.method.label}' recovers none")
    assert args.plot
    true = reward_metrics.truth(card, sampling.task_set(card, args.split)).reward
    reward_plots.draw(true, found.reward, args.plot, args.tasks)


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


def _show(folder: Path, request: Request, policy: Policy, card: TaskCard, tasks: Tasks) -> None:
    from metairl.evaluation import videos
    from metairl.evaluation.videos import arms, bodies, mazes

    shoot = arms.shoot if card.arm else bodies.shoot if card.physics else mazes.shoot
    videos.write(shoot(policy, card, tasks, request.inputs, request.seed), folder)
