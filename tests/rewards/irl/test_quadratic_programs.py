"""Two quadratic programs by hand."""

import numpy as np
import pytest

from metairl.rewards.irl import quadratic_programs


def test_a_margin_by_hand() -> None:
    """μ_E − μ = (0, 3): the shortest w with w · (0, 3) ≥ 1 is (0, 1/3); at a low C slack is cheaper."""
    solved = quadratic_programs.max_margin_weights(
        np.array([0.0, 3.0]), np.array([[0.0, 0.0]]), np.array([1.0]), slack=100.0
    )
    assert solved is not None
    w, slack = solved
    np.testing.assert_allclose(w, [0, 1 / 3], atol=1e-6)
    assert slack == pytest.approx(0, abs=1e-6)
    cheap = quadratic_programs.max_margin_weights(
        np.array([0.0, 3.0]), np.array([[0.0, 0.0]]), np.array([1.0]), slack=0.01
    )
    assert cheap is not None
    np.testing.assert_allclose(cheap[0], [0, 0.03], atol=1e-6)  # C (μ_E − μ)
    assert cheap[1] == pytest.approx(0.91, abs=1e-6)


def test_mixture_weights_by_hand() -> None:
    weights = quadratic_programs.mixture_weights(
        np.array([0.25, 0.75]), np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    )
    np.testing.assert_allclose(weights, [0.25, 0.75, 0], atol=1e-4)
