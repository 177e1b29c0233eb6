"""MuJoCo Warp: thousands of lanes on a CUDA device, in 32-bit floats.

Without such a device the same code runs on Warp's CPU device, slowly: that is how it is tested.

On CUDA a call is captured once as a graph and replayed, so arrays are written in place; only `scale` may
replace one, and then the graphs are captured anew. From the first engine on, torch's work of this thread goes
to Warp's stream, which keeps both in order without a wait.

Contacts and constraints have buffers of fixed size. What does not fit would be left out of the physics
without a word, so every evaluation of forces notes what it needed, and a call that needed more is an error.
Folder of compiled kernels: METAIRL_KERNEL_CACHE, else Warp's own choice.
"""

import copy
import gc
import os
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

import mujoco
import mujoco_warp as mjw
import torch
import warp as wp
from mujoco.batch import MODEL_FIELDS
from torch import Tensor

from metairl.core.errors import PhysicsError
from metairl.envs.engines import FORCES, Use

wp.config.log_level = wp.LOG_ERROR
wp.config.kernel_cache_dir = os.environ.get("METAIRL_KERNEL_CACHE", wp.config.kernel_cache_dir)

CONTACTS_PER_GEOM = 3  # room for so many in every lane, shared by all; a body that lies flat has two
HUGE = 1e10  # where MuJoCo, too, calls a state diverged
SPILLS = int(mjw.OverflowType.NJMAX_NNZ | mjw.OverflowType.CCD)  # of buffers whose sizes follow from these
STATE = ("time", "qpos", "qvel", "act", "ctrl", "qacc_warmstart", "xfrc_applied", "mocap_pos", "mocap_quat")
CONSTANTS = (  # that follow from other fields of a model and that dynamics depend on
    "body_subtreemass",
    "body_invweight0",
    "dof_invweight0",
    "tendon_length0",
    "tendon_invweight0",
    "actuator_acc0",
    "geom_aabb",
    "geom_rbound",
    "eq_data",
)


