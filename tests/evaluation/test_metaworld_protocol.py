"""A policy that is competent on k of n goals: k/n by our judge, more by the package's way to count."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from metairl.agents.exact.metaworld_expert import Scripted
from metairl.core.types import Context, NoConfig, PolicyInputs, State
from metairl.envs import spec_of
from metairl.envs.metaworld import official
from metairl.evaluation import metaworld_protocol, protocol
from metairl.tasks import catalogue, sampling

GOALS = 4
TOLD = PolicyInputs(task=True)


class CompetentOn:
    """The expert on some goals; elsewhere it does nothing."""

    def __init__(self, task: str, solved: Tensor):
        self.expert = Scripted(spec_of(catalogue.task(task)), NoConfig())
        self.solved = solved  # [k, P], their parameters

    def initial(self, lanes: int) -> State:
        return ()

    def act(self, context: Context, state: State, rng: Generator) -> tuple[Tensor, State]:
        assert context.task is not None
        action, state = self.expert.act(context, state, rng)
        solves = (context.task[:, None] == self.solved).all(2).any(1)
        return action * solves[:, None], state


def few_goals(task: str, competent: int) -> tuple[Any, sampling.TaskSet, CompetentOn]:
    card = catalogue.task(task)
    every = sampling.task_set(card, "test")
    few = sampling.TaskSet(card.id, "test", every[slice(GOALS)])
    env = protocol.make(card, few.tasks, torch.Generator())
    return card, few, CompetentOn(task, env.task[:competent])


@pytest.mark.parametrize("competent", [0, 1, 2, 4])
def test_competence_on_k_of_n_goals(competent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metaworld_protocol, "ADAPTING", 1)
    monkeypatch.setattr(metaworld_protocol, "ROUNDS", 1)
    card, few, policy = few_goals("ml1:skill=reach,horizon=200", competent)
    ours = protocol.meta_test(policy, card, few, TOLD, 0, protocol.StepCounts())[-1].success
    theirs = metaworld_protocol.pooled_test(policy, card, few, TOLD, 0)
    assert ours is not None
    assert sum(ours) / GOALS == competent / GOALS
    assert theirs.success == {"reach-v3": 0.0 if competent == 0 else 1.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Constant")  # the package's expert says it when a goal is far
def test_the_package_itself_counts_so() -> None:
    """Its own evaluator and environments, an agent that solves the goal of one environment of four."""
    package = official.package()
    from metaworld.evaluation import evaluation
    from metaworld.policies import ENV_POLICY_MAP

    envs = package.make_ml_envs_test("reach-v3", seed=1, meta_batch_size=GOALS, total_tasks_per_cls=40)
    envs.call("sample_tasks")

    class OneOfFour:
        def reset(self, env_mask: Any) -> None: ...

        def eval_action(self, observations: Any) -> Any:
            target = envs.get_attr("_target_pos")[0]
            action = np.zeros((GOALS, 4), dtype=np.float32)
            seen = np.concatenate([observations[0][:36], target])
            action[0] = np.clip(ENV_POLICY_MAP["reach-v3"]().get_action(seen), -1, 1)
            return action

    success, *_ = evaluation(OneOfFour(), envs, num_episodes=3)
    envs.close()
    assert success == 1.0
