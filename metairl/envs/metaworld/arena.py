"""A skill's scene as a MuJoCo model, without what only shows: a sixth of the memory, the same physics."""

from functools import cache

import mujoco

from metairl.core.errors import UsageError
from metairl.envs.metaworld import official


@cache
def compiled(skill: str, keeps: tuple[str, ...] = (), feels: str = "") -> mujoco.MjModel:
    path = official.scene(skill)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        _undress(spec, keeps)
        if feels:
            _feel(spec, feels)
        model = spec.compile()
    except (ValueError, OSError) as fault:
        raise UsageError(f"{path.name}: MuJoCo cannot read this scene of metaworld ({fault})") from None
    official.reset_welds(model)
    return model


def _undress(spec: mujoco.MjSpec, keeps: tuple[str, ...]) -> None:
    """No materials, and no geoms that touch nothing, unless they are looked at."""
    for part in (*spec.geoms, *spec.sites):
        part.material = ""
    for picture in (*spec.materials, *spec.textures):
        spec.delete(picture)
    for geom in spec.geoms:
        if not (geom.contype or geom.conaffinity or geom.name in keeps):
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in spec.meshes:
        if mesh.name not in used:
            spec.delete(mesh)


def _feel(spec: mujoco.MjSpec, geom: str) -> None:
    """Of each pad's contacts with a geom, the force of the strongest."""
    force, strongest = 1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE), 2
    for pad in ("leftpad_geom", "rightpad_geom"):
        spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_GEOM,
            objname=pad,
            reftype=mujoco.mjtObj.mjOBJ_GEOM,
            refname=geom,
            intprm=[force, strongest, 1],
        )
