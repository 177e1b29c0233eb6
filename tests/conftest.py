"""Every test acts on one thread: numbers repeat, and tests side by side do not fight for cores."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
os.environ["WANDB_MODE"] = "disabled"

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("suite", deadline=None)  # a slow moment of the machine is no failure
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """How episodes of Meta-World begin is kept between test sessions, but not in the home folder."""
    if getattr(config, "cache", None):
        os.environ.setdefault("METAIRL_CACHE", str(config.cache.mkdir("metairl")))


SMALL_LOGS = (
    ("point-robot", "replay"),
    ("point-robot", "expert"),
    ("point-robot", "medium"),
    ("tabular-mdp", "expert"),
    ("tabular-mdp", "medium"),
    ("random-mdp", "expert"),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Commands that a test ran in this process may have set another number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Logs of small tasks, as `metairl collect` makes them."""
    from metairl.cli.main import main

    root = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAIRL_DATA", str(root))
        for task, quality in SMALL_LOGS:
            words = ["collect", task, "--quality", quality, "--episodes", "2", "--tasks", "20"]
            assert main(words) == 0
        yield root
