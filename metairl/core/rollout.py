"""Let a policy live through one trial in every lane of a world. No number leaves the device on the way.

Where episodes may end early, a lane whose K episodes are over is idle until all are. What an idle lane does
is marked as not counting, and once half of the lanes are idle the others go on alone, if the world can.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from metairl.core.interfaces import Env, Policy, SubsettableEnv
from metairl.core.types import Context, Outcome, PolicyInputs, Step, Trial, encode_action, flatten_state

Moment = tuple[
    Tensor, Tensor | None, Tensor, Step, Tensor
]  # seen, chance, done, what came of it, if it counts
LOOK = 16  # steps between looks at which lanes still count


@torch.no_grad()
def rollout(
    policy: Policy,
    env: Env,
    rng: Generator,
    inputs: PolicyInputs,
    final: bool = False,
    every: int | None = None,
) -> Trial:
    """One trial a lane, with all that was seen and done.

    What each step led to as well, if `final`; what was remembered before every so many steps, if asked for.
    """
    task = env.task
    remembered: list[Tensor] = []
    obs, noise, actions, steps, mask = zip(*_live(policy, env, rng, inputs, every, remembered), strict=True)
    return Trial(
        obs=torch.stack(obs, dim=1),
        action=torch.stack(actions, dim=1),
        outcome=_outcome(steps, mask),
        task=task,
        actions=env.spec.actions,
        next_obs=torch.stack([step.next_obs for step in steps], dim=1) if final else None,
        noise=torch.stack(noise, dim=1) if inputs.noise_dim else None,
        shaped=None if steps[0].shaped is None else torch.stack([step.shaped for step in steps], dim=1),
        memory=torch.stack(remembered, dim=1) if every else None,
    )


@torch.no_grad()
def outcome(policy: Policy, env: Env, rng: Generator, inputs: PolicyInputs) -> Outcome:
    """One trial a lane, of which only what came of it is kept."""
    steps, mask = zip(*((step, mask) for *_, step, mask in _live(policy, env, rng, inputs)), strict=True)
    return _outcome(steps, mask)


class Play:
    """A policy at work in every lane of a world, a step at a time, with what it remembers and sees."""

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
        """What was known, what was done, what came of it."""
        before = self.context
        action, self.memory = self.policy.act(before, self.memory, self.rng)
        step = self.env.step(action)
        self.context = Context(
            obs=step.obs[:, None],
            prev_action=encode_action(action, self.env.spec.actions)[:, None],
            prev_reward=None if before.prev_reward is None else step.reward[:, None],
            prev_done=step.done.float()[:, None],
            task=before.task,
            noise=None if before.noise is None else self._noise(before.noise, step.done),
        )
        return before, action, step

    def _noise(self, held: Tensor, done: Tensor) -> Tensor:
        """New where an episode begins."""
        return torch.randn(held.shape, generator=self.rng).where(done[:, None, None], held)

    def leave(self, env: SubsettableEnv, rows: Tensor) -> None:
        """Only these lanes go on, [B] bool."""
        self.env, self.context = env.select(rows), self.context[rows]
        self.memory = tuple(memory[rows] for memory in self.memory)


def _live(
    policy: Policy,
    env: Env,
    rng: Generator,
    inputs: PolicyInputs,
    every: int | None = None,
    remembered: list[Tensor] | None = None,
) -> Iterator[Moment]:
    spec, lanes = env.spec, env.lanes
    play = Play(policy, env, rng, inputs)
    episode, living = torch.zeros(lanes), torch.arange(lanes)
    for t in range(spec.steps):
        mask = episode < spec.episodes
        if t % LOOK == 0:
            if not mask.any():
                return
            if isinstance(play.env, SubsettableEnv) and 2 * mask.sum() <= len(mask):
                play.leave(play.env, mask)
                episode, living, mask = (x[mask] for x in (episode, living, mask))
        if every and remembered is not None and t % every == 0:
            flat = flatten_state(play.memory)
            remembered.append(flat.new_zeros(lanes, flat.shape[1]).index_copy_(0, living, flat))
        known, action, step = play.step()
        yield _among_all(lanes, living, known, action, step, mask)
        episode = episode + step.done


def _among_all(
    lanes: int, living: Tensor, known: Context, action: Tensor, step: Step, mask: Tensor
) -> Moment:
    """What the living lanes did, in the rows of all lanes; zeros in those of the others."""
    obs, noise = known.obs[:, 0], None if known.noise is None else known.noise[:, 0]
    if len(living) == lanes:
        return obs, noise, action, step, mask

    def spread(x: Tensor) -> Tensor:
        return x.new_zeros(lanes, *x.shape[1:]).index_copy_(0, living, x)

    whole = Step(**{name: spread(value) for name, value in vars(step).items() if value is not None})
    return spread(obs), None if noise is None else spread(noise), spread(action), whole, spread(mask)


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
