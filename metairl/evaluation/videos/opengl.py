"""Which OpenGL MuJoCo draws with, found by drawing one frame with each that may do.

MuJoCo reads MUJOCO_GL when it is imported and then draws with that or not at all; without a screen its
own choice is not at all.
"""

import os
import subprocess
import sys
from importlib import import_module, reload

from metairl.core.errors import UsageError

FRAME = "import mujoco; mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 16, 16).render()"
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
INSTALL = "Debian: apt-get install libegl1 libgl1, or libosmesa6"


def choose() -> None:
    """Make mujoco.Renderer work in this process, or say what is missing."""
    backend = find()
    if backend is None:
        raise UsageError(f"no OpenGL draws here (tried {', '.join(candidates())}); {INSTALL}")
    if os.environ.get("MUJOCO_GL") != backend:
        os.environ["MUJOCO_GL"] = backend
        reload(import_module("mujoco.rendering.classic.gl_context"))  # it has read the variable already


def find() -> str | None:
    """The first that works."""
    return next(filter(_draws, candidates()), None)


def candidates() -> tuple[str, ...]:
    """What the person says in MUJOCO_GL, else what needs no screen after what needs one."""
    if asked := os.environ.get("MUJOCO_GL"):
        return (asked,)
    match sys.platform:
        case "darwin":
            return ("cgl",)
        case "win32":
            return ("glfw",)
        case _:
            return ("glfw", "egl", "osmesa") if any(map(os.environ.get, SCREENS)) else ("egl", "osmesa")


def _draws(backend: str) -> bool:
    """A renderer that fails may take its process along, so each is tried in a process of its own."""
    command, env = [sys.executable, "-c", FRAME], os.environ | {"MUJOCO_GL": backend}
    try:
        drawn = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return False
    return drawn.returncode == 0
