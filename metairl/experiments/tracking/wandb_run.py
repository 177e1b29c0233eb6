"""The only file that talks to wandb, written against 0.31: how a run is named, opened, fed and left."""

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args

from metairl.experiments.tracking.rows import Curve, Row

if TYPE_CHECKING:
    import wandb

Mode = Literal["auto", "online", "offline", "disabled"]
MODES: tuple[Mode, ...] = get_args(Mode)

INIT_SECONDS = 15.0
SPOKEN: dict[str, Mode] = {  # in WANDB_MODE, wandb's older words included
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}


def chosen(mode: Mode) -> Mode:
    """What `mode` comes to here: WANDB_MODE decides for auto, then whether there is a key. Never asks."""
    # Before wandb is imported: its telemetry about itself waits up to 30 s at exit for a mute server.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    word = os.environ.get("WANDB_MODE", "")
    if mode == "auto":
        mode = SPOKEN.get(word, "auto")
    if mode in ("offline", "disabled"):
        return mode
    import wandb  # here and not above: it costs a second, and not every run tracks

    # wandb would announce on stderr, over a progress bar, what our one line says.
    wandb.setup(wandb.Settings(silent=True, mode="online"))
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


class WandbRun:
    def __init__(self, run: "wandb.Run"):
        self._run = run
        self._splits: set[str] = set()

    @property
    def url(self) -> str:
        return self._run.url or ""

    def log(self, rows: list[Row]) -> None:
        for row in rows:
            self._define(row)
            self._run.log({name: spoken(value) for name, value in row.items()})

    def close(self, status: str, dropped: int) -> None:
        self._run.summary.update({"status": status, "dropped_records": dropped})
        self._run.finish(exit_code=0 if status == "completed" else 1)

    def _define(self, row: Row) -> None:
        """The summary keeps a score's best beside its last; a split is known once it is seen."""
        for name in row.keys() - self._splits:
            if name.startswith("eval/") and name.endswith(("/return", "/success")):
                self._run.define_metric(name, step_metric="steps", summary="max,last")
                self._splits.add(name)


def opened(
    run: dict[str, Any], mode: Mode, resume: Literal["allow"] | None, finish_seconds: float
) -> WandbRun:
    """A run that W&B has accepted within INIT_SECONDS, or whatever error wandb has for it.

    `resume="allow"` goes on with a run of the same id; None replaces it.
    """
    import wandb

    assert mode in ("online", "offline")
    session = wandb.init(
        **identity(run),
        dir=run["folder"],
        config={name: value for name, value in run.items() if name != "folder"},
        resume=resume,
        reinit="create_new",  # not somebody else's open run in this process
        settings=wandb.Settings(
            mode=mode,
            silent=True,
            console="off",  # stdout and stderr are ours, and a progress bar is no log
            disable_git=True,  # the commit is in the config; no diff of the working tree leaves the machine
            init_timeout=INIT_SECONDS,
            finish_timeout=finish_seconds,
            finish_timeout_raises=True,
        ),
    )
    session.define_metric("steps")
    session.define_metric("*", step_metric="steps")
    return WandbRun(session)


def identity(run: dict[str, Any]) -> dict[str, Any]:
    """Where people look for a run: the project, its group, its name."""
    place = run.get("board") or run["task"]
    return {
        "project": os.environ.get("WANDB_PROJECT") or "metairl",
        "group": f"{place}/{run['method']}",
        "job_type": "train",
        "name": f"{run['method']}-{run['task']}-s{run['seed']}",
        "id": run["id"],
        "tags": [place, run["method"], str(run["commit"])[:7]],
    }


def spoken(value: float | Curve) -> Any:
    if not isinstance(value, Curve):
        return value
    import wandb

    return wandb.Table(columns=list(value.columns), data=value.rows)


def abandon() -> None:
    """Leave wandb at once: end its service process and take back the exit hook that would wait for it.

    wandb has no public way out of an upload that does not end, and its hook at interpreter exit waits for
    the service without a limit. The path to the process is private; a test holds the exit time.
    """
    with contextlib.suppress(Exception):
        wandb = sys.modules["wandb"]  # importing could wait for a worker that is stuck importing
        connection = wandb.setup()._connection
        if connection is None or connection._proc is None:
            return
        process = connection._proc._process
        process.kill()
        process.wait(5.0)
        # The teardown unhooks itself, then meets a dead socket, or exits with the service's code.
        with contextlib.suppress(Exception, SystemExit):
            wandb.teardown()
