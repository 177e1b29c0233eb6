"""Atomic, verified checkpoints: written to a temporary file, synced, renamed, hashed; the previous one stays.

NUMBER.pt      tensors and plain numbers, loaded with weights_only (code in a file cannot run)
NUMBER.json    its size and SHA-256, since torch does not detect a flipped byte; written last
"""

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import torch

from metairl.core.errors import DamagedFile
from metairl.core.old_names import renamed_state
from metairl.core.records import write_atomically, writing

KEEP = 2  # newest checkpoints of a run


def save(folder: Path, number: int, content: dict[str, Any], keep: int | None = KEEP) -> None:
    """Writes a checkpoint and deletes all but the newest `keep`; None: deletes none."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    manifest = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    write_atomically(folder / f"{number:012d}.pt", data)
    write_atomically(folder / f"{number:012d}.json", (json.dumps(manifest) + "\n").encode())
    with writing(folder):
        for old in _manifests(folder)[keep:] if keep else ():
            old.unlink(missing_ok=True)
            old.with_suffix(".pt").unlink(missing_ok=True)


def load(folder: Path) -> dict[str, Any] | None:
    """The newest intact checkpoint; None if there are no checkpoints."""
    manifests = _manifests(folder)
    for manifest in manifests:
        try:
            return _read(manifest)
        except DamagedFile as fault:
            print(f"{fault}; trying the checkpoint before it", file=sys.stderr)
    if manifests:
        raise DamagedFile(f"{folder}: none of its {len(manifests)} checkpoints is intact")
    return None


def load_all(folder: Path) -> dict[int, dict[str, Any]]:
    """All checkpoints by number, the oldest first."""
    return {int(manifest.stem): _read(manifest) for manifest in reversed(_manifests(folder))}


def _read(manifest: Path) -> dict[str, Any]:
    file = manifest.with_suffix(".pt")
    try:
        expected = json.loads(manifest.read_bytes())["sha256"]
        data = file.read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        raise DamagedFile(f"{file}: the file or its manifest cannot be read") from None
    if hashlib.sha256(data).hexdigest() != expected:
        raise DamagedFile(f"{file}: the file is not as it was written (SHA-256 differs)")
    content: dict[str, Any] = renamed_state(torch.load(io.BytesIO(data), weights_only=True))
    return content


def _manifests(folder: Path) -> list[Path]:
    """Newest first; a .pt without a manifest is an unfinished write and is ignored."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)
