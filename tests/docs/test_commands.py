"""Every `metairl train` line of the pages names a method, a task and settings that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from metairl.agents.encoders import ENCODERS
from metairl.experiments.request import make_request
from metairl.methods.registry import METHODS, find
from metairl.methods.settings import settings_type
from metairl.tasks import catalogue

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINE = re.compile(r"^metairl train (.+?)(?:\s+#.*)?$", re.MULTILINE)
FLAG = re.compile(r"`--((?:learner|encoder|recipe|adapt|alone)\.[\w.-]+?)[ `]")
COMMANDS = [(page.name, words) for page in PAGES for words in LINE.findall(page.read_text(encoding="utf-8"))]


def test_there_are_many() -> None:
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("page, words", COMMANDS)
def test_a_command_can_be_asked_for(page: str, words: str) -> None:
    name, task, *flags = shlex.split(words)
    options = dict(zip(flags[::2], flags[1::2], strict=False))
    encoder, regime = options.get("--encoder"), options.get("--regime")
    method = find(name, regime)
    catalogue.task(task)
    request = make_request(name, task, encoder, regime=regime)
    for flag in flags:
        if flag.startswith("--") and "." in flag:
            assert has(request.settings, flag[2:]), flag
    assert method.name == name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_the_text_exist_in_some_method(page: Path) -> None:
    for flag in FLAG.findall(page.read_text(encoding="utf-8")):
        assert any(has(settings, flag) for settings in all_settings()), flag


def all_settings() -> list[Any]:
    """Default settings of every method with every encoder, in every regime."""
    found = []
    for method in METHODS.values():
        for under in map(method.under, method.regimes):
            encoders = {under.encoder, *(ENCODERS if under.any_encoder else ())}
            found += [settings_type(under, encoder)() for encoder in encoders]
    return found


def has(settings: Any, flag: str) -> bool:
    """Whether there is such a setting; `--encoder.no-sampling` switches `sampling` off."""
    for part in flag.rstrip("….").replace("-", "_").split("."):
        name = part if hasattr(settings, part) else part.removeprefix("no_")
        if not hasattr(settings, name):
            return False
        settings = getattr(settings, name)
    return True
