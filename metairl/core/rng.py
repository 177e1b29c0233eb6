"""Named random streams: one generator per purpose, so adding a draw to one moves no other."""

import hashlib

import torch


def seed_of(*names: str | int) -> int:
    """63 bits of SHA-256 over the names: the same everywhere, unlike `hash`."""
    text = "/".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(*names: str | int) -> torch.Generator:
    """The generator that belongs to these names, at its beginning."""
    return torch.Generator().manual_seed(seed_of(*names))
