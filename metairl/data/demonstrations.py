"""Selects the n reward-free demonstrations of each task that a method may see.

IRL with known dynamics   the task's finite MDP, and demonstrations as states and actions of it
imitation                 demonstrations as transitions, and other data beside them where asked for
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from metairl.core.errors import DamagedFile, StorageError
from metairl.core.rng import stream
from metairl.core.types import Demonstrations, FiniteMDP, Spec
from metairl.data import minari, offline_dataset
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.task_sources import DemonstratedTasks, TrainingTasks
from metairl.envs.engines import Kind
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.finite_mdps import FINITE_MDPS
from metairl.tasks.sampling import TaskSet


def mdps_with_demos(card: TaskCard, spec: Spec, split: str, seed: int) -> tuple[FiniteMDP, Demonstrations]:
    """Of every task of a split, as many demonstrations as the card says; the seed selects which."""
    assert card.demos, "checked by the method's requirements"
    dataset, where = offline_dataset.read(card, spec, split), offline_dataset.folder(card, split)
    demos = as_demonstrations(dataset, spec, card.demos, _selection(card, split, seed), where)
    return finite_mdps(dataset, spec), demos


def mdps_with_all_demos(card: TaskCard, spec: Spec, split: str) -> tuple[FiniteMDP, Demonstrations]:
    """Of every task as many as there are of the task with fewest."""
    dataset, where = offline_dataset.read(card, spec, split), offline_dataset.folder(card, split)
    fewest = int(dataset.replay.num_trials.min())
    demos = as_demonstrations(dataset, spec, fewest, stream("showing"), where)
    return finite_mdps(dataset, spec), demos


def demo_dataset(card: TaskCard, spec: Spec, split: str, seed: int) -> OfflineDataset:
    """The same selection of demonstrations, as transitions."""
    assert card.demos, "checked by the method's requirements"
    dataset = offline_dataset.read(card, spec, split)
    check_enough(dataset, card.demos, offline_dataset.folder(card, split))
    slots = select_episodes(dataset, card.demos, _selection(card, split, seed))
    every = torch.arange(len(dataset))
    selected = dataset.replay.select_trials(every, slots, torch.full_like(every, card.demos))
    return replace(dataset, replay=selected).as_demonstrations(card.demos)


def training_demos(card: TaskCard, spec: Spec, seed: int) -> OfflineDataset:
    """All demonstrations of the training tasks; the seed's selection where training and test tasks are one."""
    if card.same_tasks:
        return demo_dataset(card, spec, "train", seed)
    assert card.demos, "checked by the method's requirements"
    return offline_dataset.read(card, spec, "train").as_demonstrations(card.demos)


def with_other_data(
    demos: OfflineDataset, card: TaskCard, spec: Spec, split: str, quality: str | None
) -> OfflineDataset:
    """The demonstrations with other, undemonstrated data of the same tasks beside them."""
    if quality is None:
        return demos
    other = offline_dataset.read(other_data_card(card, quality), spec, split)
    if other.replay.tasks.shape != demos.replay.tasks.shape or not other.replay.tasks.equal(
        demos.replay.tasks
    ):
        raise StorageError(f"the '{quality}' data of '{card.id}' is of other tasks than its demonstrations")
    return replace(demos, others=other.replay.without_reward(is_demo=False))


def other_data_card(card: TaskCard, quality: str) -> TaskCard:
    return card.model_copy(update={"data": quality, "demos": None})


def demonstrated_tasks(card: TaskCard, spec: Spec, engine: Kind, seed: int) -> DemonstratedTasks:
    """The training tasks that demonstrations were collected of, with their environments."""
    demos = training_demos(card, spec, seed)
    if card.split.train != "endless":
        fixed = TaskSet(card.id, "train", sampling.task_set(card, "train")[slice(len(demos))])
        return DemonstratedTasks(card, spec, engine, fixed, demos)
    collection_seed = minari.metadata(offline_dataset.folder(card, "train"))["seed"]
    rng = stream("collect", "tasks", card.id, collection_seed)
    tasks = TrainingTasks(card, spec).different(len(demos), rng)
    return DemonstratedTasks(card, spec, engine, tasks, demos)


