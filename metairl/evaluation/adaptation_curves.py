"""What earlier tasks are worth to a new one, from the curves of adaptation to it: numpy, no torch.

    area               ∫ return d(steps) / m,  by trapezoids over the m steps of adaptation
    jump-start         the return before the first step
    steps-to-threshold the first judged moment at which the return has come to c; NaN if it never has
    forward-transfer   (area − area₀) / (top − area₀),  area₀ that of training on the task from scratch
                       (Wołczyk et al. 2021, whose returns are success rates and whose top is 1)

One number a held-out task each, so that errors are between tasks and seeds as everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metairl.core.arrays import Floats
from metairl.core.errors import UsageError
from metairl.core.records import Evaluation, Record


@dataclass(frozen=True)
class Curve:
    steps: Floats  # [P], of training in each task
    returns: Floats  # [P, tasks]

    def area(self) -> Floats:
        widths = np.diff(self.steps)[:, None]
        area: Floats = (widths * (self.returns[1:] + self.returns[:-1]) / 2).sum(0)
        area /= self.steps[-1] - self.steps[0]
        return area

    def jump_start(self) -> Floats:
        first: Floats = self.returns[0]
        return first

    def steps_to(self, threshold: float) -> Floats:
        reached = self.returns >= threshold
        return np.where(reached.any(0), self.steps[reached.argmax(0)], np.nan)

    def forward_transfer(self, scratch: Floats, top: float) -> Floats:
        """`scratch` is the area of every task from scratch."""
        return (self.area() - scratch) / (top - scratch)


def curve(records: Sequence[Record], episode: int) -> Curve:
    """Of one run, at one episode index of the trials that it was judged by."""
    points = [r for r in records if isinstance(r, Evaluation) and r.split == "adaptation" and r.k == episode]
    if len(points) < 2:
        raise UsageError("no curve of adaptation: this method does not learn on in held-out tasks")
    steps = [point.adapt_steps / len(point.returns) for point in points]
    return Curve(np.array(steps, dtype=float), np.array([point.returns for point in points], dtype=float))
