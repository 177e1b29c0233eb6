"""Tracking, with the real wandb package and no server: what arrives, and what happens without an answer."""

import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metairl.core.errors import MetairlError
from metairl.core.records import Evaluation, RunFolder, Training
from metairl.experiments.tracking import Console, Wandb, resend, wandb_run, wandb_sink
from metairl.experiments.tracking.rows import Curve, Row, Rows, standard_error

KEY = "a" * 40
RUN: dict[str, Any] = {
    "id": "abc123",
    "method": "rl2-ppo",
    "task": "bandit-10",
    "board": "few-shot",
    "encoder": "rl2",
    "seed": 3,
    "steps": 1000,
    "config": {"learner": {"clip": 0.2}},
    "versions": {"torch": "2.13.0"},
    "commit": "0123456789abcdef",
    "hardware": {"cpu": "some"},
}


def training(steps: int) -> Training:
    return Training(
        steps, steps // 10, {"policy": 0.5, "value": 1.5, "entropy": 0.1, "kl": 9.0}, {"rollout": 2.0}
    )


def evaluation(
    steps: int, k: int, split: str = "validation", returns: tuple[float, ...] = (1.0, 3.0)
) -> Evaluation:
    lengths = [5] * len(returns)
    return Evaluation(
        split, k, "f" * 64, steps, steps // 10, 5 * k, 10, list(returns), lengths, [0, 1], {"judge": 0.5}
    )


def short_run() -> list[Training | Evaluation]:
    """Two training records and two moments of two episodes: four rows."""
    moments = [[evaluation(steps, 1), evaluation(steps, 2, returns=(2.0, 6.0))] for steps in (100, 200)]
    return [training(100), *moments[0], training(200), *moments[1]]


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key, no settings of the person who runs the tests; and no service left to the next test."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "home" / "config"))
    yield
    wandb_run.abandon()
    if sys.modules.get("wandb"):
        sys.modules["wandb"].teardown()  # forgets the key of this test
    for name in ("WANDB_SERVICE", "WANDB_ERROR_REPORTING"):  # set while it ran, unknown to monkeypatch
        os.environ.pop(name, None)


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return RUN | {"folder": str(folder.path)}


# --- rows: pure ---


def all_rows(records: list[Training | Evaluation]) -> list[Row]:
    return wandb_sink.all_rows(records)


def test_training_row_has_namespaces() -> None:
    (row,) = all_rows([training(100)])
    assert row["steps"] == row["train/env_steps"] == 100 and row["train/gradient_steps"] == 10
    assert row["train/policy"] == 0.5 and row["time/rollout"] == 2.0


def test_a_moment_becomes_one_row_with_its_curve() -> None:
    rows = Rows()
    assert rows.take(evaluation(100, 1)) == [] and rows.take(evaluation(100, 2, returns=(2.0, 6.0))) == []
    row, after = rows.take(training(200))
    assert after["steps"] == 200
    assert (row["eval/validation/return_k1"], row["eval/validation/return_k2"]) == (2.0, 4.0)
    assert row["eval/validation/return"] == 4.0 and row["eval/validation/success"] == 0.5
    assert row["time/validation/judge"] == 1.0
    # By hand: returns 1, 3 have mean 2, sample deviation sqrt(2), standard error 1; 2, 6 have 4 and 2.
    assert row["eval/validation/adaptation"] == Curve(
        [[1, 2.0, pytest.approx(1.0), 2], [2, 4.0, pytest.approx(2.0), 2]]
    )


def test_splits_of_a_moment_stay_apart_and_training_at_the_same_step_does_not_end_it() -> None:
    records = [evaluation(100, 1), evaluation(100, 1, "test"), training(100), evaluation(100, 2)]
    one, validation, test = all_rows(records)
    assert "train/policy" in one
    assert "eval/validation/return_k2" in validation and "eval/test/return_k1" in test


