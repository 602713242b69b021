"""Numbers as people read them: as many places as the interval supports, shares in per cent."""

from collections.abc import Sequence

UNMEASURED = "–"
Interval = Sequence[float]


def rate(value: float | None, ends: Interval | None = None, places: int = 2) -> str:
    """Return `3.25`, with as many places as it takes to tell the interval's ends apart."""
    if value is None:
        return UNMEASURED
    return _signed(value, _places([value, *(ends or ())], places))


def share(value: float | None, ends: Interval | None = None, unit: str = "%") -> str:
    """Return `12.3 %`; 100 % and 0 % are said only where they are exact."""
    if value is None:
        return UNMEASURED
    if value in (0, 1) and not _wide(ends):
        return f"{100 * value:.0f} {unit}"
    return f"{_signed(100 * value, _share_places(value, ends))} {unit}"


def rate_interval(value: float, ends: Interval | None, places: int = 2) -> str:
    """Return `[3.22, 3.27]`, or nothing where there is no interval or it has no width."""
    if ends is None or not _wide(ends):
        return ""
    places = _places([value, *ends], places)
    return f"[{_signed(ends[0], places)}, {_signed(ends[1], places)}]"


def share_interval(value: float, ends: Interval | None, unit: str = "%") -> str:
    """Return `[12.1, 12.5 %]`, or nothing."""
    if ends is None or not _wide(ends):
        return ""
    places = _share_places(value, ends)
    return f"[{_signed(100 * ends[0], places)}, {_signed(100 * ends[1], places)} {unit}]"


def _share_places(value: float, ends: Interval | None) -> int:
    percents = [100 * one for one in (value, *(ends or ()))]
    # What is not whole must not read as whole, nor what is not nothing as nothing.
    return max(_places(percents, 1), _places([100 - one for one in percents], 1))


def _places(values: Sequence[float], least: int) -> int:
    """Return at how many decimals no value but 0 looks like 0, and an interval, the last two of
    three values, is at least two units of the last place wide (or has no width at all)."""
    width = abs(values[-1] - values[-2]) if len(values) == 3 else 0.0
    for places in range(least, least + 6):
        seen = all(float(f"{value:.{places}f}") or not value for value in values)
        if seen and (width == 0 or width >= 2 * 10.0**-places):
            return places
    return least + 6


def _wide(ends: Interval | None) -> bool:
    return ends is not None and ends[0] != ends[1]


def count(value: int) -> str:
    """Return `1,114,112`."""
    return f"{value:,}"


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
