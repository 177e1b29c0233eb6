"""SKILLS: Meta-World's 50 tasks by their names there, each what it sees and how it is judged.

A function here is the package's v2 reward, for many lanes at once: the same terms in the same order, equal to
the package's own on every step that the tests take. Where the package reads a live view of the simulation as
if it were a memory of the beginning, so do we, with a note.
"""

from importlib import import_module

from metairl.envs.metaworld.view import Skill

FAMILIES = (
    "balls",
    "buttons",
    "coffee",
    "containers",
    "doors",
    "drawers",
    "hammer",
    "handles",
    "nuts",
    "pegs",
    "plates",
    "pucks",
    "sticks",
    "turning",
    "walls",
    "windows",
)
SKILLS: dict[str, Skill] = {
    name: skill for family in FAMILIES for name, skill in import_module(f"{__name__}.{family}").SKILLS.items()
}
