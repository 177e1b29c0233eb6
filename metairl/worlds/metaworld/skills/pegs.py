"""Pegs: into a box, out of it."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
