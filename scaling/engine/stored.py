"""The numbers of a fit in its file: what they can be, and how they are written and read."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np
from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator

from corpora.bootstrap import Interval
from corpora.errors import InputError
from corpora.json_file import is_number
from scaling.engine.newton import Array

Finite = Annotated[float, Field(allow_inf_nan=False)]
# Far beyond what any law comes to, so that formulas of what is read do not overflow.
StoredNumber = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
Level = Annotated[float, Field(gt=0, lt=1)]


def _finite_table(value: Any) -> Array:
    words = "draws are rows of finite numbers, all of one length"
    try:
        table = np.array(value, np.float64)
    except (TypeError, OverflowError) as error:
        raise ValueError(words) from error
    if not table.size:
        return np.empty((0, 0))
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(words)
    return table


def ends_of(interval: Interval | None) -> list[float | None] | None:
    """Return the ends as JSON has them: an end that the runs leave open is None."""
    return interval and [float(end) if math.isfinite(end) else None for end in interval]


def _stored_ends(interval: Interval) -> dict[str, float | None]:
    return dict(zip(Interval._fields, ends_of(interval) or (), strict=True))


def _read_ends(value: Any) -> Any:
    """Return ends as they were written, an open one infinite."""
    if isinstance(value, Mapping):
        value = [value.get(name, math.nan) for name in Interval._fields]
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("an interval has two ends")
    if not all(end is None or _is_end(end) for end in value):
        raise ValueError("the ends of an interval are numbers")
    low, high = value
    ends = Interval(-math.inf if low is None else low, math.inf if high is None else high)
    if ends.low > ends.high:
        raise ValueError("an interval ends before it begins")
    return Interval(*map(float, ends))


def _is_end(value: Any) -> bool:
    return is_number(value) or (isinstance(value, float) and math.isinf(value))


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range is from a number, not negative, to one that is no smaller")
    return ends


DrawTable = Annotated[Array, PlainValidator(_finite_table), PlainSerializer(np.ndarray.tolist)]
# In a file, an interval is an object of two numbers; an end that is open is null.
StoredInterval = Annotated[Interval, PlainValidator(_read_ends), PlainSerializer(_stored_ends)]
FittedRange = Annotated[tuple[Finite, Finite], AfterValidator(_in_order)]


class ReadEstimates(dict[str, Any]):
    """Coefficients of a fit that was read; asking for one that the file lacks is an `InputError`.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.path = path

    def of(self, values: Mapping[str, Any]) -> "ReadEstimates":
        """Return others of the same fit, as its draws."""
        return ReadEstimates(self.path, values)

    def need(self, names: Iterable[str]) -> None:
        """Refuse a file that lacks one of these."""
        for name in names:
            if name not in self:
                self.__missing__(name)

    def __missing__(self, name: str) -> NoReturn:
        raise InputError(f"{self.path}: not a fit (estimates.{name} is missing); fit again")