class Gpu:
    def __init__(self, model: mujoco.MjModel, lanes: int, use: Use):
        self.lanes, self.reads, self.plain, self.current = lanes, use.reads, model, use.current
        self.on_cuda = torch.cuda.is_available()
        _settle(self.on_cuda)
        self.contacts, self.constraints = room(model)
        self.model = mjw.put_model(solved_by_newton(model))
        self.data = mjw.make_data(model, nworld=lanes, nconmax=self.contacts, njmax=self.constraints)
        self._set_options()
        self.graphs: dict[Hashable, Any] = {}
        self.chosen, self.needed = wp.zeros(lanes, dtype=bool), wp.zeros(lanes, dtype=int)
        self.needed_by_all = wp.zeros(1, dtype=int)
        self.fields = {name: self._view(name) for name in {"qpos", "qvel", "ctrl", *use.reads}}
        self.start = wp.to_torch(self.model.qpos0)
        self.diverged = torch.zeros_like(wp.to_torch(self.chosen))

    def field(self, name: str) -> Tensor:
        if name not in self.fields:
            self.fields[name] = self._view(name)
        return self.fields[name]

    def scale(self, name: str, factor: Tensor, lanes: Tensor | None = None) -> None:
        for follows in CONSTANTS:
            self._give_each_lane_its_own(follows)
        self.assign(name, torch.from_numpy(getattr(self.plain, name)) * factor, lanes)
        mjw.set_const(self.model, self.data)

    def assign(self, name: str, values: Tensor, lanes: Tensor | None = None) -> None:
        before = self._positions()
        self._give_each_lane_its_own(name)
        field = wp.to_torch(getattr(self.model, name))
        chosen = torch.ones_like(self.diverged) if lanes is None else lanes.to(self.diverged)
        field[chosen] = values.to(field)
        self._take_along(self._positions() - before)
        self.graphs.clear()
        self.fields.update({name: self._view(name) for name in self.reads if name in MODEL_FIELDS})

    def _positions(self) -> Tensor:
        mjw.kinematics(self.model, self.data)
        where: Tensor = wp.to_torch(self.data.xpos)
        return where.clone()

    def _take_along(self, moved: Tensor) -> None:
        """Geoms of fixed bodies; Warp places them once, with its data, wherever their bodies go later."""
        bodies = torch.from_numpy(self.plain.geom_bodyid.copy()).to(moved.device)
        fixed = torch.from_numpy(self.plain.body_weldid.copy()).to(moved.device)[bodies] == 0
        wp.to_torch(self.data.geom_xpos)[:, fixed] += moved[:, bodies[fixed]]

    def put(self, lanes: Tensor, start: Mapping[str, Tensor]) -> None:
        """Warp evaluates all lanes; those that were not chosen get back what their own last step left."""
        derived = [self.fields[name] for name in self.reads if name not in MODEL_FIELDS]
        before = [values.clone() for values in derived]
        chosen = wp.to_torch(self.chosen)
        chosen.copy_(lanes)
        self._do("reset", self._reset)
        for name, rows in start.items():
            self.field(name)[chosen] = rows.to(self.field(name))
        self._do("forward", self._forward)
        self._complain_if_short_of_room()
        for values, kept in zip(derived, before, strict=True):
            values.copy_(values.where(chosen.view(-1, *[1] * (values.dim() - 1)), kept))
        if FORCES in self.reads:
            self.fields[FORCES][chosen] = 0.0

    def step(self, substeps: int) -> None:
        self._do(("step", substeps), partial(self._substeps, substeps))
        self._find_lost()
        self._complain_if_short_of_room()
        if self.diverged.any():
            count = int(self.diverged.sum())
            nothing = self.fields["qvel"].new_zeros(count, self.fields["qvel"].shape[1])
            self.put(self.diverged, {"qpos": self.start[:1].expand(count, -1), "qvel": nothing})

    def save(self) -> Tensor:
        return torch.cat(self._state(), dim=1)

    def load(self, state: Tensor) -> None:
        parts = self._state()
        widths = [part.shape[1] for part in parts]
        for part, saved in zip(parts, torch.split(state, widths, dim=1), strict=True):
            part.copy_(saved)

    def _state(self) -> list[Tensor]:
        """[B, …] each, live."""
        parts = (wp.to_torch(getattr(self.data, name)) for name in STATE)
        return [part.view(self.lanes, part[0].numel()) for part in parts]

    def _set_options(self) -> None:
        options = self.model.opt
        options.warn_overflow = 0  # a print inside a kernel; we raise
        options.deterministic = int(mjw.DeterminismType.ALL if self.on_cuda else mjw.DeterminismType.NONE)
        if "sensordata" not in self.reads:  # such as the one that makes mujoco.batch compute forces
            options.disableflags |= mjw.DisableBit.SENSOR
        self.model.callback.control = self._note_needs

    def _do(self, name: Hashable, work: Callable[[], None]) -> None:
        wp.to_torch(self.needed).zero_()
        wp.to_torch(self.needed_by_all).zero_()
        if not self.on_cuda:
            work()
            return
        if name not in self.graphs:
            self.graphs[name] = _captured(work)
        wp.capture_launch(self.graphs[name])

    def _reset(self) -> None:
        mjw.reset_data(self.model, self.data, self.chosen)

    def _forward(self) -> None:
        mjw.forward(self.model, self.data)

    def _substeps(self, count: int) -> None:
        for _ in range(count):
            mjw.step(self.model, self.data)
        self._find_forces()
        if self.current and "sensordata" in self.reads:
            self._forward()
        elif self.current:
            mjw.kinematics(self.model, self.data)

    def _find_forces(self) -> None:
        """From the contacts that the last evaluation found, as Gymnasium asks for them after its steps."""
        if FORCES in self.reads:
            mjw.rne_postconstraint(self.model, self.data)

    def _note_needs(self, model: Any, data: Any) -> None:
        """MuJoCo Warp's hook for controllers: called in every evaluation, after its contacts are known."""
        have, note = (data.nefc, data.nacon, data.ncollision), (self.needed, self.needed_by_all)
        wp.launch(_note, dim=self.lanes, inputs=[*have, *note])

    def _complain_if_short_of_room(self) -> None:
        spilt = (wp.to_torch(self.data.overflow) & SPILLS) != 0
        crowded = ((wp.to_torch(self.needed) > self.constraints) | spilt) & ~self.diverged
        if crowded.any():
            raise PhysicsError(
                f"{int(crowded.sum())} of {self.lanes} lanes have more than {self.constraints} constraints, "
                f"up to {int(wp.to_torch(self.needed).max())}: raise CONTACTS_PER_GEOM in {__file__}"
            )
        found, fit = int(wp.to_torch(self.needed_by_all)), self.contacts * self.lanes
        if found > fit:
            raise PhysicsError(
                f"{self.lanes} lanes have {found} contacts and room for {fit}: "
                f"raise CONTACTS_PER_GEOM in {__file__}"
            )

    def _find_lost(self) -> None:
        state = (self.fields["qpos"], self.fields["qvel"], wp.to_torch(self.data.qacc))
        self.diverged = ~(torch.cat(state, dim=1).abs() < HUGE).all(1)  # so is what is not a number

    def _view(self, name: str) -> Tensor:
        array = getattr(self.model if name in MODEL_FIELDS else self.data, name)
        values: Tensor = wp.to_torch(array)
        return values.expand(self.lanes, *values.shape[1:])

    def _give_each_lane_its_own(self, name: str) -> None:
        """Warp has one row for all lanes until there is a reason for more."""
        shared = getattr(self.model, name)
        if shared.size and shared.shape[0] < self.lanes:
            own = wp.empty((self.lanes, *shared.shape[1:]), dtype=shared.dtype)
            wp.to_torch(own).copy_(wp.to_torch(shared).expand_as(wp.to_torch(own)))
            setattr(self.model, name, own)


