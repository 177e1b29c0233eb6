"""Let a policy live through one trial in every lane of a world. No number leaves the device on the way.

Where episodes may end early, a lane whose K episodes are over is idle until all are. What an idle lane does
is marked as not counting, and once half of the lanes are idle the others go on alone, if the world can.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from metairl.core.interfaces import Policy, ThinningWorld, World
from metairl.core.types import Context, Outcome, Sight, Step, Trial, encode_action, laid_flat

Moment = tuple[
    Tensor, Tensor | None, Tensor, Step, Tensor
]  # seen, chance, done, what came of it, if it counts
LOOK = 16  # steps between looks at which lanes still count


@torch.no_grad()
def rollout(
    policy: Policy, world: World, rng: Generator, sight: Sight, final: bool = False, every: int | None = None
) -> Trial:
    """One trial a lane, with all that was seen and done.

    What each step led to as well, if `final`; what was remembered before every so many steps, if asked for.
    """
    task = world.task
    remembered: list[Tensor] = []
    obs, chance, actions, steps, counts = zip(
        *_live(policy, world, rng, sight, every, remembered), strict=True
    )
    return Trial(
        obs=torch.stack(obs, dim=1),
        action=torch.stack(actions, dim=1),
        outcome=_outcome(steps, counts),
        task=task,
        actions=world.spec.actions,
        after=torch.stack([step.final_obs for step in steps], dim=1) if final else None,
        chance=torch.stack(chance, dim=1) if sight.chance else None,
        shaped=None if steps[0].shaped is None else torch.stack([step.shaped for step in steps], dim=1),
        memory=torch.stack(remembered, dim=1) if every else None,
    )


@torch.no_grad()
def outcome(policy: Policy, world: World, rng: Generator, sight: Sight) -> Outcome:
    """One trial a lane, of which only what came of it is kept."""
    steps, counts = zip(
        *((step, counts) for *_, step, counts in _live(policy, world, rng, sight)), strict=True
    )
    return _outcome(steps, counts)


class Play:
    """A policy at work in every lane of a world, a step at a time, with what it remembers and sees."""

    def __init__(self, policy: Policy, world: World, rng: Generator, sight: Sight):
        self.policy, self.world, self.rng = policy, world, rng
        lanes, actions = world.lanes, world.spec.actions
        self.memory = policy.initial(lanes)
        self.context = Context(
            obs=world.reset()[:, None],
            prev_action=torch.zeros(lanes, 1, actions),
            prev_reward=torch.zeros(lanes, 1) if sight.reward else None,
            prev_done=torch.zeros(lanes, 1),
            task=world.task if sight.task else None,
            chance=torch.randn(lanes, 1, sight.chance, generator=rng) if sight.chance else None,
        )

    def step(self) -> tuple[Context, Tensor, Step]:
        """What was known, what was done, what came of it."""
        before = self.context
        action, self.memory = self.policy.act(before, self.memory, self.rng)
        step = self.world.step(action)
        self.context = Context(
            obs=step.obs[:, None],
            prev_action=encode_action(action, self.world.spec.actions)[:, None],
            prev_reward=None if before.prev_reward is None else step.reward[:, None],
            prev_done=step.done.float()[:, None],
            task=before.task,
            chance=None if before.chance is None else self._chance(before.chance, step.done),
        )
        return before, action, step

    def _chance(self, held: Tensor, done: Tensor) -> Tensor:
        """New where an episode begins."""
        return torch.randn(held.shape, generator=self.rng).where(done[:, None, None], held)

    def leave(self, world: ThinningWorld, rows: Tensor) -> None:
        """Only these lanes go on, [B] bool."""
        self.world, self.context = world.only(rows), self.context[rows]
        self.memory = tuple(memory[rows] for memory in self.memory)


def _live(
    policy: Policy,
    world: World,
    rng: Generator,
    sight: Sight,
    every: int | None = None,
    remembered: list[Tensor] | None = None,
) -> Iterator[Moment]:
    spec, lanes = world.spec, world.lanes
    play = Play(policy, world, rng, sight)
    episode, living = torch.zeros(lanes), torch.arange(lanes)
    for t in range(spec.steps):
        counts = episode < spec.episodes
        if t % LOOK == 0:
            if not counts.any():
                return
            if isinstance(play.world, ThinningWorld) and 2 * counts.sum() <= len(counts):
                play.leave(play.world, counts)
                episode, living, counts = (x[counts] for x in (episode, living, counts))
        if every and remembered is not None and t % every == 0:
            flat = laid_flat(play.memory)
            remembered.append(flat.new_zeros(lanes, flat.shape[1]).index_copy_(0, living, flat))
        known, action, step = play.step()
        yield _among_all(lanes, living, known, action, step, counts)
        episode = episode + step.done


def _among_all(
    lanes: int, living: Tensor, known: Context, action: Tensor, step: Step, counts: Tensor
) -> Moment:
    """What the living lanes did, in the rows of all lanes; zeros in those of the others."""
    obs, chance = known.obs[:, 0], None if known.chance is None else known.chance[:, 0]
    if len(living) == lanes:
        return obs, chance, action, step, counts

    def spread(x: Tensor) -> Tensor:
        return x.new_zeros(lanes, *x.shape[1:]).index_copy_(0, living, x)

    whole = Step(**{name: spread(value) for name, value in vars(step).items() if value is not None})
    return spread(obs), None if chance is None else spread(chance), spread(action), whole, spread(counts)


def _outcome(steps: tuple[Step, ...], counts: tuple[Tensor, ...]) -> Outcome:
    return Outcome(
        reward=torch.stack([step.reward for step in steps], dim=1),
        done=torch.stack([step.done for step in steps], dim=1),
        terminated=torch.stack([step.terminated for step in steps], dim=1),
        success=torch.stack([step.success for step in steps], dim=1),
        counts=torch.stack(counts, dim=1),
        lost=torch.stack(
            [torch.zeros_like(step.done) if step.lost is None else step.lost for step in steps], dim=1
        ),
    )
