"""What works on this machine: versions, devices, rendering, W&B, disk. Exits with 1 if nothing can train."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tyro

from metairl.cli.show import print_json
from metairl.evaluation.videos import opengl
from metairl.tasks import catalogue

PACKAGES = ("metairl", "torch", "numpy", "mujoco", "mujoco-warp", "metaworld", "gymnasium", "wandb", "einops")


@dataclass(frozen=True)
class Doctor:
    json: bool = False  # print one object
    gpu: bool = False  # measure the gpu engine instead: parity with the cpu engine, speed, memory


def main(words: list[str]) -> int:
    args = tyro.cli(Doctor, prog="metairl doctor", description=__doc__, args=words)
    findings = _gpu() if args.gpu else examine()
    if args.json:
        print_json(findings)
    else:
        for name, finding in findings.items():
            print(f"{name:<12} {finding}")
    return 1 if MISSING in findings.get("torch", "") else 0


MISSING = "not installed"


def examine() -> dict[str, str]:
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "python": sys.version.split()[0],
        **versions,
        "device": _device() if versions["torch"] != MISSING else MISSING,
        "rendering": _rendering(),
        "wandb mode": _wandb_mode() if versions["wandb"] != MISSING else MISSING,
        "tasks": f"{len(catalogue.task_ids())} cards on {', '.join(map(str, catalogue.card_folders()))}",
        "disk": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB free in {Path.cwd()}",
    }


def _gpu() -> dict[str, str]:
    from metairl.cli import gpu_check

    return gpu_check.examine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def _device() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads, {gpu}"


def _rendering() -> str:
    backend = opengl.find()
    return f"works with MUJOCO_GL={backend}" if backend else f"none ({opengl.INSTALL}); only --video needs it"


def _wandb_mode() -> str:
    from metairl.experiments.tracking.wandb_run import chosen

    return chosen("auto")
