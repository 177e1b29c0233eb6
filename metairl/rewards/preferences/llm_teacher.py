"""A language model behind any OpenAI-compatible endpoint, asked which of two clips keeps to the principles.

    POST URL/chat/completions   {"model", "messages", "max_tokens": 1, "temperature": 0, "logprobs", ...}

It answers 1 or 2. Where it tells how likely both were, y is their share, else 1 or 0. Every pair is asked in
both orders and averaged, since models prefer a place. Nothing is returned before all pairs are answered; what
is not answered after some tries ends the session with one line, and no answer of it is kept.

The key, where one is needed, is read from the environment: METAIRL_JUDGE_KEY.
"""

import json
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from metairl.core.errors import Unreachable
from metairl.rewards.preferences.clip_features import measured
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers
from metairl.tasks.constitution_card import Constitution

PAUSE = 0.5  # seconds before the second try, twice as long before the next
WORDS = (
    "Two clips of a robot follow, as numbers. Answer with one digit, 1 or 2: which one keeps to these better?"
)


@dataclass(frozen=True)
class Line:
    url: str
    model: str
    seconds: float
    tries: int

    def first(self, question: str) -> float:
        """Chance that the first is preferred."""
        for attempt in range(1, self.tries + 1):
            try:
                return understood(self._post(question))
            except (OSError, ValueError, LookupError, TypeError) as fault:  # refused, late, or not an answer
                if attempt == self.tries:
                    raise Unreachable(f"{self.url}: no answer from the judge ({fault})") from None
                time.sleep(PAUSE * 2 ** (attempt - 1))
        raise AssertionError("an attempt returns or raises")

    def _post(self, question: str) -> Any:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": 5,
        }
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("METAIRL_JUDGE_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        asked = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(asked, timeout=self.seconds) as said:
            return json.load(said)


def understood(said: Any) -> float:
    """y of an answer."""
    choice = said["choices"][0]
    told = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
    probs = {entry["token"].strip(): math.exp(entry["logprob"]) for entry in reversed(told)}
    if probs.keys() & {"1", "2"}:
        one, two = probs.get("1", 0.0), probs.get("2", 0.0)
        return one / (one + two)
    word = choice["message"]["content"].strip()
    if word not in ("1", "2"):
        raise ValueError(f"'{word[:20]}' is neither 1 nor 2")
    return 1.0 if word == "1" else 0.0


class ByModel:
    def __init__(self, config: Line, constitution: Constitution):
        self.config, self.constitution = config, constitution

    def answer(self, pairs: Pairs, paid: Tensor, rng: Generator) -> Answers:
        traits = torch.stack([measured(principle, pairs) for principle in self.constitution.principles], -1)
        said = [
            (self.config.first(self.question(one, two)) + 1 - self.config.first(self.question(two, one))) / 2
            for one, two in traits.tolist()
        ]
        return Answers(torch.tensor(said), torch.ones(len(pairs), dtype=torch.bool))

    def question(self, one: Sequence[float], two: Sequence[float]) -> str:
        principles = self.constitution.principles
        rules = [f"- {principle.text}" for principle in principles]
        clips = [
            f"Clip {place}: "
            + ", ".join(f"{p.trait} {value:.4g}" for p, value in zip(principles, clip, strict=True))
            for place, clip in ((1, one), (2, two))
        ]
        return "\n".join([WORDS, *rules, *clips])
