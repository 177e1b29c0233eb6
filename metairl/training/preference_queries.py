"""Sessions in which a teacher compares segments, and the reward that is fitted to all of its answers.

    wanted    labels · (early + (1 − early) min(1, progress / until))      questions by now, of a budget
    session   once `session` of them are due: many candidates are drawn, the teacher is asked about some,
              r takes gradient steps on all answers so far, every member on rows of its own

A question counts whether it was answered or skipped, and the last session asks what is left of the budget.
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

Read = Callable[[Pairs], Tensor]  # what r reads of every step, [n, 2, L, ...]


@dataclass(frozen=True)
class Config:
    labels: int = 500  # the budget: questions in all
    early: float = 0.2  # share of them asked at first
    until: float = 0.5  # share of training by which all are asked
    session: int = 25  # questions that are asked together, at least
    length: int = 25  # L, steps of a segment
    choose: query_selection.Name = "disagreement"
    candidates: int = 10  # pairs drawn for every one that is asked about
    rounds: int = 200  # gradient steps of a session
    batch: int = 64  # answers of each
    rate: float = 1e-3  # of their Adam
    reward: reward_model.Config = field(default_factory=reward_model.Config)
    teacher: TeacherConfig = field(default_factory=teachers.Config)


TEACHERS: dict[type, Callable[[Any, Spec], Teacher]] = {
    teachers.Config: teachers.TrueReward,
    constitution_teacher.Config: constitution_teacher.made,
}


class PreferenceQueries:
    def __init__(self, spec: Spec, width: int, config: Config, read: Read, seed: int):
        check_shares(config)
        self.config, self.read = config, read
        self.length = min(config.length, spec.steps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("reward", seed))
            self.reward = PreferenceReward(spec, width, config.reward)
        self.optimiser = torch.optim.Adam(self.reward.parameters(), config.rate, fused=True)
        self.teacher = TEACHERS[type(config.teacher)](config.teacher, spec)
        self.streams = {name: stream("train", name, seed) for name in ("ask", "answer", "fit")}
        self.pairs: Pairs | None = None  # that were answered
        self.first = torch.empty(0)
        self.asked = 0
        self.found: dict[str, float] = {}

    def due(self, progress: float) -> int:
        """Questions that are to be asked now."""
        config = self.config
        wanted = config.labels * (config.early + (1 - config.early) * min(1.0, progress / config.until))
        left = round(wanted) - self.asked
        at_once = self.asked == 0 or round(wanted) == config.labels
        return left if at_once or left >= config.session else 0

    def session(self, replay: Replay, progress: float) -> None:
        """Ask, if it is time to, and learn from all answers so far."""
        count = self.due(progress)
        if count:
            self.found = self._ask(replay, count) | self.fit()

    def known(self) -> dict[str, float]:
        """How much was asked and answered, and what was found in the last session."""
        return {"asked": float(self.asked), "labels": float(len(self.first))} | self.found

    @torch.no_grad()
    def _ask(self, replay: Replay, count: int) -> dict[str, float]:
        """Shares of the new answers that r foretold, and that agree with what the task paid."""
        chance = self.streams["ask"]
        places = segments.draw(replay, count * self.config.candidates, self.length, chance)
        drawn = segments.cut(replay, places, self.length)
        probs = self.reward.probs(self.read(drawn), drawn.mask)
        rows = query_selection.chosen(probs, count, query_selection.SELECT[self.config.choose])
        pairs, paid = drawn[rows], segments.paid(replay, places[rows], self.length)
        answers = self.teacher.answer(pairs, paid, self.streams["answer"])
        self.asked += count
        pairs, first = pairs[answers.given], answers.first[answers.given]
        self._keep(pairs, first)
        truth = (paid * drawn[rows].mask).sum(-1)[answers.given]
        better = 0.5 + 0.5 * (truth[:, 0] - truth[:, 1]).sign()
        foretold = teachers.agreement(probs.mean(0)[rows][answers.given], first)
        return {"foretold": foretold.item(), "agreement": teachers.agreement(first, better).item()}

    def take(self, pairs: Pairs, first: Tensor, asked: int) -> None:
        """Learn from answers that were given before, to so many questions."""
        self.asked += asked
        self._keep(pairs, first)
        self.found = self.fit()

    def _keep(self, pairs: Pairs, first: Tensor) -> None:
        self.pairs = pairs if self.pairs is None else self.pairs.beside(pairs)
        self.first = torch.cat([self.first, first])

    def fit(self) -> dict[str, float]:
        """To all answers so far; the losses of the last step."""
        assert self.pairs is not None, "answers"
        if not len(self.pairs):
            return {}
        config, mask = self.config, self.pairs.mask
        with torch.no_grad():
            x = self.read(self.pairs)
            self.reward.look(x, mask)
        losses: dict[str, Tensor] = {}
        for _ in range(config.rounds):
            shape = config.reward.members, min(config.batch, len(x))
            rows = torch.randint(len(x), shape, generator=self.streams["fit"])
            losses = self.reward.losses(x[rows], mask[rows], self.first[rows])
            self.optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)  # gradients of others are measured beside these weights
        with torch.no_grad():
            self.reward.standardise(x, mask)
        return {name: loss.item() for name, loss in losses.items()}

    def state(self) -> dict[str, Any]:
        kept = {} if self.pairs is None else {f.name: getattr(self.pairs, f.name) for f in fields(Pairs)}
        return {
            "pairs": kept,
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
    for name in ("early", "until"):
        if not 0 < getattr(config, name) <= 1:
            raise UsageError(f"recipe.ask.{name} is a share, above 0 and at most 1")
