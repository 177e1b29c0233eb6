"""Plates that slide: forward, back, and to a side."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
