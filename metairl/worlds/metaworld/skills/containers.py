"""Into or out of something: a hole, a bin, a box, a shelf."""

from metairl.worlds.metaworld.view import Skill

SKILLS: dict[str, Skill] = {}