def test_judging_again_at_the_same_step_is_a_new_moment() -> None:
    assert len(all_rows([evaluation(100, 1), evaluation(100, 1)])) == 2


def test_nan_stays_nan_and_one_task_has_no_spread() -> None:
    (row,) = all_rows([evaluation(100, 1, returns=(math.nan, 1.0))])
    value = row["eval/validation/return"]
    assert isinstance(value, float) and math.isnan(value)
    assert math.isnan(standard_error([1.0])) and standard_error([-1e200, 1e200]) == math.inf


# --- console ---


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(console: Console, run: dict[str, Any]) -> None:
    console.start(run)
    for record in short_run():
        console.write(record)
    console.finish("completed")


def test_off_a_terminal_lines_are_plain_and_rationed(
    run: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    shown(Console(every=3600.0), run)
    out, err = capfd.readouterr()
    assert out == "" and "\x1b" not in err and "\r" not in err
    assert len([line for line in err.splitlines() if "policy" in line]) == 1  # of two training records
    assert len([line for line in err.splitlines() if "validation k=" in line]) == 4  # every evaluation
    assert "kl" not in err and "entropy 0.1" in err
    assert err.splitlines()[-1].endswith("completed")


@pytest.mark.parametrize("no_color, escapes", [("", True), ("1", False)])
def test_a_terminal_gets_a_bar_unless_it_wants_no_color(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, no_color: str, escapes: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", no_color)
    shown(Console(), run)
    assert ("\x1b" in terminal.getvalue()) == escapes
    assert "validation k=2: return 4 ± 2, success 50%" in terminal.getvalue()
    assert sys.stderr is terminal


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_stream_that_closes_does_no_harm(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("metairl.experiments.tracking.console.REDRAW_SECONDS", 0.0)
    terminal = stream()
    monkeypatch.setattr(sys, "stderr", terminal)
    console = Console(every=0.0)
    console.start(run)
    terminal.close()
    for record in short_run():
        console.write(record)
    console.finish("completed")
    shown(Console(), run)  # closed from the start
    monkeypatch.setattr(sys, "stderr", None)
    shown(Console(), run)


# --- W&B, offline ---


def inspected(run: dict[str, Any], which: int = -1) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary page and the history rows of an offline run, by wandb's own reader."""
    folder = sorted(
        Path(run["folder"], "wandb").glob("offline-run-*"), key=lambda path: path.stat().st_mtime_ns
    )[which]
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json"]
    env = os.environ | {"WANDB_SERVICE": ""}
    records = subprocess.run([*command, folder], env=env, capture_output=True, text=True, check=True).stdout
    page = subprocess.run(
        [*command, "--summary", folder], env=env, capture_output=True, text=True, check=True
    ).stdout
    lines = [json.loads(line) for line in records.splitlines()]
    return json.loads(page), [line for line in lines if line["type"] == "history"]


def tracked(
    sink: Wandb, run: dict[str, Any], records: list[Training | Evaluation], status: str = "completed"
) -> None:
    sink.start(run)
    for record in records:
        sink.write(record)
    sink.finish(status)


def test_without_a_key_the_run_is_offline_and_complete(
    run: dict[str, Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())  # it must not ask there either
    sink = Wandb()
    tracked(sink, run, short_run())
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("W&B: offline") and err.count("\n") == 1
    page, history = inspected(run)
    assert len(history) == 4 and sink.dropped == 0
    assert (page["run_id"], page["project"], page["name"]) == ("abc123", "metairl", "rl2-ppo-bandit-10-s3")
    assert set(page["tags"]) == {"few-shot", "rl2-ppo", "0123456"}
    assert page["config"]["config"] == {"learner": {"clip": 0.2}} and page["config"]["seed"] == 3
    assert "folder" not in page["config"] and page["config"]["versions"] == {"torch": "2.13.0"}
    assert page["summary"]["status"] == "completed" and page["exit_code"] == 0
    assert page["summary"]["steps"] == 200
    assert page["summary"]["eval/validation/return"] == {"last": 4.0, "max": 4.0}
    tables = sorted(Path(run["folder"], "wandb").rglob("*.table.json"))
    assert [json.loads(table.read_text()) for table in tables] == 2 * [
        {"columns": list(Curve.columns), "data": [[1, 2.0, 1.0, 2], [2, 4.0, 2.0, 2]]}
    ]


def test_a_run_that_failed_is_failed_there(run: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    tracked(Wandb("offline"), run, short_run(), status="diverged")
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    page, _ = inspected(run)
    assert page["exit_code"] == 1 and page["summary"]["status"] == "diverged"


def test_disabled_does_not_even_import_wandb(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setitem(sys.modules, "wandb", None)
    for mode in ("auto", "disabled"):
        tracked(Wandb(mode), run, short_run())
    assert not Path(run["folder"], "wandb").exists() and capfd.readouterr().err == ""


def test_wandb_mode_decides_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_run.chosen("offline") == "offline"
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert wandb_run.chosen("auto") == "offline"
    monkeypatch.delenv("WANDB_MODE")
    assert wandb_run.chosen("auto") == "online"


def test_a_key_in_netrc_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert wandb_run.chosen("online") == "offline"
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1:9 login user password {KEY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert wandb_run.chosen("auto") == "online"


def test_resend_gives_the_same_rows_also_when_wandb_lost_its_file(run: dict[str, Any]) -> None:
    folder = RunFolder(Path(run["folder"]))
    folder.describe(
        {name: value for name, value in run.items() if name != "folder"} | {"status": "completed"}
    )
    folder.append(short_run())
    tracked(Wandb("offline"), run, short_run())
    page, history = inspected(run)
    for file in Path(run["folder"], "wandb").glob("offline-run-*/*.wandb"):
        file.unlink()
    assert resend(folder, "offline") == 6
    again, resent = inspected(run)
    assert again["run_id"] == page["run_id"] and len(resent) == len(history) == 4
    stamps = {"_runtime", "_timestamp"}
    for name in page["summary"].keys() - stamps:
        if "adaptation" not in name and not name.startswith("_"):
            assert again["summary"][name] == page["summary"][name], name


def test_resend_refuses_a_damaged_record_before_it_sends_anything(run: dict[str, Any]) -> None:
    folder = RunFolder(Path(run["folder"]))
    folder.describe(run)
    folder.append(short_run())
    folder.records_file.write_text(folder.records_file.read_text().replace("0.5", "0.6", 1))
    with pytest.raises(MetairlError, match="checksum"):
        resend(folder, "offline")
    assert not Path(run["folder"], "wandb").exists()


def test_resend_fails_aloud(run: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(Path(run["folder"]))
    folder.describe(run)
    folder.append(short_run())
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(wandb_run, "INIT_SECONDS", 1.0)
    with pytest.raises(MetairlError, match="W&B did not take the run"):
        resend(folder, "online")


# --- W&B, broken ---


def service_pid() -> int:
    import wandb

    connection = wandb.setup()._connection
    assert connection is not None and connection._proc is not None
    return connection._proc._process.pid


def slowest_write(sink: Wandb, count: int, pause: float = 0.0) -> float:
    slowest = 0.0
    for step in range(count):
        before = time.perf_counter()
        sink.write(training(step))
        slowest = max(slowest, time.perf_counter() - before)
        time.sleep(pause)
    return slowest


def test_a_write_costs_the_training_thread_next_to_nothing(run: dict[str, Any]) -> None:
    sink = Wandb("offline")
    sink.start(run)
    assert slowest_write(sink, 5000) < 0.25  # feature: a millisecond, but the machine is shared
    sink.finish("completed")
    _, history = inspected(run)
    assert len(history) + sink.dropped == 5000 and sink.dropped == 0


def test_killed_service_switches_the_sink_off_and_training_goes_on(
    run: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    sink = Wandb("offline")
    sink.start(run)
    sink.write(training(1))
    os.kill(service_pid(), signal.SIGKILL)
    time.sleep(0.3)
    assert slowest_write(sink, 300, pause=0.001) < 1.0
    before = time.perf_counter()
    sink.finish("completed")
    assert time.perf_counter() - before < 1.0
    err = capfd.readouterr().err
    assert err.count("W&B: off (") == 1 and err.count("\n") == 2  # the notice of the start, and this one


def test_a_stuck_service_fills_the_queue_and_is_left_behind(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb_sink, "CAPACITY", 50)
    monkeypatch.setattr(wandb_sink, "FINISH_SECONDS", 1.0)
    sink = Wandb("offline")
    sink.start(run)
    pid = service_pid()
    os.kill(pid, signal.SIGSTOP)
    fat = Training(1, 1, {f"m{i}": float(i) for i in range(2000)}, {})
    slowest = 0.0
    for _ in range(500):
        before = time.perf_counter()
        sink.write(fat)
        slowest = max(slowest, time.perf_counter() - before)
    assert slowest < 1.0 and sink.dropped > 0
    before = time.perf_counter()
    sink.finish("completed")
    assert time.perf_counter() - before < 4.0
    assert "no answer in 1 s" in capfd.readouterr().err
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_leaving_wandb_does_not_leave_the_program(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    sink = Wandb("offline")
    sink.start(run)
    with monkeypatch.context() as patch:
        # Its teardown exits with the code of the killed service, when it learns it in time.
        patch.setattr(wandb, "teardown", lambda: sys.exit(-9))
        wandb_run.abandon()
    sink.finish("completed")


def test_wandb_that_cannot_be_imported_is_a_notice(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    tracked(Wandb(), run, short_run())
    err = capfd.readouterr().err
    assert err.count("W&B: off (") == 1 and err.count("\n") == 1


def test_the_package_imports_neither_wandb_nor_torch() -> None:
    code = "import sys, metairl.experiments.tracking; sys.exit(bool({'wandb', 'torch'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# A whole process, because the exit is part of the promise: wandb's own hook there waits without a limit.
LIFE = """
import json, sys, time
from metairl.experiments.tracking import Wandb, wandb_run
from metairl.core.records import Training
wandb_run.INIT_SECONDS = 4.0
run, finishes = json.loads(sys.argv[1]), sys.argv[2] == "finishes"
sink, moments = Wandb(), [time.perf_counter()]
sink.start(run); moments.append(time.perf_counter())
for step in range(200): sink.write(Training(step, 0, {"policy": 0.0}, {}))
moments.append(time.perf_counter())
if finishes: sink.finish("completed")
moments.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(moments, moments[1:])]))
"""


@pytest.fixture
def mute_server() -> Iterator[str]:
    """The kernel accepts the connections; nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("server", ["refuses", "is mute"])
def test_without_an_answer_the_run_starts_offline_in_bounded_time(
    run: dict[str, Any], mute_server: str, server: str
) -> None:
    url = mute_server if server == "is mute" else "http://127.0.0.1:9"
    env = os.environ | {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY}
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", LIFE, json.dumps(run), "finishes"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    life = time.perf_counter() - before
    start, writes, finish = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr.startswith("W&B: offline") and done.stderr.count("\n") == 1
    assert start < 4.0 + 10.0 and writes < 1.0 and finish < 3.0 and life < 20.0
    assert len(inspected(run)[1]) == 200


def test_a_caller_that_forgets_to_finish_still_gets_its_rows(run: dict[str, Any]) -> None:
    command = [sys.executable, "-c", LIFE, json.dumps(run), "forgets"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    page, history = inspected(run)
    assert done.returncode == 0 and len(history) == 200 and page["summary"]["status"] == "crashed"


def test_the_promised_bounds() -> None:
    assert wandb_run.INIT_SECONDS <= 15.0 and wandb_sink.FINISH_SECONDS <= 15.0
    assert wandb_sink.START_SECONDS <= 20.0
