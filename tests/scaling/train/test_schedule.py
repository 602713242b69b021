"""The learning rate over a run, drawn and compared."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scaling.spec import Training
from scaling.train import optimiser


def wsd(step: int, steps: int, warmup: float, decay: float) -> float:
    training = Training(steps=steps, batch_bytes=1, learning_rate=1.0, warmup=warmup, decay=decay)
    return optimiser.wsd(training, step)


# Twenty steps a line, in hundredths: up over 5, flat, and down over the last 20 to what would be 0
# at step 100.
DRAWN = """
 20  40  60  80 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100
100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100
100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100
100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100 100
 95  90  86  81  76  71  67  62  57  52  48  43  38  33  29  24  19  14  10   5
"""


def test_a_hundred_steps_are_as_drawn() -> None:
    drawn = [int(value) for value in DRAWN.split()]
    curve = [wsd(step, 100, Training.warmup, Training.decay) for step in range(100)]
    assert [round(100 * value) for value in curve] == drawn
    # Linear, to the last bit that matters: equal steps down, the next of which is 0.
    assert curve[80:] == pytest.approx([(20 - k) / 21 for k in range(20)], abs=1e-15)


shares = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: sum(pair) <= 1)


@given(steps=st.integers(1, 400), pair=shares)
@example(steps=1, pair=(0.05, 0.2))
@example(steps=1, pair=(1.0, 0.0))
@example(steps=1, pair=(0.0, 1.0))
@example(steps=2, pair=(0.5, 0.5))
@example(steps=399, pair=(0.0, 0.0))
def test_no_step_is_wasted_and_none_is_above_the_highest(
    steps: int, pair: tuple[float, float]
) -> None:
    warmup, decay = pair
    curve = [wsd(step, steps, warmup, decay) for step in range(steps)]
    assert all(0 < value <= 1 for value in curve)
    # Up, then flat, then down, and never anything else.
    top = curve.index(max(curve))
    assert curve[: top + 1] == sorted(curve[: top + 1])
    assert curve[top:] == sorted(curve[top:], reverse=True)
    rising, falling = math.ceil(warmup * steps), math.floor(decay * steps)
    if rising + falling <= steps:
        assert curve[max(0, rising - 1) : steps - falling] == pytest.approx(
            [1.0] * (steps - falling - max(0, rising - 1))
        )
    if falling:
        assert wsd(steps, steps, warmup, decay) == 0


@given(steps=st.integers(1, 10_000), step=st.integers(0, 9_999))
def test_warm_up_takes_a_twentieth_and_decay_a_fifth(steps: int, step: int) -> None:
    value = wsd(step % steps, steps, 0.05, 0.2)
    done = (step % steps + 1) / steps
    if value < 1 and step % steps + 1 < 0.05 * steps:
        assert value == pytest.approx(done / 0.05, abs=1 / (0.05 * steps))
    elif value < 1 and done > 0.8 + 1 / steps:
        assert value == pytest.approx((1 - done) / 0.2, abs=2 / (0.2 * steps))
    elif 0.05 + 1 / steps < done < 0.8:
        assert value == 1
