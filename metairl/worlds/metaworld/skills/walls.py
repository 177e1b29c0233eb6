"""What stands in the way: reach, push and pick and place around or over a wall."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
