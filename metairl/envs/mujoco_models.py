"""MuJoCo models by name, and the parts of them that a card may change."""

from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import torch
from mujoco.batch import MODEL_FIELDS
from torch import Tensor

from metairl.core.errors import CardError, nearest
from metairl.envs.engines import FORCES

ASSETS = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
FIELDS = frozenset(name for name in MODEL_FIELDS if not name.startswith("opt."))
PARTS = {  # how a field's name begins, what its rows are, and how many a model has
    "body": ("body", "nbody"),
    "geom": ("geom", "ngeom"),
    "jnt": ("joint", "njnt"),
    "dof": ("joint", "njnt"),
    "actuator": ("actuator", "nu"),
}


@cache
def compiled(xml: str, reads: tuple[str, ...]) -> mujoco.MjModel:
    """One of Gymnasium's models by file name, or any by its path.

    Where contact forces are read, a sensor that nobody reads is added: it makes MuJoCo compute them.
    """
    path = ASSETS / xml
    if not path.is_file():
        raise CardError(
            f"no model '{xml}'; {nearest(xml, sorted(file.name for file in ASSETS.glob('*.xml')))}"
        )
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        if FORCES in reads:
            acceleration, body = mujoco.mjtSensor.mjSENS_FRAMELINACC, mujoco.mjtObj.mjOBJ_BODY
            spec.add_sensor(type=acceleration, objtype=body, objname=spec.worldbody.first_body().name)
        mass, spec.compiler.settotalmass = spec.compiler.settotalmass, -1  # it warns of this one
        model = spec.compile()
        if mass > 0:
            mujoco.mj_setTotalmass(model, mass)
            mujoco.mj_setConst(model, mujoco.MjData(model))
        return model
    except (ValueError, OSError) as fault:
        raise CardError(f"{path}: MuJoCo cannot read it ({fault})") from None


def factor(model: mujoco.MjModel, field: str, by: Tensor) -> Tensor:
    """What to multiply a field of every lane with, [B, …]: `body_mass`, or `body_mass:torso` of one part."""
    name, _, part = field.partition(":")
    if name not in FIELDS:
        raise CardError(f"no field '{name}' in a MuJoCo model; {nearest(name, FIELDS)}")
    shape = getattr(model, name).shape
    whole = torch.ones(len(by), *shape, dtype=torch.float64)
    rows = _rows(model, name, part) if part else list(range(shape[0]))
    each = by.double().reshape(*by.shape, *(1,) * (whole.dim() - by.dim()))  # one number a row has that row's
    try:
        whole[:, rows] = each.expand_as(whole[:, rows])
    except RuntimeError:
        raise CardError(f"'{field}' is of shape {list(shape)}, not {list(by.shape[1:])}") from None
    return whole


def _rows(model: mujoco.MjModel, field: str, part: str) -> list[int]:
    """Of a field, those that belong to a part by its name: `dof_damping:hip` are the hip joint's."""
    kind, count = PARTS.get(field.partition("_")[0], ("", ""))
    if not kind:
        raise CardError(f"'{field}:{part}': parts of this field have no names")
    parts = {_name(model, named): named for named in map(getattr(model, kind), range(getattr(model, count)))}
    if part not in parts:
        raise CardError(f"'{field}:{part}': no {kind} '{part}'; {nearest(part, filter(None, parts))}")
    return list(parts[part].dofadr) if field.startswith("dof") else [parts[part].id]


def _name(model: mujoco.MjModel, part: Any) -> str:
    """Its own; a motor without one is called by the joint that it moves."""
    return part.name or (model.joint(part.trnid[0]).name if hasattr(part, "trnid") else "")
