"""The problems that methods solve: where training tasks come from, what a held-out task gives before its
trial, and which data a run depends on. One small object each, chosen by a method's `problem`.

online               an environment with its reward (and rewards learned from feedback about it)
examples             an environment without reward, and examples of success
offline              logs with reward
offline-goals        logs whose reward is not read, relabelled with goals
offline-preferences  logs whose reward only a teacher reads
imitation            demonstrations, and other logs where asked for
online-imitation     demonstrations, and an environment without reward
known-dynamics       demonstrations in a finite MDP
exact                nothing: these methods are computed
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Generator

from metairl.core.errors import UsageError
from metairl.core.interfaces import SetEncoder
from metairl.core.rng import stream
from metairl.core.types import Batch, Spec
from metairl.data import demonstrations, offline_dataset
from metairl.data.hindsight import without_reward
from metairl.data.offline_dataset import OfflineDataset
from metairl.data.task_sources import (
    DemonstratedTasks,
    SingleTask,
    SuccessExampleTasks,
    TrainingTasks,
    as_context,
    success_examples,
)
from metairl.envs import make, spec_of
from metairl.methods import requirements
from metairl.methods.method import Problem as Name
from metairl.rewards.preferences import task_evidence
from metairl.tasks import sampling
from metairl.tasks.cards import TaskCard
from metairl.tasks.sampling import TaskSet
from metairl.training.preference_queries import TEACHERS

if TYPE_CHECKING:
    from metairl.experiments.request import Request

Source = TrainingTasks | SuccessExampleTasks | DemonstratedTasks | OfflineDataset
SourceOfOne = SingleTask | DemonstratedTasks | OfflineDataset


class Online:
    """An environment with its reward."""

    transfers = True  # a trained policy can act on another card: nothing of that card is needed

    def data(self, request: "Request") -> dict[str, str]:
        """SHA-256 of the datasets that a run depends on, by their keys in run.json."""
        return {}

    def tasks(self, request: "Request", spec: Spec) -> Source:
        """What the method is trained on."""
        return TrainingTasks(request.card, spec, request.engine)

    def one_task(self, request: "Request", spec: Spec, tasks: TaskSet, index: int) -> SourceOfOne:
        """What it is trained on in a single held-out task."""
        return SingleTask(request.card, spec, tasks.select(index), request.engine)

    def context(self, request: "Request", encoder: SetEncoder, card: TaskCard, split: str) -> Batch | None:
        """What every task of a split is inferred from before its trial; None: from the trial alone."""
        return None


class Examples(Online):
    """An environment without reward, and examples of success."""

    def tasks(self, request: "Request", spec: Spec) -> Source:
        count = request.settings.recipe.tasks
        return SuccessExampleTasks(request.card, spec, request.engine, count, request.seed)

    def context(self, request: "Request", encoder: SetEncoder, card: TaskCard, split: str) -> Batch:
        requirements.check_examples(request.method, card)
        spec, rng = spec_of(card), _support_stream(card, split)
        env = make(card, sampling.task_set(card, split)[:], rng)
        few = success_examples(env, card, rng)[:, : request.settings.recipe.context]
        return as_context(few, spec)


class Offline(Online):
    """Logs with reward."""

    transfers = False

    def data(self, request: "Request") -> dict[str, str]:
        return {"data_sha256": offline_dataset.sha256(request.card, "train")}

    def tasks(self, request: "Request", spec: Spec) -> Source:
        return self.logs(request, spec)

    def logs(self, request: "Request", spec: Spec) -> OfflineDataset:
        split = "train" if request.method.pretrains else "test"
        found = offline_dataset.read(request.card, spec, split)
        return replace(found, comparisons=request.card.comparisons)

    def one_task(self, request: "Request", spec: Spec, tasks: TaskSet, index: int) -> SourceOfOne:
        return offline_dataset.labelled(request.card, spec, "test", request.seed).select(index)

    def context(self, request: "Request", encoder: SetEncoder, card: TaskCard, split: str) -> Batch:
        rng = _support_stream(card, split)
        found = self.support(request, card, split)
        every = torch.arange(len(found))
        return found.sample_context(every, request.settings.recipe.context, encoder.reads_in_order, rng)

    def support(self, request: "Request", card: TaskCard, split: str) -> OfflineDataset:
        """The data of every task of a split."""
        if card.data is None:
            raise UsageError(
                f"'{request.method.name}' infers tasks from their logs, and '{card.id}' has none"
            )
        return offline_dataset.read(card, spec_of(card), split)


class OfflineGoals(Offline):
    """Logs whose reward is not read, relabelled with goals."""

    def tasks(self, request: "Request", spec: Spec) -> Source:
        return without_reward(self.logs(request, spec), request.card)


class OfflinePreferences(Offline):
    """Datasets whose reward only a teacher reads: tasks are inferred from the teacher's answers."""

    def context(self, request: "Request", encoder: SetEncoder, card: TaskCard, split: str) -> Batch:
        found, spec, rng = self.support(request, card, split), spec_of(card), _support_stream(card, split)
        requirements.check_comparisons(request.method, card)
        assert card.comparisons, "checked above"
        queries, which = request.settings.recipe.queries, torch.arange(len(found))
        teacher = TEACHERS[type(queries.teacher)](queries.teacher, spec)
        length = min(queries.length, spec.horizon)
        comparisons = task_evidence.compare(found.replay, card.comparisons, length, teacher, rng)
        return comparisons.sample(which, card.comparisons, rng)


