"""Into or out of something: a hole, a bin, a box, a shelf.

A funnel is a floor for the hand around a place, that keeps it off an edge:
0 within a radius r of the place, beyond it slope · ln(distance − r) + height.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.skills.pucks import NEAR, PUCK, in_place, lifted, placed, sees_puck, touches
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

IN_HOLE = Grip(radius=0.015, pad=0.02, xz=0.03, effort=0.1)
IN_BIN = Grip(radius=0.015, pad=0.05, xz=0.01, effort=0.7)
BLOCK = Grip(radius=0.02, pad=0.05, xz=0.01, dense="none")
CLOSE = 0.02  # to the target, after the hole
SHELF = 0.24  # z
WIDE = 0.15  # on either side of the target
DEEP = 3 * NEAR  # in front of the target
HANDLE = (0.0, 0.0, 0.02)  # above a lid
UPRIGHT = (0.707, 0.0, 0.0, 0.707)  # w, x, y, z of a lid


@dataclass(frozen=True)
class Funnel:
    radius: float
    slope: float
    height: float

    def floor(self, hand: Tensor, place: Tensor) -> Tensor:
        beyond = distance(hand[:, :2], place[:, :2]) - self.radius
        return torch.where(beyond > 0, self.slope * beyond.log() + self.height, 0.0)


HOLE_EDGE = Funnel(radius=0.03, slope=0.015, height=0.15)
BIN_EDGE = Funnel(radius=0.03, slope=0.02, height=0.2)
AROUND_LID = Funnel(radius=0.02, slope=0.04, height=0.4)


def above(floor: Tensor, hand: Tensor, margin: Tensor | float) -> Tensor:
    return tolerance((floor - hand[:, 2]).clamp(min=0), 0.0, 0.01, margin)


def sees_block(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.body_quat("obj")]


def sees_lid(scene: Scene) -> list[Tensor]:
    return [scene.body("top_link"), scene.body_quat("top_link")]


def bin_goal(scene: Scene) -> Tensor:
    return scene.body("bin_goal")


def carried(now: Now, was: Was, hand: Tensor, opened: float) -> Tensor:
    """By a gripper that is open wide enough to have the object in it: [B] bool."""
    return (distance(now.object, hand) < 0.04) & lifted(now, was, by=0.02) & (now.opened >= opened)


def out_of_hole(now: Now, was: Was) -> Verdict:
    tcp = now.scene.tcp
    away = distance(now.object, was.target)
    clear = above(HOLE_EDGE.floor(tcp, was.object), tcp, 0.02)
    there = tolerance(away, 0.0, CLOSE, distance(was.object, was.target))
    reward = both(grasp(now, was, IN_HOLE, now.object), there)
    return placed(away, reward, carried(now, was, tcp, 0.33), 1 + 5 * both(there, clear))


def into_bin(now: Now, was: Was) -> Verdict:
    target = bin_goal(now.scene)  # a live view, of what stands still
    away = distance(now.object, target)
    there = tolerance(away, 0.0, NEAR, was["_target_to_obj_init"])  # after the first step
    floor = torch.minimum(BIN_EDGE.floor(now.hand, was.object), BIN_EDGE.floor(now.hand, target))
    clear = above(floor, now.hand, 0.05)
    reward = both(grasp(now, was, IN_BIN, now.object), there)
    return placed(away, reward, carried(now, was, now.hand, 0.43), 1 + 5 * both(clear, there), within=NEAR)


def insert(now: Now, was: Was) -> Verdict:
    away = distance(now.object, was.target)
    there = in_place(away, was)
    reward = both(grasp(now, was, PUCK, now.object), there)
    return placed(away, reward, touches(now), 1 + 7 * there, within=NEAR)


def shelve(now: Now, was: Was) -> Verdict:
    away = distance(now.object, was.target)
    there = in_place(away, was)
    reward = both(grasp(now, was, BLOCK, now.object), there)
    (x, y, z), (shelf_x, shelf_y, _) = now.object.unbind(1), was.target.unbind(1)
    under = (z > 0) & (z < SHELF) & (shelf_x - WIDE < x) & (x < shelf_x + WIDE)
    front = shelf_y - DEEP
    blocked = both((y - front) / DEEP, (SHELF - z) / SHELF)
    there = torch.where(under & (front < y) & (y < shelf_y), (there - blocked).clamp(0, 1), there)
    there = torch.where(under & (y > shelf_y), 0.0, there)
    held = touches(now, within=0.025) & lifted(now, was, by=0.01)
    return placed(away, reward, held, 1 + 5 * there)


def close_box(now: Now, was: Was) -> Verdict:
    quat = now.seen[:, 7:11]
    upright = (1 - distance(quat, quat.new_tensor(UPRIGHT)) / 0.2).clamp(min=0)
    lid = now.object + now.object.new_tensor(HANDLE)
    floor = AROUND_LID.floor(now.hand, lid)
    reached = tolerance(distance(now.hand, lid), 0.0, 0.02, 0.5)
    ready = both(above(floor, now.hand, floor / 2), reached)
    error = norm((was.target - lid) * lid.new_tensor([1.0, 1.0, 3.0]))
    lift = 0.2 * (lid[:, 2] > 0.04).to(lid) + 0.8 * tolerance(error, 0.0, 0.05, 0.25)
    gripping = (now.grip.clamp(-1, 1) + 1) / 2
    success = distance(now.object, was.target) < 0.08
    reward = torch.where(success, 10.0, 2 * both(gripping, ready) + 8 * lift)
    return Verdict(reward * upright, success)


SKILLS = {
    "bin-picking-v3": Skill(sees_block, into_bin, goal=bin_goal),
    "box-close-v3": Skill(sees_lid, close_box),
    "hand-insert-v3": Skill(sees_block, insert),
    "pick-out-of-hole-v3": Skill(sees_block, out_of_hole),
    "shelf-place-v3": Skill(sees_puck, shelve),
}
