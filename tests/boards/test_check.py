"""A board takes what hangs together and nothing else: attacks are refused by name, none ends the checker."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import making
import pytest
from making import RUN, TASK, edit, judgement, retested, run, sheet, sound, summed, zipped

from metairl.boards.bundle import SHEET, SUMS, Bundle
from metairl.boards.check import Checked, check
from metairl.cli.main import main

Spoil = Callable[[Path], Path | None]
MARKUP = [
    "<img src=x onerror=pwned()>",
    "</script>",
    "javascript:alert(1)",
    "[x](https://x)",
    "`id`",
    "&#60;b",
]
MARKS = ["\x1b[31mred", "a\x00b", "\u202egnp.exe", "two\nlines", "\u200b", "\x7f"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sound(tmp_path / "row")


def refused(path: Path, word: str) -> Checked:
    checked = check(path)
    assert not checked.sound
    assert any(word in f"{f.rule} {f.where} {f.what}" for f in checked.findings), checked.findings
    assert all(f"{f.where}{f.what}".isprintable() for f in checked.findings)
    return checked


def test_a_sound_one_is_sound_in_a_folder_and_in_a_zip(folder: Path, tmp_path: Path) -> None:
    assert check(folder).findings == []
    archive = zipped(folder, tmp_path / "row.zip")
    assert check(archive).findings == []
    assert Bundle(archive).digest == Bundle(folder).digest


# files


def write(folder: Path, name: str, content: bytes = b"x") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


FILES: dict[str, tuple[Spoil, str]] = {
    "a link to elsewhere": (lambda f: (f / RUN / "link.json").symlink_to("/etc/passwd"), "link or a device"),
    "a linked folder": (lambda f: (f / "more").symlink_to("/etc"), "link or a device"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "link or a device"),
    "a script": (lambda f: write(f, "install.sh"), "not a file that a submission has"),
    "a hidden folder": (lambda f: write(f, ".git/config"), "not a file that a submission has"),
    "a pickle": (lambda f: write(f, f"{RUN}/agent.pkl"), "not a file that a submission has"),
    "a name with a bell": (lambda f: write(f, "run\x07.json"), "not a file that a submission has"),
    "a name in another case": (lambda f: write(f, f"{TASK.upper()}/seed-0/run.json"), "stands there twice"),
    "a file too large": (lambda f: os.truncate(f / RUN / "records.jsonl", 2**30), "larger"),
    "no sheet": (lambda f: (f / SHEET).unlink(), "not there"),
    "no sheet, with sums": (lambda f: summed(f) if (f / SHEET).unlink() is None else None, "missing"),
    "no sums": (lambda f: (f / SUMS).unlink(), "missing"),
    "no records": (lambda f: (f / RUN / "records.jsonl").unlink(), "not there"),
    "a file that is not listed": (lambda f: write(f, f"{TASK}/seed-9/run.json"), "not listed"),
    "another byte": (lambda f: write(f, f"{RUN}/records.jsonl", b"x"), "not those of"),
}  # fmt: skip


@pytest.mark.parametrize("attack", FILES)
def test_files_that_no_submission_has(folder: Path, attack: str) -> None:
    spoil, word = FILES[attack]
    spoil(folder)
    refused(folder, word)


def test_swapped_hashes(folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines()
    sums, names = zip(*(line.split("  ") for line in lines), strict=True)
    swapped = [f"{sha}  {name}" for sha, name in zip((sums[1], sums[0], *sums[2:]), names, strict=True)]
    (folder / SUMS).write_text("\n".join(swapped) + "\n")
    refused(folder, "not those of")


def test_a_hash_listed_twice(folder: Path) -> None:
    text = (folder / SUMS).read_text()
    (folder / SUMS).write_text(text + text.splitlines()[0] + "\n")
    refused(folder, "listed twice")


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil", "a/../../evil", "C:\\evil", f"{TASK}/seed-0/../run.json"]
)
def test_zips_that_reach_out(folder: Path, tmp_path: Path, name: str) -> None:
    archive = zipped(folder, tmp_path / "row.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(name, "x")
    refused(archive, "not a file that a submission has")
    assert not (tmp_path / "evil.json").exists()


def test_a_link_in_a_zip(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "row.zip")
    link = zipfile.ZipInfo(f"{TASK}/seed-7/run.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(link, "/etc/passwd")
    refused(archive, "a link")


def test_a_zip_that_unpacks_to_a_flood(tmp_path: Path) -> None:
    bomb = tmp_path / "row.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SHEET, b"0" * 50_000_000)
    refused(bomb, "unpacks to")


def test_a_zip_that_lies_about_a_size(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "row.zip")
    content = bytearray(archive.read_bytes())
    directory = content.rindex(b"PK\x01\x02")  # of its last member
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    archive.write_bytes(content)
    refused(archive, "")


def test_a_name_twice_in_a_zip(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "row.zip")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(archive, "a") as more:
        more.writestr(SHEET, "{}")
    refused(archive, "twice")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", os.urandom(2000)])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "row.zip").write_bytes(content)
    refused(tmp_path / "row.zip", "not a zip")


# text


def raw(text: str) -> Spoil:
    """A sheet that says this under `notes`."""

    def spoil(folder: Path) -> Path:
        content = (folder / SHEET).read_text()
        (folder / SHEET).write_bytes(content.replace('"notes": ""', text).encode("utf-8", "surrogatepass"))
        return summed(folder)

    return spoil


TEXTS: dict[str, tuple[Spoil, str]] = {
    "a key twice": (raw('"notes": "", "board": "mt10"'), "stands there 2 times"),
    "NaN": (raw('"notes": NaN'), "NaN"),
    "Infinity": (raw('"notes": -Infinity'), "-Infinity"),
    "1e999": (raw('"notes": 1e999'), "too large"),
    "a number without end": (raw('"notes": ' + "9" * 5000), "5000 digits"),
    "a pit": (raw('"notes": ' + "[" * 200_000), "nested deeper"),
    "a text that never ends": (raw('"notes": "'), "not JSON"),
    "half a surrogate": (raw('"notes": "\\ud800"'), "surrogate"),
    "half a surrogate, encoded": (raw('"notes": "\ud800"'), "UTF-8"),
    "Latin-1": (lambda f: summed(write(f, SHEET, '{"é": 1}'.encode("latin-1"))), "UTF-8"),
    "a byte order mark": (lambda f: summed(write(f, SHEET, b"\xef\xbb\xbf{}")), "not JSON"),
    "true for a number": (lambda f: sheet(f, aggregate=True), "aggregate"),
    "a text for a number": (lambda f: sheet(f, schema_version="1"), "schema_version"),
    "1.5 seeds": (lambda f: claim(f, seeds=1.5), "seeds"),
    "an unknown key": (lambda f: sheet(f, winner=True), "winner"),
    "a list for a sheet": (lambda f: summed(write(f, SHEET, b"[]")), SHEET),
    "no key": (lambda f: summed(write(f, SHEET, b"{}")), SHEET),
}  # fmt: skip


def claim(folder: Path, **changes: Any) -> Path:
    edit(folder / SHEET, lambda content: content["claims"][0].update(changes))
    return summed(folder)


@pytest.mark.parametrize("attack", TEXTS)
def test_texts_that_mean_two_things(folder: Path, attack: str) -> None:
    spoil, word = TEXTS[attack]
    spoil(folder)
    refused(folder, word)


def texts(content: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a JSON value holds text."""
    if isinstance(content, str):
        return [path]
    inside = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [found for key, value in inside for found in texts(value, (*path, key))]


