"""A nail and a hammer."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
