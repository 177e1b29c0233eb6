"""The gpu engine is MuJoCo in 32-bit floats. Tested on Warp's CPU device where there is no other.

Half-cheetah serves what must stay quick: a second body's kernels take as long to compile as its tests.
"""

import copy
import json

import mujoco
import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

pytest.importorskip("mujoco_warp")

from metairl.agents.exact.metaworld_expert import Scripted
from metairl.cli import gpu_check
from metairl.cli.main import main
from metairl.core.errors import PhysicsError
from metairl.core.rng import stream
from metairl.core.rollout import rollout_outcome
from metairl.core.types import NoConfig, PolicyInputs, Spec
from metairl.envs import engines
from metairl.envs import make as make_world
from metairl.envs.engines import FORCES, gpu
from metairl.envs.engines.parity import begin_alike, drift, drive_alike
from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled
from metairl.tasks import catalogue, sampling

pytestmark = pytest.mark.slow  # the first time, kernels are compiled for a minute or more
LANES = 4
FIELDS = ("xpos", "xipos", "cinert", "cvel", "qfrc_actuator", FORCES, "body_mass")
EVERYONE = torch.ones(LANES, dtype=torch.bool)


@pytest.fixture
def cheetah() -> mujoco.MjModel:
    return compiled(BODIES["half-cheetah"].xml, FIELDS)


def both(model: mujoco.MjModel, lanes: int = LANES) -> tuple[engines.Engine, engines.Engine]:
    return engines.make(model, lanes, FIELDS, "gpu"), engines.make(model, lanes, FIELDS, "cpu")


def assert_same_fields(one: engines.Engine, other: engines.Engine, within: float) -> None:
    for name in FIELDS:
        expected = other.field(name)
        largest = expected.abs().max().clamp(min=1.0).item()
        assert_close(one.field(name).cpu().double(), expected, atol=within * largest, rtol=0, msg=name)


def everything(engine: engines.Engine) -> dict[str, Tensor]:
    return {name: engine.field(name).clone() for name in ("qpos", "qvel", *FIELDS)}


def test_half_cheetah_stays_with_mujoco_for_fifty_steps(cheetah: mujoco.MjModel) -> None:
    apart = drift(cheetah, *both(cheetah, 32), 50, stream("parity"))[-1]
    assert apart.quantile(0.9) < 1e-5
    assert apart.max() < 1e-4  # as far as MuJoCo comes from itself when moved by the same rounding


def test_derived_fields_are_those_of_the_last_evaluation(cheetah: mujoco.MjModel) -> None:
    ours, exact = both(cheetah)
    rng = stream("derived")
    begin_alike(cheetah, (ours, exact), rng)
    assert_same_fields(ours, exact, within=1e-5)
    for _ in range(4):
        drive_alike(cheetah, (ours, exact), 5, rng)
    assert exact.field(FORCES).abs().max() > 1
    assert_same_fields(ours, exact, within=1e-3)
    moved = (ours.field("qpos") - ours.field("qvel") * cheetah.opt.timestep)[:, :1]
    assert_close(ours.field("xpos")[:, 1, :1], moved, atol=1e-5, rtol=0)  # one step behind


def test_every_lane_has_a_model_of_its_own(cheetah: mujoco.MjModel) -> None:
    ours, exact = both(cheetah)
    by = 1 + torch.rand(LANES, cheetah.nbody, generator=stream("mass")).double()
    for engine in (ours, exact):
        engine.scale("body_mass", by)
        engine.scale("body_inertia", by[:, :, None].expand(-1, -1, 3))
        engine.scale("dof_damping", tensor([0.5, 1.0, 2.0, 4.0]).double()[:, None].expand(-1, cheetah.nv))
    assert_close(ours.field("body_mass").cpu().double(), exact.field("body_mass").clone())
    apart = drift(cheetah, ours, exact, 20, stream("models"))
    assert apart.max() < 1e-5
    weights, expected = ours.model.dof_invweight0.numpy(), exact.batch.expand("dof_invweight0")
    assert_close(weights, expected.astype("float32"), atol=0, rtol=1e-5)


def test_beginning_anew_leaves_the_other_lanes_alone(cheetah: mujoco.MjModel) -> None:
    ours, exact = both(cheetah)
    rng = stream("put")
    begin_alike(cheetah, (ours, exact), rng)
    drive_alike(cheetah, (ours, exact), 5, rng)
    chosen, before = tensor([True, False, False, True]), everything(ours)
    for engine in (ours, exact):
        engine.put(chosen, {"qpos": torch.zeros(2, cheetah.nq), "qvel": torch.ones(2, cheetah.nv)})
    for name, values in before.items():
        assert torch.equal(ours.field(name)[~chosen], values[~chosen]), name
    assert_same_fields(ours, exact, within=1e-3)
    assert (ours.field("qvel")[chosen] == 1).all()
    drive_alike(cheetah, (ours, exact), 5, rng)
    assert_close(ours.field("qpos").cpu().double(), exact.field("qpos").clone(), atol=1e-4, rtol=0)