def put(file: Path, path: tuple[str | int, ...], value: str) -> None:
    content = json.loads(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file.write_text(json.dumps(content))


def refused_with(folder: Path, file: str, path: tuple[str | int, ...], text: str) -> None:
    before = (folder / file).read_text()
    put(folder / file, path, text)
    refused(summed(folder), "")
    (folder / file).write_text(before)


@pytest.mark.parametrize("file", [SHEET, f"{RUN}/run.json"])
def test_markup_in_every_text(folder: Path, file: str) -> None:
    places = texts(json.loads((folder / file).read_text()))
    assert len(places) > 8
    for path, text in zip(places, cycle(MARKUP + MARKS)):
        refused_with(folder, file, path, text)
    assert check(summed(folder)).sound


@pytest.mark.parametrize("text", MARKUP + MARKS)
def test_every_markup_in_a_text(folder: Path, text: str) -> None:
    refused_with(folder, SHEET, ("method", "description"), text)


@pytest.mark.parametrize("key", ["<b>", "a\x1bb"])
def test_markup_in_a_setting_s_name(folder: Path, key: str) -> None:
    refused(run(folder, config={key: 1}), "config")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "http://example.org", "https://a b", "//x"]
)
def test_links_that_are_not_plain(folder: Path, url: str) -> None:
    edit(folder / SHEET, lambda content: content["method"].update(url=url))
    refused(summed(folder), "method.url")


