"""Windows: open, close."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
