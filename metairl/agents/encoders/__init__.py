"""ENCODERS: a name to (class, its Config). A line here is all it takes to be listed, trained and tested."""

from typing import Any

from metairl.agents.encoders import care, focal, none, oracle, pearl, rl2, snail
from metairl.core.types import NoConfig

ENCODERS: dict[str, tuple[Any, Any]] = {
    "none": (none.NoEncoder, NoConfig),
    "oracle": (oracle.Oracle, oracle.Config),
    "care": (care.Care, care.Config),
    "pearl": (pearl.Pearl, pearl.Config),
    "focal": (focal.Focal, focal.Config),
    "rl2": (rl2.RL2, rl2.Config),
    "rl2-lstm": (rl2.RL2, rl2.LSTM),
    "snail": (snail.Snail, snail.Config),
}