@pytest.mark.parametrize("slug", ["../../x", ".git", "A", "a b", "", "a" * 81, "ⅽon"])
def test_addresses_that_are_none(folder: Path, slug: str) -> None:
    edit(folder / SHEET, lambda content: content["method"].update(slug=slug))
    refused(summed(folder), "method.slug")


# sheet and runs

SHEETS: dict[str, tuple[Spoil, str]] = {
    "a board that is not": (lambda f: sheet(f, board="ml11"), "did you mean"),
    "rules of yesterday": (lambda f: sheet(f, rules="0.9"), "rules 0.9"),
    "a schema of tomorrow": (lambda f: sheet(f, schema_version=2), "schema_version"),
    "a day to come": (lambda f: sheet(f, date="2999-01-01"), "still to come"),
    "another support": (lambda f: sheet(f, support="trial"), "support"),
    "no author": (lambda f: sheet(f, authors=[]), "authors"),
    "another card": (lambda f: run(f, card_sha256="0" * 64), "another version of the card"),
    "code that was not committed": (lambda f: run(f, dirty=True), "not committed"),
    "a run that failed": (lambda f: run(f, status="failed"), "status"),
    "a task of no board": (lambda f: run(f, task="bandit-5-v1:pulls=10"), "no task of board"),
    "a seed that is not its own": (lambda f: run(f, seed=1), "seed 1 is there 2 times"),
    "another method": (lambda f: run(f, method="bc-demos"), "another method"),
    "a method nobody knows": (lambda f: run(f, method="magic"), "magic"),
    "other settings": (lambda f: run(f, steps=5999), "2 different settings"),
    "an end before the beginning": (lambda f: run(f, finished="2020-01-01T00:00:00+00:00"), "ended before"),
    "an end to come": (lambda f: run(f, finished="2999-01-01T00:00:00+00:00"), "still to come"),
}


@pytest.mark.parametrize("attack", SHEETS)
def test_sheets_and_runs_of_something_else(folder: Path, attack: str) -> None:
    spoil, word = SHEETS[attack]
    spoil(folder)
    refused(folder, word)


# episodes

EPISODES: dict[str, tuple[Spoil, str]] = {
    "none": (lambda f: judgement(f, lambda e: []), "judged 0 times"),
    "doubled": (lambda f: judgement(f, lambda e: [e, e]), "judged 2 times"),
    "one too many": (lambda f: judgement(f, lambda e: [e, replace(e, k=2)]), "episode 2 of 1"),
    "of fewer tasks": (lambda f: retested(f, returns=[-1.0] * 99), "99 tasks"),
    "of other tasks": (lambda f: retested(f, tasks_sha256="0" * 64), "does not draw"),
    "with successes that there are none of": (lambda f: retested(f, success=[1] * 100), "not of this task"),
    "too long": (lambda f: retested(f, lengths=201, eval_steps=20_100), "not between 1 and 200"),
    "of no length": (lambda f: retested(f, lengths=0, eval_steps=0), "not between 1 and 200"),
    "of more steps than they are long": (lambda f: retested(f, eval_steps=1), "1 steps for episodes"),
    "before training ended": (lambda f: retested(f, gradient_steps=10), "judged after 10"),
    "in negative time": (lambda f: retested(f, seconds={"eval": -1.0}), "time that cannot"),
    "diverged more than there were": (lambda f: retested(f, diverged=101), "diverged"),
    "not a number": (lambda f: retested(f, returns=[float("nan")] * 100), "returns"),
    "endless": (lambda f: retested(f, returns=[float("inf")] * 100), "returns"),
    "better by hand": (lambda f: retested(f, returns=[-1.0] * 100), "the episodes say"),
    "of seed 1 missing": (lambda f: judgement(f, lambda e: [], f"{TASK}/seed-1"), "judged 0 times"),
}


