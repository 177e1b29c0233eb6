"""Comparisons as context: labels in place of rewards, skipped pairs masked."""

import torch

from metairl.core.rng import stream
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.task_evidence import TaskComparisons, as_context

TASK = "point-robot:data=replay"
FEW = TASK + ",comparisons=2"
SMALL = {"batch_tasks": 4, "batch": 8, "queries": {"labels": 30, "length": 5, "gradient_steps": 10}}


def test_evidence_says_which_segment_was_preferred_and_nothing_of_the_task() -> None:
    """Two pairs of one task, by hand: the second won, then one that was skipped, then neither."""
    obs = torch.arange(12.0).view(3, 2, 2, 1)
    pairs = Pairs(obs, obs + 100, torch.ones(3, 2, 2), torch.ones(3, 1))
    pairs.mask[2, 1, 1] = 0  # a trial that was over
    first, given = torch.tensor([0.0, 1.0, 0.5]), torch.tensor([True, False, True])
    batch = as_context(pairs, first, given, tasks=1)
    assert batch.obs[0, :7, 0].tolist() == [0, 1, 2, 3, 8, 9, 10]
    assert batch.reward[0, :7].tolist() == [-1, -1, 1, 1, 0, 0, 0]
    assert batch.action[0, 0, 0] == 100
    assert batch.mask[0].tolist() == [1.0] * 7 + [0.0] * 5
    assert not batch.task.any()


def test_a_task_s_context_is_of_its_own_comparisons_each_once() -> None:
    """Three comparisons of each of two tasks, marked 0 … 5; two of each are sampled."""
    obs = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 2, 1, 1)
    pairs = Pairs(obs, obs, torch.ones(6, 2, 1), torch.ones(6, 1))
    comparisons = TaskComparisons(pairs, torch.ones(6), torch.ones(6, dtype=torch.bool), each=3)
    found = {0: set(), 1: set()}
    for seed in range(20):
        batch = comparisons.sample(torch.tensor([1, 0]), 2, stream("sample", seed))
        for row, task in ((0, 1), (1, 0)):
            marks = batch.obs[row, :, 0].tolist()
            assert len(set(marks)) == 2 and len(marks) == 4
            found[task] |= set(marks)
    assert found == {0: {0.0, 1.0, 2.0}, 1: {3.0, 4.0, 5.0}}
