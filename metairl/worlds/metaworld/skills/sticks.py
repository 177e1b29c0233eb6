"""A stick that pushes and pulls a thermos."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
