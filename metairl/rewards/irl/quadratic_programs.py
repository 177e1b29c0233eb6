"""Quadratic programs of max-margin IRL, one task at a time, solved by Clarabel through qpsolvers.

margin    min ½ ‖w‖² + C ζ   s.t.  w · (μ_E − μ_j) ≥ D_j − ζ,  ζ ≥ 0
mixture   min ‖μ_E − Σ_j λ_j μ_j‖²   s.t.  Σ_j λ_j = 1,  λ ≥ 0
"""

import numpy as np
from qpsolvers import solve_qp
from scipy.sparse import csc_matrix

from metairl.core.arrays import Floats

SOLVER = "clarabel"


def max_margin_weights(
    expert: Floats, policies: Floats, distance: Floats, slack: float
) -> tuple[Floats, float] | None:
    """w and ζ for μ_E [F], μ [J, F] and D [J]; None if the solver finds no solution."""
    width, count = expert.shape[0], len(policies)
    cost = np.diag([1.0] * width + [0.0])
    linear = np.array([0.0] * width + [slack])
    constraints = np.hstack([policies - expert, -np.ones((count, 1))])
    lower = np.array([-np.inf] * width + [0.0])
    x = solve_qp(csc_matrix(cost), linear, csc_matrix(constraints), -distance, lb=lower, solver=SOLVER)
    return None if x is None else (x[:-1], float(x[-1]))


def mixture_weights(expert: Floats, policies: Floats) -> Floats:
    """λ [J]; a small ‖λ‖² term makes it unique where policies have equal features."""
    count = len(policies)
    cost = policies @ policies.T + 1e-9 * np.eye(count)
    sum_to_one = csc_matrix(np.ones((1, count)))
    x = solve_qp(
        csc_matrix(cost), -policies @ expert, A=sum_to_one, b=np.ones(1), lb=np.zeros(count), solver=SOLVER
    )
    assert x is not None, "some mixture is always the nearest"
    weights: Floats = np.clip(x, 0, None)
    weights /= weights.sum()
    return weights
