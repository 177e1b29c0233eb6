"""Compare clips of a task's logs on a page in your browser; answers go to a file that training can read.

The same line again goes on where it stopped. Then: metairl train preferences-iql TASK --recipe.answers FILE
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional

from metairl.core.errors import UsageError
from metairl.data import offline_dataset
from metairl.envs import spec_of
from metairl.rewards.preferences.labelling.drawing import svg
from metairl.rewards.preferences.labelling.questions import Question, Questions
from metairl.rewards.preferences.labelling.server import Server
from metairl.tasks import catalogue

DRAWN = ("point", "point-sparse", "point-maze")  # worlds whose clips can be drawn from what was seen


@dataclass(frozen=True)
class Prefer:
    task: Positional[str]  # with logs, as in point-robot:data=replay
    out: Path = Path("answers.jsonl")  # that answers are appended to
    questions: int = 100
    steps: int = 15  # of a clip
    seed: int = 0  # of the selection of pairs
    port: int = 8765  # at 127.0.0.1; 0: any that is free


def main(words: list[str]) -> int:
    args = tyro.cli(Prefer, prog="metairl prefer", description=__doc__, args=words)
    server = serving(args)
    left = len(server.questions.open)
    print(f"{server.url}: {left} questions; answers go to {args.out}; ctrl-c ends it", file=sys.stderr)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(f"{server.questions.given} answers were given", file=sys.stderr)
    finally:
        server.server_close()
    return 0


def serving(args: Prefer) -> Server:
    card = catalogue.task(args.task)
    if card.world not in DRAWN:
        known = " and ".join(DRAWN)
        raise UsageError(f"clips can be drawn of {known} worlds; '{card.id}' is a {card.world} world")
    if card.data is None:
        raise UsageError(f"clips are of logs: say which, as in {card.id}:data=replay")
    if min(args.questions, args.steps) < 1:
        raise UsageError("--questions and --steps must be 1 or more")
    replay = offline_dataset.read(card, spec_of(card), "train").replay
    questions = Questions(replay, card.id, args.questions, args.steps, args.seed, args.out)

    def draw(question: Question, side: int) -> str:
        seen, task = questions.clips(question)
        return svg(seen[side], task, walled=card.world == "point-maze")

    try:
        return Server(questions, draw, args.port)
    except OSError as fault:
        raise UsageError(f"--port {args.port}: {fault.strerror}; try another, or 0") from None
