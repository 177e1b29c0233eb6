"""Let a policy live through one trial in every lane of a world. No number leaves the device on the way.

A lane whose K episodes are over is still stepped until all lanes are, in worlds whose episodes may end
early; what it does then is marked as not counting.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from metairl.types import Context, Outcome, Policy, Sight, Step, Trial, World, encode_action

Moment = tuple[Tensor, Tensor, Step, Tensor]  # observation, action, what came of it, whether it counts
LOOK = 16  # steps between looks whether any lane still counts


@torch.no_grad()
def rollout(policy: Policy, world: World, rng: Generator, sight: Sight) -> Trial:
    """One trial a lane, with all that was seen and done."""
    obs, actions, steps, counts = zip(*_live(policy, world, rng, sight), strict=True)
    seen, done = torch.stack(obs, dim=1), torch.stack(actions, dim=1)
    return Trial(seen, done, _outcome(steps, counts), world.task, world.spec.actions)


@torch.no_grad()
def outcome(policy: Policy, world: World, rng: Generator, sight: Sight) -> Outcome:
    """One trial a lane, of which only what came of it is kept."""
    steps, counts = zip(
        *((step, counts) for _, _, step, counts in _live(policy, world, rng, sight)), strict=True
    )
    return _outcome(steps, counts)


def _live(policy: Policy, world: World, rng: Generator, sight: Sight) -> Iterator[Moment]:
    spec, lanes = world.spec, world.lanes
    obs = world.reset()
    state = policy.initial(lanes)
    task = world.task if sight.task else None
    action_before, reward, done = torch.zeros(lanes, spec.actions), torch.zeros(lanes), torch.zeros(lanes)
    episode = torch.zeros(lanes)
    for t in range(spec.steps):
        counts = episode < spec.episodes
        if t % LOOK == 0 and not counts.any():
            return
        seen = reward[:, None] if sight.reward else None
        context = Context(obs[:, None], action_before[:, None], seen, done[:, None], task)
        action, state = policy.act(context, state, rng)
        step = world.step(action)
        yield obs, action, step, counts
        obs, reward, done = step.obs, step.reward, step.done.float()
        action_before = encode_action(action, spec.actions)
        episode = episode + done


def _outcome(steps: tuple[Step, ...], counts: tuple[Tensor, ...]) -> Outcome:
    return Outcome(
        reward=torch.stack([step.reward for step in steps], dim=1),
        done=torch.stack([step.done for step in steps], dim=1),
        terminated=torch.stack([step.terminated for step in steps], dim=1),
        success=torch.stack([step.success for step in steps], dim=1),
        counts=torch.stack(counts, dim=1),
    )