@pytest.mark.parametrize("attack", EPISODES)
def test_episodes_that_cannot_have_been(folder: Path, attack: str) -> None:
    spoil, word = EPISODES[attack]
    spoil(folder)
    refused(folder, word)


def test_a_line_that_was_edited(folder: Path) -> None:
    file = folder / RUN / "records.jsonl"
    file.write_text(file.read_text().replace('"lost":0', '"lost":1', 1))
    refused(summed(folder), "checksum")


def test_a_torn_last_line_is_said_and_the_rest_used_only_if_asked(folder: Path) -> None:
    file = folder / RUN / "records.jsonl"
    file.write_text(file.read_text() + '{"kind":"training","env_st')
    refused(summed(folder), "torn")
    assert check(folder, torn=True).sound


# claims

CLAIMS: dict[str, tuple[Spoil, str]] = {
    "a better score": (lambda f: claim(f, score=99.0), "claimed 99.0"),
    "a score that is a little better": (lambda f: claim(f, score=score(f) + 2e-9), "the episodes say"),
    "more seeds": (lambda f: claim(f, seeds=30), "3 seeds"),
    "more tasks": (lambda f: claim(f, tasks=1000), "100 tasks"),
    "another column": (lambda f: claim(f, column="reach"), "its runs are of"),
    "no claim": (lambda f: sheet(f, claims=[]), "claims"),
    "an aggregate of half a board": (lambda f: sheet(f, aggregate=50.0), "aggregate: claimed 50.0"),
}


def score(folder: Path) -> float:
    found: float = json.loads((folder / SHEET).read_text())["claims"][0]["score"]
    return found


@pytest.mark.parametrize("attack", CLAIMS)
def test_claims_are_recomputed(folder: Path, attack: str) -> None:
    spoil, word = CLAIMS[attack]
    spoil(folder)
    refused(folder, word)


def test_a_budget_above_the_board_s(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metairl.tasks import catalogue

    small = {name: card.model_copy(update={"max_steps": 100}) for name, card in catalogue.boards().items()}
    monkeypatch.setattr(catalogue, "boards", lambda: small)
    refused(folder, "the board allows 100")


# the command


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch pwned",)


def test_no_code_of_a_submission_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(folder, f"{RUN}/checkpoint/000000006000.pt", pickle.dumps(Trap(), protocol=2))
    assert main(["board", "check", str(summed(folder))]) == 0  # bytes like others, until somebody loads them
    from metairl.boards.pack import networks
    from metairl.core.errors import Refused

    with pytest.raises(Refused, match="cannot be read"):
        networks(Bundle(folder), RUN)
    assert not (tmp_path / "pwned").exists()


def test_the_command_says_what_and_exits_10(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "check", str(folder)]) == 0
    assert "sound" in capsys.readouterr().out
    assert main(["board", "check", str(sheet(folder, rules="0.9"))]) == 10
    assert "rules 0.9" in capsys.readouterr().err
    assert main(["board", "check", str(folder), "--json"]) == 10
    said = json.loads(capsys.readouterr().out)
    assert said["sound"] is False and said["findings"][0]["rule"] == "sheet"
    assert main(["board", "check", str(folder / "nowhere")]) == 10


def test_the_schema_is_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False and "claims" in schema["required"]


@pytest.mark.parametrize(
    "path", sorted(making.RECORDS.glob(f"*/*/{SHEET}")), ids=lambda path: path.parent.name
)
def test_committed_submissions_are_sound(path: Path) -> None:
    assert check(path.parent).findings == []
