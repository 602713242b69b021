"""Numbers as people read them: as many places as the interval supports, shares in per cent, FLOPs
in powers of ten, what a law found to significant digits."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from markupsafe import Markup

UNMEASURED = "–"
LowHigh = Sequence[float] | None  # of an interval
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@runtime_checkable
class Spread(Protocol):
    """What has the ends of an interval, or None for each: of a coefficient, a prediction."""

    @property
    def low(self) -> Any: ...
    @property
    def high(self) -> Any: ...


class Estimated(Spread, Protocol):
    """A value with the ends of its interval."""

    @property
    def value(self) -> Any: ...


def rate(value: float | None, ends: LowHigh = None, places: int = 2) -> str:
    """Return `3.25`, with as many places as it takes to tell the interval's ends apart."""
    if value is None:
        return UNMEASURED
    return _signed(value, _places([value, *(ends or ())], places))


def share(value: float | None, ends: LowHigh = None, unit: str = "%") -> str:
    """Return `12.3 %`; 100 % and 0 % are said only where they are exact."""
    if value is None:
        return UNMEASURED
    if value in (0, 1) and not _wide(ends):
        return f"{100 * value:.0f} {unit}"
    return f"{_signed(100 * value, _share_places(value, ends))} {unit}"


def rate_interval(value: float, ends: LowHigh, places: int = 2) -> str:
    """Return `[3.22, 3.27]`, or nothing where there is no interval or it has no width."""
    if ends is None or not _wide(ends):
        return ""
    places = _places([value, *ends], places)
    return f"[{_signed(ends[0], places)}, {_signed(ends[1], places)}]"


def share_interval(value: float, ends: LowHigh, unit: str = "%") -> str:
    """Return `[12.1, 12.5 %]`, or nothing."""
    if ends is None or not _wide(ends):
        return ""
    places = _share_places(value, ends)
    return f"[{_signed(100 * ends[0], places)}, {_signed(100 * ends[1], places)} {unit}]"


def _share_places(value: float, ends: LowHigh) -> int:
    percents = [100 * number for number in (value, *(ends or ()))]
    # What is not whole must not read as whole, nor what is not nothing as nothing.
    return max(_places(percents, 1), _places([100 - percent for percent in percents], 1))


def _places(values: Sequence[float], least: int) -> int:
    """Return at how many decimals no value but 0 looks like 0, and an interval, the last two of
    three values, is at least two units of the last place wide (or has no width at all)."""
    width = abs(values[-1] - values[-2]) if len(values) == 3 else 0.0
    for places in range(least, least + 6):
        seen = all(float(f"{value:.{places}f}") or not value for value in values)
        if seen and (width == 0 or width >= 2 * 10.0**-places):
            return places
    return least + 6


def _wide(ends: LowHigh) -> bool:
    return ends is not None and ends[0] != ends[1]


def count(value: int | None) -> str:
    """Return `1,114,112`."""
    return UNMEASURED if value is None else f"{value:,}"


def size(value: int) -> str:
    """Return a number of bytes as `14.6 MB` (powers of ten)."""
    scaled = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if scaled < 1000 or unit == "GB":
            break
        scaled /= 1000
    return f"{value:,} bytes" if unit == "bytes" else f"{scaled:.3g} {unit}"


def listed(names: Sequence[str]) -> str:
    """Return `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return `1 language`, `38 languages`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def _signed(value: float, places: int) -> str:
    """A minus sign, not a hyphen; and no minus before zero."""
    text = f"{value:.{places}f}"
    if text.startswith("-"):
        return "\u2212" + text[1:] if float(text) else text[1:]
    return text


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


def significant_rate(value: float) -> str:
    """Return a compression rate as people say it: `2` also where patches gave 1.99981."""
    return f"{value:.3g}"


def ends_of(spread: Spread | LowHigh) -> tuple[float, float] | None:
    """Return both ends of an interval, or None where one is missing or open."""
    if spread is None:
        return None
    low, high = (spread.low, spread.high) if isinstance(spread, Spread) else spread
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return None
    return float(low), float(high)


def ends_text(spread: Spread | LowHigh, digits: int = 3) -> str:
    """Return `[3.60, 3.80]`, `at least 3.60` of an open one, or nothing where an end is missing."""
    ends = ends_of(spread)
    if ends:
        return f"[{', '.join(significant(end, digits) for end in ends)}]"
    if isinstance(spread, tuple) and spread[0] is not None and spread[1] == math.inf:
        return f"at least {significant(spread[0], digits)}"
    return ""


def with_interval(value: float | None, spread: Spread | LowHigh, digits: int = 3) -> Markup:
    """Return a value with its interval in small print, for a cell."""
    return with_small(significant(value, digits), ends_text(spread, digits))


def with_small(value: str, small: str) -> Markup:
    """Return a text with another in small print, if there is one."""
    return Markup("{} <small>{}</small>").format(value, small) if small else Markup(value)


def cell(estimate: Estimated, digits: int = 3) -> Markup:
    """Return a law's estimate or single prediction with its interval, for a cell."""
    return with_interval(estimate.value, estimate, digits)


def said(estimate: Estimated, digits: int = 3) -> str:
    """Return `3.70 [3.60, 3.80]`, for a sentence."""
    return f"{significant(estimate.value, digits)} {ends_text(estimate, digits)}".strip()
