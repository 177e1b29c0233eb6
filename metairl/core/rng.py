"""Named random streams: one generator per purpose, so that a draw from one never shifts another."""

import hashlib

import torch


def seed_of(*names: str | int) -> int:
    """63 bits of SHA-256 over the names: the same in every process, unlike `hash`."""
    text = "/".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(*names: str | int) -> torch.Generator:
    """A new generator seeded by these names."""
    return torch.Generator().manual_seed(seed_of(*names))
