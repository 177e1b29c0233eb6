"""How the metaworld package counts success in meta-testing, to read published numbers beside ours.

    some goals of every test skill act at the same time, each in its lane
    10 episodes to adapt, of full length
    then episodes that end as soon as they succeed: of every skill the first 3 to finish anywhere are counted
    all that again with other goals, while there are any, 10 times at most

The first to finish are those that succeed: a policy that solves one goal in four scores 1, since the lane of
that goal finishes three times before the others do once. `protocol` counts every goal alike instead.
Lanes that finish in the same step are counted in their order. Memory is kept, as in our own protocol.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.interfaces import Policy
from metairl.core.rng import stream
from metairl.core.rollout import Interaction
from metairl.core.types import PolicyInputs
from metairl.envs import make
from metairl.envs.engines import Kind
from metairl.envs.metaworld import MetaWorld
from metairl.tasks.cards import TaskCard
from metairl.tasks.metaworld_boxes import NAMES
from metairl.tasks.sampling import TaskSet

ADAPTING, COUNTED = 10, 3  # episodes
ROUNDS = 10
BATCH = {25: 50, 45: 45}  # lanes, by how many skills are trained on: those of metaworld-algorithms' examples
USUAL = 20  # elsewhere: the package's own default


@dataclass(frozen=True)
class Pooled:
    success: dict[str, float]  # by skill

    @property
    def mean(self) -> float:
        return sum(self.success.values()) / len(self.success)


def pooled_test(
    policy: Policy, card: TaskCard, tasks: TaskSet, inputs: PolicyInputs, seed: int, engine: Kind = "cpu"
) -> Pooled:
    if card.arm is None or card.arm.sees_goal:
        raise UsageError(f"the package's way to count is for meta-testing on Meta-World, not for '{card.id}'")
    goals = tasks.tasks["goal"][:, 0]
    lanes = BATCH.get(len(card.skill_goals.train), USUAL) // len(set(goals.tolist()))
    fewest = int(goals.long().bincount()[goals.long()].min())
    lanes = min(lanes, fewest)
    mask = torch.zeros(2, len(NAMES))  # episodes, and those of them with success
    for round_ in range(min(ROUNDS, fewest // lanes)):
        rows = _goals_of_every_skill(goals, lanes, first=round_ * lanes)
        chance, choice = (stream("pooled", name, card.id, seed, round_) for name in ("world", "act"))
        env = make(card, tasks[rows], chance, engine)
        assert isinstance(env, MetaWorld)
        mask += _round(Interaction(policy, env, choice, inputs), env)
    there = mask[0] > 0
    rates = mask[1, there] / mask[0, there]
    names = [NAMES[skill] for skill in there.nonzero().flatten().tolist()]
    return Pooled(dict(zip(names, rates.tolist(), strict=True)))


def _goals_of_every_skill(skill: Tensor, count: int, first: int) -> Tensor:
    """Rows of the next so many goals of each."""
    rows = [(skill == kind).nonzero().flatten() for kind in sorted(set(skill.tolist()))]
    return torch.cat([own[first : first + count] for own in rows])


@torch.no_grad()
def _round(play: Interaction, env: MetaWorld) -> Tensor:
    """[2, skills]: episodes counted, and those of them with success."""
    skill = env.task[:, : len(NAMES)].argmax(1)
    mask = torch.zeros(2, len(NAMES))
    for _ in range(ADAPTING * env.horizon):
        play.step()
    env.ends_with_success = True
    while (mask[0, skill] < COUNTED).any():
        *_, step = play.step()
        for lane in step.done.nonzero().flatten().tolist():
            if mask[0, skill[lane]] < COUNTED:
                mask[:, skill[lane]] += torch.tensor([1.0, float(step.success[lane])])
    return mask
