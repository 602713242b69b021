"""How a run stands, for those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """How a run stands, for those who watch it.

    Attributes:
        step, steps: taken, and in all.
        bits_per_byte: of the training text, smoothed.
        bytes_per_second: of training text. seconds_left: at that speed.
        utilisation: FLOPs by the project's count over the device's measured peak.
        scored_bytes: of the held-out text, once training is over.
    """

    step: int
    steps: int
    bits_per_byte: float
    bytes_per_second: float
    seconds_left: float
    utilisation: float
    scored_bytes: int = 0


Watch = Callable[[Report], object]
