"""What turns: faucets, a dial, a lever."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
