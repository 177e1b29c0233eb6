"""Let a policy live through one trial in every lane of a world. No number leaves the device on the way."""

import torch
from torch import Generator, Tensor

from metairl.types import Context, Policy, Sight, Trial, World, encode_action


@torch.no_grad()
def rollout(policy: Policy, world: World, rng: Generator, sight: Sight) -> Trial:
    spec, lanes = world.spec, world.lanes
    obs = world.reset()
    state = policy.initial(lanes)
    task = world.task if sight.task else None
    action_before, reward, done = torch.zeros(lanes, spec.actions), torch.zeros(lanes), torch.zeros(lanes)
    steps: list[tuple[Tensor, ...]] = []
    for _ in range(spec.steps):
        seen = reward[:, None] if sight.reward else None
        context = Context(obs[:, None], action_before[:, None], seen, done[:, None], task)
        action, state = policy.act(context, state, rng)
        step = world.step(action)
        steps.append((obs, action, step.reward, step.done, step.terminated, step.success))
        obs, reward, done = step.obs, step.reward, step.done.float()
        action_before = encode_action(action, spec.actions)
    obs, actions, rewards, dones, terminated, success = (
        torch.stack(column, dim=1) for column in zip(*steps, strict=True)
    )
    return Trial(obs, actions, rewards, dones, terminated, success, world.task, spec.actions)
