"""Handles: pressed and pulled, from the front and from the side."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
