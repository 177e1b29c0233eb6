"""A mug, pushed under a coffee machine and pulled away."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
