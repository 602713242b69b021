"""Regular patches go without look-ups, and come to the same as with them, gradients too."""

import numpy as np
import pytest
import torch

from scaling.data.windows import TokenBatch
from scaling.model.layout import patched_bytes
from scaling.model.patching import static_starts
from tests.scaling.evaluate.streams import CPU
from tests.scaling.model.support import latent_model


def batch(rows: int, width: int, rate: float) -> TokenBatch:
    targets = np.random.default_rng(0).integers(0, 256, (rows, width))
    inputs = np.concatenate([np.full((rows, 1), 256), targets[:, :-1]], axis=1)
    starts = np.repeat(static_starts([width], rate)[None], rows, axis=0)
    return TokenBatch(inputs, targets, np.zeros((rows, width), np.int32), starts, rows * width)


@pytest.mark.parametrize("rate", [1, 2, 4])
@pytest.mark.parametrize(("layers", "slots"), [(1, 1), (2, 2)])
def test_with_and_without_look_ups(rate: float, layers: int, slots: int) -> None:
    model, rows = latent_model(layers, slots), batch(3, 24, rate)
    found = []
    for indexed in (True, False):
        inputs = patched_bytes(rows, CPU, always_indexed=indexed)
        assert (inputs.latent_of_byte is None) == (not indexed)
        logits = model(inputs)
        found.append(
            (logits, torch.autograd.grad(logits.square().sum(), tuple(model.parameters())))
        )
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rate", [3.5, 5])
def test_patches_that_do_not_fill_the_row_are_looked_up(rate: float) -> None:
    assert patched_bytes(batch(2, 24, rate), CPU).latent_of_byte is not None
