"""How long a budget takes on a named accelerator."""

from collections.abc import Mapping
from typing import NamedTuple

from corpora.errors import InputError, did_you_mean

SECONDS_PER_DAY = 86_400


class Gpu(NamedTuple):
    """An accelerator.

    Attributes:
        peak_flops: dense bf16 FLOPs per second, without sparsity.
        source: where that figure is printed.
    """

    peak_flops: float
    source: str


GPUS: Mapping[str, Gpu] = {
    "a100": Gpu(312e12, "NVIDIA A100 data sheet"),
    "h100": Gpu(989.4e12, "NVIDIA H100 SXM data sheet"),
    "h200": Gpu(989.4e12, "NVIDIA H200 SXM data sheet"),
    "b200": Gpu(2250e12, "NVIDIA DGX B200 data sheet"),
}


def training_days(compute_flops: float, gpu: str, utilisation: float, count: int = 1) -> float:
    """Return the days that `count` accelerators need at a share of their peak.

    Raises:
        InputError: the accelerator is not listed, or utilisation is not in (0, 1].
    """
    if gpu not in GPUS:
        raise InputError(f"--gpu {gpu}: unknown{did_you_mean(gpu, GPUS)} ({', '.join(GPUS)})")
    if not 0 < utilisation <= 1:
        raise InputError(f"--utilisation {utilisation:g}: a share of the peak lies in (0, 1]")
    if count < 1:
        raise InputError(f"--gpus {count}: at least one")
    return compute_flops / (GPUS[gpu].peak_flops * utilisation * count * SECONDS_PER_DAY)
