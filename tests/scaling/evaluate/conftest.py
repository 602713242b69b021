"""Micro models that were trained, on the embedded English text, in seconds."""

from pathlib import Path

import pytest

from scaling.evaluate.trained_run import TrainedRun, open_run
from tests.scaling.train.truth import trained


def micro(folder: Path, model: str = "", steps: int = 160) -> TrainedRun:
    """Train a byte latent transformer on static patches of 4 bytes and open it."""
    record, _ = trained(
        folder,
        f"""
        [model]
        family = "blt"
        layers = 1
        dim = 64
        local_layers = 1
        local_dim = 32
        cross_factor = 1
        {model}
        [patching]
        kind = "static"
        compression_rate = 4
        [data]
        corpus = "embedded:eng_Latn"
        held_out_bytes = 500
        context_bytes = 128
        window_bytes = 32
        [training]
        steps = {steps}
        batch_bytes = 1024
        """,
    )
    return open_run(folder / "runs" / record.spec.run_id)


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run without a block objective."""
    return micro(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def block_run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run that has learnt to fill blocks of 8 bytes; half a minute."""
    return micro(tmp_path_factory.mktemp("blocks"), "diffusion_block = 8", steps=400)
