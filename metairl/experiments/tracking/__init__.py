"""Sinks: where a run's records are displayed while it trains. Records on disk are authoritative; a sink may miss some.

    sink.start(run)        once, with what run.json says
    sink.write(record)     for every record, in the order of the run folder
    sink.finish(status)    once, with how the run ended

No sink raises and none makes training wait beyond a bounded start and finish: a run never fails because
somebody closed a terminal or a server went away.
"""

from typing import Any, Protocol

from metairl.core.records import Evaluation, Training
from metairl.experiments.tracking.console import Console
from metairl.experiments.tracking.wandb_sink import MODES, Mode, Wandb, resend

__all__ = ["MODES", "Console", "Mode", "Sink", "Wandb", "resend"]


class Sink(Protocol):
    def start(self, run: dict[str, Any]) -> None: ...

    def write(self, record: Training | Evaluation) -> None: ...

    def finish(self, status: str) -> None: ...
