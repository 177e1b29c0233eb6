"""Soccer, basketball, and what is swept away."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
