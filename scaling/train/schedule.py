"""Warmup-stable-decay: the learning rate as a share of its highest value."""

import math


def wsd(step: int, steps: int, warmup: float, decay: float) -> float:
    """Return the factor of the learning rate at `step`, counted from 0.

    It rises linearly over the first `warmup` share of the steps, is 1, and over the last `decay`
    share falls linearly to 0, which the step after the last would have. At least one step warms up
    where there is a warm-up at all, so that no step has a rate of 0.
    """
    rising = math.ceil(warmup * steps)
    falling = math.floor(decay * steps)
    up = (step + 1) / rising if step < rising else 1.0
    down = (steps - step) / (falling + 1) if steps - step <= falling else 1.0
    return min(up, down)
