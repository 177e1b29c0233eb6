"""ENCODERS: every encoder by its name. A line here is all it takes to be listed, trained and tested."""

from metairl.agents.encoders import care, focal, none, oracle, pearl, rl2, snail
from metairl.core.types import Part

ENCODERS: dict[str, Part] = {
    "none": Part(none.NoEncoder),
    "oracle": Part(oracle.Oracle, oracle.Config()),
    "care": Part(care.Care, care.Config()),
    "pearl": Part(pearl.Pearl, pearl.Config()),
    "focal": Part(focal.Focal, focal.Config()),
    "rl2": Part(rl2.RL2, rl2.Config()),
    "snail": Part(snail.Snail, snail.Config()),
}
