"""Meta-World's 50 tasks, stepped in batches, equal to the package's own step by step."""

from metairl.envs.metaworld.env import MetaWorld

__all__ = ["MetaWorld"]
