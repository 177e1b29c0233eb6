"""A nut with a handle: onto its peg and off."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
