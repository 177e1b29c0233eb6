"""Buttons: from the front, from the top, behind a wall, of a coffee machine."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
