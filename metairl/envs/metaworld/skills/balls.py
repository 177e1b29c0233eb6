"""Soccer, basketball, and what is swept away."""

import torch
from torch import Tensor

from metairl.envs.metaworld.grasping import Grip, grasp, squeeze
from metairl.envs.metaworld.shaping import both, distance, norm, tolerance
from metairl.envs.metaworld.view import Now, Scene, Skill, Verdict, Was

SLACK, SLACK_BY_HOLE = 0.01, 0.005  # beyond its radius, within which a thing is squeezed

FOOTBALL = Grip(radius=0.013, pad=0.05, xz=0.005)
POSTS, LINE = 0.1, 0.1  # a ball so far beside the goal, past a line so far before it, misses
IN_GOAL = 0.07

BASKETBALL = Grip(radius=0.025, pad=0.06, xz=0.005)
HOOP, IN_HOOP = 0.3, 0.08  # the ball is wanted so high, somewhat above the hoop, and so near
AT_HAND = 0.035  # fingertips so near to the ball may hold it

BLOCK = Grip(radius=0.02, pad=0.05, xz=0.005)
BLOCK_BY_HOLE = Grip(radius=0.02, pad=0.05, xz=0.01)
SWEPT = 0.05  # so near to its target a block is swept


def sees_football(scene: Scene) -> list[Tensor]:
    return [scene.body("soccer_ball"), scene.geom_quat("objGeom")]  # the geom turns as the body does


def sees_basketball(scene: Scene) -> list[Tensor]:
    return [scene.body("bsktball"), scene.body_quat("bsktball")]


def sees_block(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.body_quat("obj")]


def sees_block_by_hole(scene: Scene) -> list[Tensor]:
    return [scene.body("obj"), scene.geom_quat("objGeom")]


def soccer(now: Now, was: Was) -> Verdict:
    ball, goal = now.object, was.target
    sideways = torch.tensor([3.0, 1.0, 1.0]).to(ball)
    away = norm((ball - goal) * sideways)
    gone = norm((ball - was.object) * sideways)  # the package calls it the way to go, but it is the way gone
    in_place = tolerance(away, 0.0, IN_GOAL, gone)
    line = goal[:, 1] - LINE
    misses = (ball[:, 1] > line) & ((ball[:, 0] - goal[:, 0]).abs() > POSTS)
    beyond = (ball[:, 1] - line) / (1 - line)
    in_place = torch.where(misses, (in_place - 2 * beyond).clamp(0, 1), in_place)
    reward = 3 * squeeze(now, was, FOOTBALL, SLACK, ball) + 6.5 * in_place
    return Verdict(torch.where(away < IN_GOAL, 10.0, reward), distance(ball, goal) <= IN_GOAL)


def hoop(scene: Scene) -> Tensor:
    """Where the package's site "goal" is; it moves that site, which MuJoCo ignores and Warp would not."""
    return scene.body("hooplink")


def basketball(now: Now, was: Was) -> Verdict:
    ball = now.object
    target = hoop(now.scene).clone()  # as in the package, where it is now
    target[:, 2] = HOOP
    upward = torch.tensor([1.0, 1.0, 2.0]).to(ball)
    away = norm((ball - target) * upward)
    in_place = tolerance(away, 0.0, IN_HOOP, norm((was.object - target) * upward))
    lifted = ball[:, 2] - 0.01 > was.object[:, 2]
    held = (distance(ball, now.scene.tcp) < AT_HAND) & (now.opened > 0) & lifted
    grasped = torch.where(held, 1.0, grasp(now, was, BASKETBALL, ball))
    reward = both(grasped, in_place)
    reward = torch.where(held, reward + 1 + 5 * in_place, reward)
    return Verdict(torch.where(away < IN_HOOP, 10.0, reward), away <= IN_HOOP)


def sweep(now: Now, was: Was) -> Verdict:
    return _swept(now, was, was.target, squeeze(now, was, BLOCK, SLACK, now.object))


def sweep_into(now: Now, was: Was) -> Verdict:
    """However deep the block falls."""
    hole = torch.cat([was.target[:, :2], now.object[:, 2:]], dim=1)
    return _swept(now, was, hole, squeeze(now, was, BLOCK_BY_HOLE, SLACK_BY_HOLE, now.object))


def _swept(now: Now, was: Was, target: Tensor, grasped: Tensor) -> Verdict:
    away = distance(now.object, target)
    in_place = tolerance(away, 0.0, SWEPT, distance(was.object, target))
    reward = 2 * grasped + 6 * both(grasped, in_place)
    return Verdict(torch.where(away < SWEPT, 10.0, reward), away <= SWEPT)


SKILLS = {
    "basketball-v3": Skill(sees_basketball, basketball, goal=hoop),
    "soccer-v3": Skill(sees_football, soccer),
    "sweep-into-v3": Skill(sees_block_by_hole, sweep_into),
    "sweep-v3": Skill(sees_block, sweep),
}
