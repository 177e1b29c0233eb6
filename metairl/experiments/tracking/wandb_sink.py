"""Weights & Biases as a guest: it may be slow, blocked, killed or absent, and training does not notice.

Every call into wandb happens on one daemon thread behind a bounded queue. What does not fit is dropped and
counted; the first failure switches the sink off with one line on stderr. Nothing is lost by that:
records.jsonl has every record, and `metairl wandb-sync RUN` sends them all again.
"""

import atexit
import threading
from queue import SimpleQueue
from typing import Any

from metairl.core.errors import MetairlError
from metairl.core.records import Evaluation, RunFolder, Training
from metairl.experiments.tracking.rows import Row, Rows
from metairl.experiments.tracking.say import say
from metairl.experiments.tracking.wandb_run import MODES, Mode, WandbRun, abandon, chosen, opened

__all__ = ["MODES", "Mode", "Wandb", "resend"]

START_SECONDS = 20.0  # a start that takes longer goes on in the background
FINISH_SECONDS = 15.0
RESEND_SECONDS = 600.0  # nobody's training waits for a resend, only a person
CAPACITY = 10_000  # records that may wait; at some hundred bytes each, a few megabytes


class Wandb:
    def __init__(self, mode: Mode = "auto"):
        self._mode = mode
        self._queue: SimpleQueue[Training | Evaluation | str] = SimpleQueue()  # a str is how the run ended
        self._started = threading.Event()
        self._off = True  # until started, and again after the first failure
        self._left = False  # finish() gave up on the worker, so its failures are no news
        self._worker: threading.Thread | None = None
        self.dropped = 0

    def start(self, run: dict[str, Any]) -> None:
        if self._mode == "disabled":
            return
        self._off = False
        self._worker = threading.Thread(target=self._work, args=(run,), name="metairl-wandb", daemon=True)
        self._worker.start()
        if not self._started.wait(START_SECONDS):
            say("W&B: still starting; training goes on")
        # For a caller that dies without finish(). Hooks run last in, first out: before wandb's own, which
        # waits for uploads without a limit.
        atexit.register(self.finish, "crashed")

    def write(self, record: Training | Evaluation) -> None:
        if self._off or self._queue.qsize() >= CAPACITY:
            self.dropped += 1
        else:
            self._queue.put(record)

    def finish(self, status: str) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        atexit.unregister(self.finish)
        self._queue.put(status)
        worker.join(FINISH_SECONDS)
        if worker.is_alive():
            self._left = self._off = True
            say(f"W&B: no answer in {FINISH_SECONDS:.0f} s; `metairl wandb-sync` sends the run again")
            abandon()
        elif self.dropped and not self._off:
            say(f"W&B: missed {self.dropped} records; `metairl wandb-sync` sends the run again")

    def _work(self, run: dict[str, Any]) -> None:
        try:
            self._live(run)
        except (Exception, SystemExit) as fault:
            self._off = True
            if not self._left:
                say(f"W&B: off ({one_line(fault)}); training goes on, records.jsonl keeps everything")
            abandon()
        finally:
            self._started.set()

    def _live(self, run: dict[str, Any]) -> None:
        mode = chosen(self._mode)
        if mode == "disabled":
            self._off = True
            return
        session = self._opened(run, mode)
        self._started.set()
        rows = Rows()
        while not isinstance(item := self._queue.get(), str):
            session.log(rows.take(item))
        session.log(rows.rest())
        session.close(item, self.dropped)

    def _opened(self, run: dict[str, Any], mode: Mode) -> WandbRun:
        # A resumed run goes on under its id; one that W&B has never seen begins there.
        patience = FINISH_SECONDS - 3.0  # so that wandb's own limit strikes first and says why
        if mode == "online":
            try:
                session = opened(run, "online", "allow", patience)
            except (Exception, SystemExit) as fault:
                abandon()
                if self._left:
                    raise
                say(f"W&B: offline, in {run['folder']}/wandb ({one_line(fault)})")
            else:
                say(f"W&B: {session.url}")
                return session
        else:
            say(f"W&B: offline, in {run['folder']}/wandb")
        return opened(run, "offline", "allow", patience)


def resend(folder: RunFolder, mode: Mode = "auto") -> int:
    """Log the whole run folder again under its own id, replacing what W&B has; how many records that was.

    Unlike a live sink it fails aloud: who asks for it wants to know.
    """
    run, records = folder.description(), list(folder.records())
    run["folder"] = str(folder.path)  # where it is now, not where it was trained
    try:
        session_mode = chosen(mode)
        if session_mode == "disabled":
            return 0
        session = opened(run, session_mode, None, RESEND_SECONDS)
        for row in all_rows(records):
            session.log([row])
        session.close(str(run.get("status", "completed")), dropped=0)
    except (Exception, SystemExit) as fault:
        abandon()
        raise MetairlError(f"{folder.path}: W&B did not take the run ({one_line(fault)})") from None
    return len(records)


def all_rows(records: list[Training | Evaluation]) -> list[Row]:
    rows = Rows()
    return [row for record in records for row in rows.take(record)] + rows.rest()


def one_line(fault: BaseException) -> str:
    text = str(fault).strip().partition("\n")[0]
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__