class KnownDynamics(Online):
    """Demonstrations in a finite MDP whose dynamics are known."""

    transfers = False

    def data(self, request: "Request") -> dict[str, str]:
        trained = request.method.recipe is not None and request.method.pretrains
        return {"data_sha256": offline_dataset.sha256(request.card, "test")} | (
            {"train_data_sha256": offline_dataset.sha256(request.card, "train")} if trained else {}
        )


class Imitation(Offline):
    """Demonstrations, and other logs of the same tasks where asked for."""

    def data(self, request: "Request") -> dict[str, str]:
        other, split = _other_data(request), "train" if request.method.pretrains else "test"
        found = KnownDynamics().data(request)
        if other is None:
            return found
        card = demonstrations.other_data_card(request.card, other)
        return found | {"other_data_sha256": offline_dataset.sha256(card, split)}

    def tasks(self, request: "Request", spec: Spec) -> Source:
        # read for every method: too few demonstrations of held-out tasks are refused before any training
        demos, split = demonstrations.demo_dataset(request.card, spec, "test", request.seed), "test"
        if request.method.pretrains:
            demos, split = demonstrations.training_demos(request.card, spec, request.seed), "train"
        return demonstrations.with_other_data(demos, request.card, spec, split, _other_data(request))

    def one_task(self, request: "Request", spec: Spec, tasks: TaskSet, index: int) -> SourceOfOne:
        demos = demonstrations.demo_dataset(request.card, spec, "test", request.seed)
        other = _other_data(request)
        return demonstrations.with_other_data(demos, request.card, spec, "test", other).select(index)

    def support(self, request: "Request", card: TaskCard, split: str) -> OfflineDataset:
        if card.data is None:
            return super().support(request, card, split)
        requirements.check_demos(request.method, card)
        return demonstrations.demo_dataset(card, spec_of(card), split, request.seed)


class OnlineImitation(Imitation):
    """Demonstrations, and an environment without reward."""

    def tasks(self, request: "Request", spec: Spec) -> Source:
        return demonstrations.demonstrated_tasks(request.card, spec, request.engine, request.seed)

    def one_task(self, request: "Request", spec: Spec, tasks: TaskSet, index: int) -> SourceOfOne:
        demos = demonstrations.demo_dataset(request.card, spec, "test", request.seed).select(index)
        return DemonstratedTasks(request.card, spec, request.engine, tasks.select(index), demos)


def _other_data(request: "Request") -> str | None:
    """The quality of other logs that are read beside the demonstrations."""
    quality: str | None = getattr(request.settings.recipe, "other_data", None)
    return quality


def _support_stream(card: TaskCard, split: str) -> Generator:
    """The same for every method."""
    return stream("judge", "support", card.id, split)


PROBLEMS: dict[Name, Online] = {
    "exact": Online(),
    "online": Online(),
    "examples": Examples(),
    "offline": Offline(),
    "offline-goals": OfflineGoals(),
    "offline-preferences": OfflinePreferences(),
    "imitation": Imitation(),
    "online-imitation": OnlineImitation(),
    "known-dynamics": KnownDynamics(),
}
