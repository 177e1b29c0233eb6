"""A language model as a teacher, behind any OpenAI-compatible endpoint (RLAIF, arXiv:2309.00267).

    POST URL/chat/completions   {"model", "messages", "max_tokens": 1, "temperature": 0, "logprobs", ...}

The model answers 1 or 2. If it returns log-probabilities, y is the share of 1 among both, else 1 or 0. Every
pair is asked in both orders and averaged, since models favour a position. A session whose requests still fail
after some attempts ends with a one-line error, and none of its answers are kept.

The API key, where one is needed, is read from the environment variable METAIRL_JUDGE_KEY.
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
from metairl.rewards.preferences.clip_features import feature
from metairl.rewards.preferences.segment_pairs import Pairs
from metairl.rewards.preferences.teachers import Answers
from metairl.tasks.constitution_card import Constitution

PAUSE = 0.5  # seconds before the second attempt, doubled before each further one
PROMPT = (
    "Two clips of a robot follow, as numbers. Answer with one digit, 1 or 2: which one keeps to these better?"
)


@dataclass(frozen=True)
class Endpoint:
    url: str
    model: str
    seconds: float
    tries: int

    def first(self, question: str) -> float:
        """Probability that clip 1 is preferred."""
        for attempt in range(1, self.tries + 1):
            try:
                return parse(self._post(question))
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
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=self.seconds) as response:
            return json.load(response)


def parse(response: Any) -> float:
    """y from a response."""
    choice = response["choices"][0]
    top = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
    probs = {entry["token"].strip(): math.exp(entry["logprob"]) for entry in reversed(top)}
    if probs.keys() & {"1", "2"}:
        one, two = probs.get("1", 0.0), probs.get("2", 0.0)
        return one / (one + two)
    word = choice["message"]["content"].strip()
    if word not in ("1", "2"):
        raise ValueError(f"'{word[:20]}' is neither 1 nor 2")
    return 1.0 if word == "1" else 0.0


class ByModel:
    def __init__(self, endpoint: Endpoint, constitution: Constitution):
        self.endpoint, self.constitution = endpoint, constitution

    def answer(self, pairs: Pairs, reward: Tensor, rng: Generator) -> Answers:
        features = torch.stack([feature(principle, pairs) for principle in self.constitution.principles], -1)
        first = [self._both_orders(one, two) for one, two in features.tolist()]
        return Answers(torch.tensor(first), torch.ones(len(pairs), dtype=torch.bool))

    def _both_orders(self, one: Sequence[float], two: Sequence[float]) -> float:
        forward = self.endpoint.first(self.question(one, two))
        return (forward + 1 - self.endpoint.first(self.question(two, one))) / 2

    def question(self, one: Sequence[float], two: Sequence[float]) -> str:
        principles = self.constitution.principles
        rules = [f"- {principle.text}" for principle in principles]
        clips = [
            f"Clip {position}: "
            + ", ".join(f"{p.trait} {value:.4g}" for p, value in zip(principles, clip, strict=True))
            for position, clip in ((1, one), (2, two))
        ]
        return "\n".join([PROMPT, *rules, *clips])