@wp.kernel  # type: ignore[untyped-decorator]
def _note(
    constraints: wp.array[int],
    contacts: wp.array[int],
    candidates: wp.array[int],
    most: wp.array[int],
    most_of_all: wp.array[int],
) -> None:
    lane = wp.tid()
    most[lane] = wp.max(most[lane], constraints[lane])
    if lane == 0:
        most_of_all[0] = wp.max(most_of_all[0], wp.max(contacts[0], candidates[0]))


def solved_by_newton(model: mujoco.MjModel) -> mujoco.MjModel:
    """Warp has no PGS, which Gymnasium's humanoid asks for; Newton's method solves the same problem."""
    model = copy.copy(model)
    if model.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
    return model


def room(model: mujoco.MjModel) -> tuple[int, int]:
    """Contacts and constraints for which a lane has room."""
    contacts = CONTACTS_PER_GEOM * model.ngeom
    wide = max(int(model.geom_condim.max(initial=1)), int(model.pair_dim.max(initial=1)))
    pyramid = model.opt.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL
    rows = max(1, 2 * (wide - 1)) if pyramid else wide
    limits, frictions, equalities = model.njnt + 2 * model.ntendon, model.nv + model.ntendon, 6 * model.neq
    return contacts, contacts * rows + limits + frictions + equalities


def _settle(on_cuda: bool) -> None:
    """Warp and torch on one device and, where it has streams, on one stream."""
    if on_cuda:
        device = wp.get_device(f"cuda:{torch.cuda.current_device()}")
        wp.set_device(device)
        torch.cuda.set_stream(wp.stream_to_torch(device))
    else:
        wp.set_device("cpu")


def _captured(work: Callable[[], None]) -> Any:
    """A graph of the work. Garbage collected meanwhile would be freed inside of it, hence not now."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with wp.ScopedCapture() as capture:
            work()
    finally:
        if collecting:
            gc.enable()
    return capture.graph
