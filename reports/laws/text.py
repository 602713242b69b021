"""Numbers of laws as text: FLOPs in powers of ten, coefficients with their intervals."""

import math

from markupsafe import Markup

from reports.numbers import UNMEASURED
from scaling.advise.answer import Estimate
from scaling.result import Interval, Prediction

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power(value: float) -> str:
    """Return `10²⁰`, `2×10²¹` or, of nothing, `0`, for axes and sentences."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = f"{value / 10**exponent:.3g}"
    raised = f"10{str(exponent).translate(_RAISED)}"
    return raised if factor == "1" else f"{factor}×{raised}"


def compact(value: float) -> str:
    """Return `2e21`, for cells of tables, which sort as numbers."""
    return f"{value:g}".replace("e+0", "e").replace("e+", "e")


def significant(value: float | None, digits: int = 3) -> str:
    """Return `3.70`, `0.0312` or `1.4e9`, to that many digits, none of them dropped."""
    if value is None or not math.isfinite(value):
        return UNMEASURED
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -4 <= size < 6:
        text = f"{value:.{max(0, digits - 1 - size)}f}"
    else:
        text = f"{value:.{digits - 1}e}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    # The exponent keeps its hyphen, so that tables can sort by it.
    return text.replace("-", "\u2212", 1) if text.startswith("-") else text


def ends_text(low: float | None, high: float | None, digits: int = 3) -> str:
    """Return `[3.60, 3.80]`, or nothing where an end is missing."""
    if low is None or high is None:
        return ""
    return f"[{significant(low, digits)}, {significant(high, digits)}]"


def with_ends(
    value: float | None, low: float | None, high: float | None, digits: int = 3
) -> Markup:
    """Return a value with its interval in small print, for a cell."""
    ends = ends_text(low, high, digits)
    shown = significant(value, digits)
    return Markup("{} <small>{}</small>").format(shown, ends) if ends else Markup(shown)


def with_interval(value: float, interval: Interval | None, digits: int = 3) -> Markup:
    """Return an estimate with its interval in small print, for a cell."""
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return with_ends(value, low, high, digits)


def ends(prediction: Prediction) -> tuple[float, float] | None:
    """Return the ends of a single prediction's interval, or None."""
    if prediction.low is None or prediction.high is None:
        return None
    return float(prediction.low), float(prediction.high)


def predicted(prediction: Prediction, digits: int = 3) -> Markup:
    """Return a single prediction with its interval, for a cell."""
    low, high = ends(prediction) or (None, None)
    return with_ends(float(prediction.value), low, high, digits)


def said(prediction: Prediction, digits: int = 3) -> str:
    """Return `3.70 [3.60, 3.80]`, for a sentence."""
    low, high = ends(prediction) or (None, None)
    return f"{significant(float(prediction.value), digits)} {ends_text(low, high, digits)}".strip()


def estimated(one: Estimate, digits: int = 3) -> str:
    """Return the same of an estimate of `scaling.advise`."""
    return f"{significant(one.value, digits)} {ends_text(one.low, one.high, digits)}".strip()