def test_a_saved_simulation_goes_on_to_the_last_bit(cheetah: mujoco.MjModel) -> None:
    ours, exact = both(cheetah)
    rng = stream("save")
    begin_alike(cheetah, (ours, exact), rng)
    drive_alike(cheetah, (ours, exact), 10, rng)
    saved, ways = ours.save(), []
    for _ in range(2):
        ours.load(saved)
        drive_alike(cheetah, (ours, exact), 10, stream("later"))
        ways.append(everything(ours))
        ours.put(EVERYONE, {"qpos": torch.zeros(LANES, cheetah.nq)})
    for name, values in ways[0].items():
        assert torch.equal(ways[1][name], values), name


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e12])
def test_a_lane_that_diverges_is_marked_and_finite(cheetah: mujoco.MjModel, bad: float) -> None:
    ours, exact = both(cheetah)
    begin_alike(cheetah, (ours, exact), stream("lost"))
    ours.field("qvel")[1, 3] = bad
    ours.step(5)
    assert ours.diverged.tolist() == [False, True, False, False]
    assert all(values.isfinite().all() for values in everything(ours).values())
    exact.step(5)
    others = tensor([0, 2, 3])
    assert_close(ours.field("qpos")[others].cpu().double(), exact.field("qpos")[others], atol=1e-5, rtol=0)
    ours.step(5)
    assert not ours.diverged.any()


@pytest.mark.parametrize("room, what", [((27, 3), "4 of 4 lanes have more than 3"), ((1, 126), "room for 4")])
def test_too_little_room_is_an_error(
    cheetah: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch, room: tuple[int, int], what: str
) -> None:
    monkeypatch.setattr(gpu, "room", lambda model: room)
    engine = engines.make(cheetah, LANES, (), "gpu")
    lying = torch.zeros(LANES, cheetah.nq)
    lying[:, 1] = -0.55
    with pytest.raises(PhysicsError, match=what) as fault:
        engine.put(EVERYONE, {"qpos": lying})
    assert "CONTACTS_PER_GEOM" in str(fault.value)
    assert fault.value.code == 8


def test_a_world_of_the_gpu_engine_pays_like_one_of_the_cpu_engine() -> None:
    card = catalogue.task("half-cheetah-vel-heavy")
    tasks = sampling.task_set(card, "validation")[:LANES]
    envs = [make_world(card, tasks, stream("world"), kind) for kind in ("gpu", "cpu")]
    seen = [env.reset() for env in envs]
    assert_close(*seen, atol=1e-5, rtol=0)
    for action in 2 * torch.rand(5, LANES, envs[0].spec.actions, generator=stream("actions")) - 1:
        ours, exact = (env.step(action) for env in envs)
        assert_close(ours.obs, exact.obs, atol=1e-3, rtol=1e-3)
        assert_close(ours.reward, exact.reward, atol=1e-3, rtol=1e-3)
        assert ours.obs.device.type == ours.reward.device.type == ours.done.device.type == "cpu"


def test_doctor_says_that_there_is_no_device(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["doctor", "--gpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"gpu": "skipped: no CUDA device"}


def test_doctor_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        monkeypatch.setattr(gpu_check, "get_device_name", lambda: "Warp's CPU device")
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 3 * 2**30))
    monkeypatch.setattr(gpu_check, "SECONDS", 0.1)
    monkeypatch.setattr(gpu_check, "TIMED", ("half-cheetah",))
    monkeypatch.setattr(gpu_check, "SIZES", (8,))
    found = gpu_check.measure()
    assert list(found) == ["gpu", "half-cheetah parity", "half-cheetah x 8"]
    assert "2.0 GiB" in found["half-cheetah x 8"] or torch.cuda.is_available()


@pytest.mark.parametrize("integrator, within", [("RK4", 1e-3), ("EULER", 1e-2)])
def test_ant_stays_with_mujoco_where_friction_has_no_corners(integrator: str, within: float) -> None:
    """Euler's way is the more sensitive: MuJoCo itself comes 1e-2 away when it begins 1e-6 away."""
    ant = copy.copy(compiled(BODIES["ant"].xml, FIELDS))
    ant.opt.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    ant.opt.integrator = getattr(mujoco.mjtIntegrator, f"mjINT_{integrator}")
    ours, exact = both(ant, 16)
    apart = drift(ant, ours, exact, 100, stream("parity"))[-1]
    assert apart.median() < 1e-3
    assert apart.quantile(0.9) < within
    rng = stream("forces")
    begin_alike(ant, (ours, exact), rng)
    for _ in range(20):
        drive_alike(ant, (ours, exact), 1, rng)
    assert exact.field(FORCES).abs().max() > 1
    assert_same_fields(ours, exact, within=1e-3)


@pytest.mark.parametrize("skill", ["reach", "drawer-open", "pick-place"])
def test_scripted_experts_succeed_at_the_same_steps(skill: str) -> None:
    card = catalogue.task(f"mt1:skill={skill},horizon=120")
    tasks = sampling.task_set(card, "test")[:8]
    policy = Scripted(Spec(39, 4, False, 120, 1, 59), NoConfig())
    kinds: tuple[engines.Kind, ...] = ("cpu", "gpu")
    found = [
        rollout_outcome(
            policy, make_world(card, tasks, stream("world"), kind), stream("act"), PolicyInputs(task=True)
        ).success
        for kind in kinds
    ]
    assert found[0].any(1).sum() >= 7
    assert torch.equal(found[0].int().argmax(1), found[1].int().argmax(1))
