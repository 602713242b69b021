"""Derivatives that a law gives to the engine, against central differences."""

import numpy as np

from scaling.engine.newton import Array, Predictor

STEP = 1e-6


def assert_derivatives(
    model: Predictor, here: Array, weights: Array, slopes_within: float, bends_within: float
) -> None:
    """Compare the Jacobian and the weighted curvature at [R, p] places; weights are [R, n]."""
    assert model.curvature is not None
    for index, by in enumerate(STEP * np.eye(here.shape[1])):
        slope = (model.value(here + by) - model.value(here - by)) / (2 * STEP)
        np.testing.assert_allclose(model.jacobian(here)[..., index], slope, atol=slopes_within)
        turned = (model.jacobian(here + by) - model.jacobian(here - by)) / (2 * STEP)
        bend = np.einsum("rn,rnp->rp", weights, turned)
        np.testing.assert_allclose(
            model.curvature(here, weights)[:, index], bend, atol=bends_within
        )
