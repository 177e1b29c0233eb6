"""Sentences: the world and its expert, how diversity is counted, and what imitation keeps of it."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from math import exp, log

import pytest
import torch

from metairl.agents.agent import Agent
from metairl.agents.encoders.none import NoEncoder
from metairl.agents.exact.token_expert import AnyRight
from metairl.agents.imitation import iq_learn_discrete, pi_v
from metairl.agents.offline import bc
from metairl.core.interfaces import Policy
from metairl.core.rollout import rollout
from metairl.core.types import NoConfig, PolicyInputs, Trial
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.replay import Replay
from metairl.envs import make, spec_of
from metairl.tasks.catalogue import task
from metairl.tasks.sampling import task_set
from metairl.training.offline import Config, Offline

Sentence = tuple[int, ...]
LONGEST = 3  # grams
LEAST = 1e-9


def distinct(sentences: Sequence[Sentence], right: Sequence[bool]) -> float:
    said = {sentence for sentence, good in zip(sentences, right, strict=True) if good}
    return len(said) / len(sentences)


def self_bleu(sentences: Sequence[Sentence]) -> float:
    """Of two sentences or more, all of one length."""
    mask = {n: [_grams(sentence, n) for sentence in sentences] for n in range(1, LONGEST + 1)}
    return sum(_found(mask, index) for index in range(len(sentences))) / len(sentences)


def _found(mask: dict[int, list[Counter[Sentence]]], index: int) -> float:
    shares = []
    for every in mask.values():
        own = every[index]
        most: Counter[Sentence] = Counter()
        for place, other in enumerate(every):
            if place != index:
                most |= other
        shares.append((own & most).total() / own.total())
    return exp(sum(log(max(share, LEAST)) for share in shares) / len(shares))


def _grams(sentence: Sentence, n: int) -> Counter[Sentence]:
    return Counter(sentence[place : place + n] for place in range(len(sentence) - n + 1))


CARD = task("token-imitation")
SPEC = spec_of(CARD)


def said(policy: Policy, inputs: PolicyInputs, copies: int, seed: int) -> Trial:
    """So many sentences about one task."""
    rng = torch.Generator().manual_seed(seed)
    alone = task_set(CARD, "test")[torch.zeros(copies, dtype=torch.long)]
    return rollout(policy, make(CARD, alone, rng), rng, inputs, keep_next_obs=True)


def judged(trial: Trial) -> tuple[float, float, float]:
    """Quality, distinct and self-BLEU, the last two over prompts on average."""
    right = trial.outcome.success[:, -1]
    prompt = trial.obs[:, 0, : SPEC.actions].argmax(1)
    by_prompt = [prompt == p for p in range(SPEC.actions)]
    sentences = [[tuple(row) for row in trial.action[rows].tolist()] for rows in by_prompt]
    different = [
        distinct(some, right[rows].tolist()) for some, rows in zip(sentences, by_prompt, strict=True)
    ]
    alike = [self_bleu(some) for some in sentences]
    count = SPEC.actions
    return right.float().mean().item(), sum(different) / count, sum(alike) / count


def test_the_expert_is_always_right_and_says_all_there_is() -> None:
    expert = AnyRight(SPEC, NoConfig())
    trial = said(expert, PolicyInputs(reward=False, task=True), 4000, 0)
    assert trial.outcome.success[:, -1].all() and trial.outcome.reward.sum() == 4000
    begun_at_0 = trial.obs[:, 0, 0] == 1
    ending = int(trial.task[0, 0])
    steps = torch.tensor(list(product((-1, 1), repeat=CARD.horizon))).cumsum(1) % SPEC.actions
    every = {tuple(row) for row in steps[steps[:, -1] == ending].tolist()}
    assert {tuple(row) for row in trial.action[begun_at_0].tolist()} == every


def test_a_wrong_step_is_never_made_good() -> None:
    rng = torch.Generator().manual_seed(0)
    env = make(CARD, task_set(CARD, "test")[:], rng)
    env.reset()
    for _ in range(CARD.horizon):
        came = env.step(torch.zeros(env.lanes, dtype=torch.long))  # 0 is not beside 0
    assert not came.success.any() and came.truncated.all() and not came.terminated.any()


def test_diversity_by_hand() -> None:
    one, other = (1, 2, 3, 4), (1, 2, 5, 6)
    assert distinct([one, one, other, other], [True, True, True, False]) == 0.5
    assert self_bleu([one, one]) == pytest.approx(1.0)
    # of each four 1-grams two are in the other, of three 2-grams one, of two 3-grams none
    assert self_bleu([one, other]) == pytest.approx((2 / 4 * 1 / 3 * 1e-9) ** (1 / 3))
    assert self_bleu([(1, 1, 2, 3), (1, 2, 3, 4)]) < 1


def demonstrated_tasks(kind: type, settings: object, shown: Trial) -> tuple[float, float, float]:
    torch.manual_seed(0)
    replay = Replay(len(shown.obs), CARD.horizon, torch.zeros(1, dtype=torch.long))
    for row in range(len(shown.obs)):
        replay.add(torch.tensor([0]), shown[torch.tensor([row])])
    encoder = NoEncoder(SPEC, NoConfig())
    agent = Agent(encoder, kind(SPEC, encoder.width, settings), "episode", PolicyInputs(reward=False))
    recipe = Offline(
        agent,
        OfflineDataset(replay, "").as_demonstrations(1),
        Config(batch_tasks=1, batch=64, learning_rate=1e-3),
        0,
    )
    while recipe.clock < 1500:
        recipe.iterate(0.0)
    return judged(said(agent.policy(explore=True), PolicyInputs(reward=False), 1600, 1))


@pytest.mark.learning
def test_what_imitation_keeps_of_diversity() -> None:
    """From 40 sentences: what ties steps together says more that is right and different than cloning does.

    It has a price, and the test says which: they are right a little less often.
    """
    shown = said(AnyRight(SPEC, NoConfig()), PolicyInputs(reward=False, task=True), 40, 2)
    cloned = demonstrated_tasks(bc.BC, bc.Config(hidden=(64,)), shown)
    soft = iq_learn_discrete.Config(gamma=1.0, temperature=1.0, alpha=2.5, hidden=(64,))
    inverse = demonstrated_tasks(pi_v.PiV, pi_v.Config(gamma=1.0, weight=0.5, hidden=(64,)), shown)
    for quality, different, alike in (
        inverse,
        demonstrated_tasks(iq_learn_discrete.DiscreteIQLearn, soft, shown),
    ):
        assert different > 1.1 * cloned[1] and alike < cloned[2]
        assert 0.85 * cloned[0] < quality < cloned[0]
