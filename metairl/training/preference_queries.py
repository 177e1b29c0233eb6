"""Query sessions: a teacher compares pairs of segments, and the reward model is fitted to all answers so far.

    due       labels · (initial_share + (1 − initial_share) min(1, progress / until)) − queries made
    session   once `session` queries are due: candidates are drawn from the replay buffer, the teacher compares
              some, and r takes gradient steps, every member of the ensemble on minibatches of its own

A query counts against the budget whether it was answered or skipped; the last session spends what is left.
The schedule is uniform, as in PEBBLE (Lee et al. 2021, arXiv:2106.05091), after a larger first session.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from metairl.core.errors import UsageError
from metairl.core.rng import seed_of, stream
from metairl.core.types import Spec
from metairl.data.replay import Replay
from metairl.rewards.preferences import constitution_teacher, query_selection, reward_model, teachers
from metairl.rewards.preferences import segment_pairs as segments
from metairl.rewards.preferences.reward_model import PreferenceReward
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Teacher, TeacherConfig

EncodePairs = Callable[[Pairs], Tensor]  # the reward model's input at every step, [n, 2, L, ...]


@dataclass(frozen=True)
class Config:
    labels: int = 500  # budget of queries
    initial_share: float = 0.2  # share of the budget spent in the first session
    until: float = 0.5  # share of training by which the budget is spent
    session: int = 25  # fewest queries in a session
    length: int = 25  # steps in a segment (L)
    selection: query_selection.Name = "disagreement"  # which candidates are compared
    candidates: int = 10  # candidate pairs for every query
    gradient_steps: int = 200  # gradient steps in a session
    batch: int = 64  # answers in a gradient step
    learning_rate: float = 1e-3  # of the reward model's Adam
    reward: reward_model.Config = field(default_factory=reward_model.Config)
    teacher: TeacherConfig = field(default_factory=teachers.Config)


TEACHERS: dict[type, Callable[[Any, Spec], Teacher]] = {
    teachers.Config: teachers.TrueReward,
    constitution_teacher.Config: constitution_teacher.make,
}


class PreferenceQueries:
    def __init__(self, spec: Spec, width: int, config: Config, encode: EncodePairs, seed: int):
        check_shares(config)
        self.config, self.encode = config, encode
        self.length = min(config.length, spec.steps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("reward", seed))
            self.reward = PreferenceReward(spec, width, config.reward)
        self.optimiser = torch.optim.Adam(self.reward.parameters(), config.learning_rate, fused=True)
        self.teacher = TEACHERS[type(config.teacher)](config.teacher, spec)
        self.streams = {name: stream("train", name, seed) for name in ("ask", "answer", "fit")}
        self.pairs: Pairs | None = None  # all pairs that were answered
        self.first = torch.empty(0)  # y of each
        self.asked = 0
        self.found: dict[str, float] = {}  # metrics of the last session

    def due(self, progress: float) -> int:
        """Queries to make now."""
        config = self.config
        share = config.initial_share + (1 - config.initial_share) * min(1.0, progress / config.until)
        target = round(config.labels * share)
        due = target - self.asked
        first_or_last = self.asked == 0 or target == config.labels
        return due if first_or_last or due >= config.session else 0

    def session(self, replay: Replay, progress: float) -> None:
        """Query the teacher if a session is due, and fit the reward to all answers so far."""
        count = self.due(progress)
        if count:
            self.found = self._query(replay, count) | self.fit()

    def metrics(self) -> dict[str, float]:
        """Queries made, answers, and the metrics of the last session."""
        return {"asked": float(self.asked), "labels": float(len(self.first))} | self.found

    @torch.no_grad()
    def _query(self, replay: Replay, count: int) -> dict[str, float]:
        """Shares of the new answers that r predicted, and that agree with the true reward."""
        rng = self.streams["ask"]
        places = segments.draw(replay, count * self.config.candidates, self.length, rng)
        candidates = segments.cut(replay, places, self.length)
        probs = self.reward.probs(self.encode(candidates), candidates.mask)
        rows = query_selection.select(probs, count, query_selection.SCORES[self.config.selection])
        pairs, reward = candidates[rows], segments.rewards(replay, places[rows], self.length)
        answers = self.teacher.answer(pairs, reward, self.streams["answer"])
        self.asked += count
        answered, first = pairs[answers.given], answers.first[answers.given]
        self._append(answered, first)
        returns = (reward * pairs.mask).sum(-1)[answers.given]
        better = 0.5 + 0.5 * (returns[:, 0] - returns[:, 1]).sign()
        predicted = teachers.agreement(probs.mean(0)[rows][answers.given], first)
        return {"predicted": predicted.item(), "agreement": teachers.agreement(first, better).item()}

    def take(self, pairs: Pairs, first: Tensor, asked: int) -> None:
        """Fit the reward to answers that were given before, to `asked` queries."""
        self.asked += asked
        self._append(pairs, first)
        self.found = self.fit()

    def _append(self, pairs: Pairs, first: Tensor) -> None:
        self.pairs = pairs if self.pairs is None else self.pairs.concat(pairs)
        self.first = torch.cat([self.first, first])

    def fit(self) -> dict[str, float]:
        """Gradient steps on all answers so far; losses of the last step."""
        assert self.pairs is not None, "answers"
        if not len(self.pairs):
            return {}
        config, mask = self.config, self.pairs.mask
        with torch.no_grad():
            x = self.encode(self.pairs)
            self.reward.fit_inputs(x, mask)
        losses: dict[str, Tensor] = {}
        for _ in range(config.gradient_steps):
            shape = config.reward.members, min(config.batch, len(x))
            rows = torch.randint(len(x), shape, generator=self.streams["fit"])
            losses = self.reward.losses(x[rows], mask[rows], self.first[rows])
            self.optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            self.optimiser.step()
        self.optimiser.zero_grad(
            set_to_none=True
        )  # so that the agent's optimiser clips its own gradient alone
        with torch.no_grad():
            self.reward.fit_outputs(x, mask)
        return {name: loss.item() for name, loss in losses.items()}

    def state(self) -> dict[str, Any]:
        pairs = {} if self.pairs is None else {f.name: getattr(self.pairs, f.name) for f in fields(Pairs)}
        return {
            "pairs": pairs,
            "first": self.first,
            "asked": self.asked,
            "found": self.found,
            "optimiser": self.optimiser.state_dict(),
            "streams": {name: rng.get_state() for name, rng in self.streams.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.pairs = Pairs(**state["pairs"]) if state["pairs"] else None
        self.first, self.asked, self.found = state["first"], state["asked"], state["found"]
        self.optimiser.load_state_dict(state["optimiser"])
        for name, rng in self.streams.items():
            rng.set_state(state["streams"][name])


def check_shares(config: Config) -> None:
    for name in ("initial_share", "until"):
        if not 0 < getattr(config, name) <= 1:
            raise UsageError(f"recipe.queries.{name} is a share, above 0 and at most 1")
