"""Quadratic programs of max-margin IRL, one task at a time, solved by Clarabel through qpsolvers.

separate   min ½ ‖w‖² + C ζ   s.t.  w · (μ_E − μ_j) ≥ D_j − ζ,  ζ ≥ 0
mix        min ‖μ_E − Σ_j λ_j μ_j‖²   s.t.  Σ_j λ_j = 1,  λ ≥ 0
"""

import numpy as np
from qpsolvers import solve_qp
from scipy.sparse import csc_matrix

from metairl.core.arrays import Floats

SOLVER = "clarabel"


def separate(demos: Floats, found: Floats, distance: Floats, slack: float) -> tuple[Floats, float] | None:
    """w and ζ for μ_E [F], μ [J, F] and D [J]; None if the solver finds no solution."""
    width, count = demos.shape[0], len(found)
    cost = np.diag([1.0] * width + [0.0])
    price = np.array([0.0] * width + [slack])
    sides = np.hstack([found - demos, -np.ones((count, 1))])
    least = np.array([-np.inf] * width + [0.0])
    x = solve_qp(csc_matrix(cost), price, csc_matrix(sides), -distance, lb=least, solver=SOLVER)
    return None if x is None else (x[:-1], float(x[-1]))


def mix(demos: Floats, found: Floats) -> Floats:
    """λ [J]; a small ‖λ‖² term makes it unique where policies have equal features."""
    count = len(found)
    cost = found @ found.T + 1e-9 * np.eye(count)
    one = csc_matrix(np.ones((1, count)))
    x = solve_qp(csc_matrix(cost), -found @ demos, A=one, b=np.ones(1), lb=np.zeros(count), solver=SOLVER)
    assert x is not None, "some mixture is always the nearest"
    share: Floats = np.clip(x, 0, None)
    share /= share.sum()
    return share
