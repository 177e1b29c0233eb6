"""The one place that touches the `metaworld` package's environments: classes, scenes, how an episode begins.

metaworld 3.0.0 was written for an older MuJoCo, whose welds had one number less; its own reset of them fails
with every scene. The new number says where a weld's relative pose comes from, and 0 keeps the old way.

Task objects of the package are pickles, which can run code; none is ever read here. A goal is six numbers.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from metairl.core.errors import CardError, UsageError, nearest

VERSION = "3.0.0"
SCENES = "1d3d4b288d02cd639a800cf4320c7f00eaecd247d6382c93d7bfbfbd35f14fce"
STATE = ("qpos", "qvel", "mocap_pos", "mocap_quat", "qacc_warmstart")
FIXTURES = ("body_pos", "site_pos")  # what the beginning of an episode moves in a model
LONGEST = 7  # numbers of a remembered value: a place and an orientation
Rows = dict[str, NDArray[np.float64]]


@cache
def package() -> Any:
    """The installed package, mended."""
    try:
        found = version("metaworld")
    except PackageNotFoundError:
        raise UsageError("Meta-World tasks need a package: pip install metaworld==3.0.0") from None
    if found != VERSION:
        raise UsageError(f"Meta-World tasks are those of metaworld {VERSION}, and {found} is installed")
    import metaworld
    from metaworld import sawyer_xyz_env

    if _fingerprint(Path(metaworld.__file__).parent / "assets") != SCENES:
        again = f"pip install --force-reinstall --no-deps metaworld=={VERSION}"
        raise UsageError(f"the scenes of metaworld are not those of its version {VERSION}; {again}")

    arm: Any = sawyer_xyz_env.SawyerMocapBase
    arm.reset_mocap_welds = lambda env: reset_welds(env.model)
    return metaworld


def _fingerprint(assets: Path) -> str:
    """Of every scene and mesh, names and bytes."""
    found = hashlib.sha256()
    for file in sorted(path for path in assets.rglob("*") if path.suffix in (".xml", ".stl")):
        found.update(str(file.relative_to(assets).as_posix()).encode() + file.read_bytes())
    return found.hexdigest()


def reset_welds(model: mujoco.MjModel) -> None:
    """By which the hand follows its mocap: [0, 0, 0, 0, 0, 0, −1, 0, 0, 0, 5] and now a 0."""
    welds = model.eq_type == mujoco.mjtEq.mjEQ_WELD
    model.eq_data[welds] = 0.0
    model.eq_data[welds, 6], model.eq_data[welds, 10] = -1.0, 5.0


def classes() -> dict[str, Any]:
    """The class of every skill."""
    package()
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    return dict(ALL_V3_ENVIRONMENTS)


def scene(skill: str) -> Path:
    """The file of a skill's scene."""
    known = classes()
    if skill not in known:
        raise CardError(f"no Meta-World task '{skill}'; {nearest(skill, known)}")
    kind = known[skill]
    return Path(kind.model_name.fget(kind))


def make(skill: str) -> Any:
    """One environment of the package, waiting for a goal, which it will show."""
    env = classes()[skill]()
    env._partially_observable = False
    env._set_task_called, env._freeze_rand_vec = True, True
    env.__dict__.pop("sawyer_observation_space", None)  # kept from when its goal was hidden
    return env


def begin(env: Any, goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is seen first in an episode with this goal, one that its box allows: others it redraws forever."""
    env._last_rand_vec = goal[: env._random_reset_space.low.size].copy()
    seen: NDArray[np.float64] = env.reset()[0]
    return seen


def started(env: Any, goal: NDArray[np.float64]) -> Rows:
    """All that an episode begins with, a row each: state, fixtures, what is seen, what is remembered."""
    seen = begin(env, goal)
    rows = {name: getattr(env.data, name).flatten() for name in STATE}
    rows |= {name: getattr(env.model, name).flatten() for name in FIXTURES}
    rows |= {"goal_low": env.goal_space.low, "goal_high": env.goal_space.high}
    rows |= {"target": env._target_pos.copy(), "seen": seen[:18]}
    remembered = dict(_remembered(env))
    env.step(np.zeros(4, np.float32))  # what one skill remembers only then, before anything can be touched
    return rows | {f"was.{name}": value for name, value in (dict(_remembered(env)) | remembered).items()}


def _remembered(env: Any) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Numbers that an environment keeps of its beginning; not those that are live views of its simulation."""
    for name, value in vars(env).items():
        if isinstance(value, int | float | np.ndarray) and not isinstance(value, bool):
            array = np.asarray(value)
            if array.size <= LONGEST and array.dtype.kind in "fi" and not _is_live(env, array):
                yield name, array.astype(np.float64).flatten()


def _is_live(env: Any, array: NDArray[Any]) -> bool:
    return any(
        np.shares_memory(array, part) for part in (env.data.xpos, env.data.site_xpos, env.data.geom_xpos)
    )
