"""Doors: open, close, lock, unlock."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