def finite_mdps(dataset: OfflineDataset, spec: Spec) -> FiniteMDP:
    """The MDPs of the dataset's tasks, without their reward."""
    assert spec.finite_mdp, "an environment that is a finite MDP"
    return FINITE_MDPS[spec.finite_mdp](dataset.replay.tasks.double(), spec.obs, spec.actions).mdp


def as_demonstrations(
    dataset: OfflineDataset, spec: Spec, count: int, rng: Generator, where: Path
) -> Demonstrations:
    """So many demonstrations of every task; all episodes of the dataset are checked first."""
    check_enough(dataset, count, where)
    check_complete(dataset, spec, where)
    fewest = int(dataset.replay.num_trials.min())
    columns = (dataset.replay.data[name][:, :fewest].argmax(-1) for name in ("obs", "next_obs", "action"))
    state, next_state, action = columns
    check_possible(finite_mdps(dataset, spec), state, action, next_state, str(where))
    slots = select_episodes(dataset, count, rng)
    rows = torch.arange(len(slots)).unsqueeze(1)
    states, actions = (dataset.replay.data[name][rows, slots].argmax(-1) for name in ("obs", "action"))
    return Demonstrations(states, actions)


def select_episodes(dataset: OfflineDataset, count: int, rng: Generator) -> Tensor:
    """Slots of the selected episodes of every task, [B, n]; equal tasks have the same."""
    _, same = torch.unique(dataset.replay.tasks, dim=0, return_inverse=True)
    selected: dict[int, Tensor] = {}
    for task, episodes in zip(same.tolist(), dataset.replay.num_trials.tolist(), strict=True):
        if task not in selected:
            selected[task] = torch.randperm(episodes, generator=rng)[:count]
    return torch.stack([selected[task] for task in same.tolist()])


def check_enough(dataset: OfflineDataset, count: int, where: Path) -> None:
    episodes = dataset.replay.num_trials
    if int(episodes.min()) < count:
        short = int(episodes.argmin())
        raise StorageError(f"{where}: task {short} has {int(episodes[short])} episodes, not {count}")


def check_complete(dataset: OfflineDataset, spec: Spec, where: Path) -> None:
    """Every episode has all its steps, and every observation is one state."""
    replay = dataset.replay
    there = torch.arange(replay.capacity) < replay.num_trials.unsqueeze(1)
    short = (there & (replay.lengths != spec.horizon)).nonzero()
    if len(short):
        task, episode = short[0].tolist()
        steps = int(replay.lengths[task, episode])
        raise DamagedFile(f"{where}: task {task}, episode {episode} has {steps} steps, not {spec.horizon}")
    obs = replay.data["obs"]
    not_one_hot = (there.unsqueeze(-1) & ((obs.amax(-1) != 1) | (obs.sum(-1) != 1))).nonzero()
    if len(not_one_hot):
        task, episode, step = not_one_hot[0].tolist()
        raise DamagedFile(f"{where}: task {task}, episode {episode}, step {step} is no single state")


def check_possible(mdp: FiniteMDP, state: Tensor, action: Tensor, next_state: Tensor, where: str) -> None:
    """Every step of every demonstration, [B, N, H], has a positive probability."""
    lane = torch.arange(len(mdp)).view(-1, 1, 1)
    row = torch.zeros_like(state) if mdp.probs.shape[1] == 1 else state
    is_successor = mdp.successors[lane, state] == next_state.unsqueeze(-1)
    probability = (mdp.probs[lane, row, action] * is_successor).sum(-1)
    impossible = (probability <= 0).nonzero()
    if len(impossible):
        task, episode, step = impossible[0].tolist()
        at = task, episode, step
        raise DamagedFile(
            f"{where}: task {task}, episode {episode}, step {step} goes from state {int(state[at])} to "
            f"{int(next_state[at])}, where action {int(action[at])} never leads"
        )


def _selection(card: TaskCard, split: str, seed: int) -> Generator:
    return stream("judge", "demonstrations", card.id, "train" if card.same_tasks else split, seed)
