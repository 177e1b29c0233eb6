"""Rolls out a policy for one trial in every lane of an env. Tensors stay on their device throughout.

A lane is one env of a batch. Where episodes may end early, a lane that has finished its K episodes is idle
until all have. Steps of idle lanes are masked, and once half of the lanes are idle the rollout goes on with
the others only, if the env supports it (`SubsettableEnv`).
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from metairl.core.interfaces import Env, Policy, SubsettableEnv
from metairl.core.types import Context, Outcome, PolicyInputs, Step, Trial, encode_action, flatten_state

StepOfLanes = tuple[Tensor, Tensor | None, Tensor, Step, Tensor]  # obs, noise, action, env step, mask
CHECK_EVERY = 16  # steps between checks for idle lanes


@torch.no_grad()
def rollout(
    policy: Policy,
    env: Env,
    rng: Generator,
    inputs: PolicyInputs,
    keep_next_obs: bool = False,
    memory_every: int | None = None,
) -> Trial:
    """One trial of each lane, with observations and actions.

    `keep_next_obs`: next observations too. `memory_every`: the policy's memory before every so many steps too.
    """
    task = env.task
    memories: list[Tensor] = []
    obs, noise, actions, steps, mask = zip(
        *_steps(policy, env, rng, inputs, memory_every, memories), strict=True
    )
    return Trial(
        obs=torch.stack(obs, dim=1),
        action=torch.stack(actions, dim=1),
        outcome=_outcome(steps, mask),
        task=task,
        actions=env.spec.actions,
        next_obs=torch.stack([step.next_obs for step in steps], dim=1) if keep_next_obs else None,
        noise=torch.stack(noise, dim=1) if inputs.noise_dim else None,
        shaped=None if steps[0].shaped is None else torch.stack([step.shaped for step in steps], dim=1),
        memory=torch.stack(memories, dim=1) if memory_every else None,
    )


@torch.no_grad()
def rollout_outcome(policy: Policy, env: Env, rng: Generator, inputs: PolicyInputs) -> Outcome:
    """One trial of each lane, without observations and actions, which saves their memory."""
    steps, mask = zip(*((step, mask) for *_, step, mask in _steps(policy, env, rng, inputs)), strict=True)
    return _outcome(steps, mask)


class Interaction:
    """A policy acting in every lane of an env, one step at a time, with its memory and its next input."""

    def __init__(self, policy: Policy, env: Env, rng: Generator, inputs: PolicyInputs):
        self.policy, self.env, self.rng = policy, env, rng
        lanes, actions = env.lanes, env.spec.actions
        self.memory = policy.initial(lanes)
        self.context = Context(
            obs=env.reset()[:, None],
            prev_action=torch.zeros(lanes, 1, actions),
            prev_reward=torch.zeros(lanes, 1) if inputs.reward else None,
            prev_done=torch.zeros(lanes, 1),
            task=env.task if inputs.task else None,
            noise=torch.randn(lanes, 1, inputs.noise_dim, generator=rng) if inputs.noise_dim else None,
        )

    def step(self) -> tuple[Context, Tensor, Step]:
        """The policy's input, its action, and the env's step."""
        context = self.context
        action, self.memory = self.policy.act(context, self.memory, self.rng)
        step = self.env.step(action)
        self.context = Context(
            obs=step.obs[:, None],
            prev_action=encode_action(action, self.env.spec.actions)[:, None],
            prev_reward=None if context.prev_reward is None else step.reward[:, None],
            prev_done=step.done.float()[:, None],
            task=context.task,
            noise=None if context.noise is None else self._next_noise(context.noise, step.done),
        )
        return context, action, step

    def _next_noise(self, noise: Tensor, done: Tensor) -> Tensor:
        """Resampled where an episode begins."""
        return torch.randn(noise.shape, generator=self.rng).where(done[:, None, None], noise)

    def keep_lanes(self, env: SubsettableEnv, rows: Tensor) -> None:
        """Drops all other lanes; rows: [B] bool."""
        self.env, self.context = env.select(rows), self.context[rows]
        self.memory = tuple(memory[rows] for memory in self.memory)


def _steps(
    policy: Policy,
    env: Env,
    rng: Generator,
    inputs: PolicyInputs,
    memory_every: int | None = None,
    memories: list[Tensor] | None = None,
) -> Iterator[StepOfLanes]:
    """The steps of a trial, up to the one where every lane has finished it; memories go to `memories`."""
    spec, lanes = env.spec, env.lanes
    interaction = Interaction(policy, env, rng, inputs)
    episode, active = torch.zeros(lanes), torch.arange(lanes)
    for t in range(spec.steps):
        mask = episode < spec.episodes
        if t % CHECK_EVERY == 0:
            if not mask.any():
                return
            if isinstance(interaction.env, SubsettableEnv) and 2 * mask.sum() <= len(mask):
                interaction.keep_lanes(interaction.env, mask)
                episode, active, mask = (x[mask] for x in (episode, active, mask))
        if memory_every and memories is not None and t % memory_every == 0:
            flat = flatten_state(interaction.memory)
            memories.append(flat.new_zeros(lanes, flat.shape[1]).index_copy_(0, active, flat))
        context, action, step = interaction.step()
        yield _in_all_lanes(lanes, active, context, action, step, mask)
        episode = episode + step.done


def _in_all_lanes(
    lanes: int, active: Tensor, context: Context, action: Tensor, step: Step, mask: Tensor
) -> StepOfLanes:
    """A step of the active lanes in the rows of all lanes; zeros in the other rows."""
    obs, noise = context.obs[:, 0], None if context.noise is None else context.noise[:, 0]
    if len(active) == lanes:
        return obs, noise, action, step, mask

    def scatter(x: Tensor) -> Tensor:
        return x.new_zeros(lanes, *x.shape[1:]).index_copy_(0, active, x)

    all_lanes = Step(**{name: scatter(value) for name, value in vars(step).items() if value is not None})
    return scatter(obs), None if noise is None else scatter(noise), scatter(action), all_lanes, scatter(mask)


def _outcome(steps: tuple[Step, ...], mask: tuple[Tensor, ...]) -> Outcome:
    return Outcome(
        reward=torch.stack([step.reward for step in steps], dim=1),
        done=torch.stack([step.done for step in steps], dim=1),
        terminated=torch.stack([step.terminated for step in steps], dim=1),
        success=torch.stack([step.success for step in steps], dim=1),
        mask=torch.stack(mask, dim=1),
        diverged=torch.stack(
            [torch.zeros_like(step.done) if step.diverged is None else step.diverged for step in steps], dim=1
        ),
    )
