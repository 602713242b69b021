"""One published figure beside what the project reproduces."""

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, TypedDict

import polars as pl

from corpora.bootstrap import Interval
from scaling.compare import compare
from scaling.published.tables import FIGURES, path
from scaling.result import FitResult

# How a figure is judged: `digits` (what is reproduced must round to the figure printed), `scatter`
# (the end of an interval: both carry the noise of random draws), `bar` (what is reproduced must not
# exceed the figure), `context` (from other data, or of another kind: no agreement is expected).
Judged = Literal["digits", "scatter", "bar", "context"]
SCATTER = 0.1  # of an interval's width: what the ends of two intervals of 1000 draws may differ by


class PublishedFigure(NamedTuple):
    """One published figure, and the same figure reproduced.

    Attributes:
        group: whose figure, from which data. name: what it is.
        published: as printed. reproduced: at full precision. judged: how agreement is judged.
        published_interval: as published, if there is one; of `scatter`, there must be.
        interval: of what is reproduced, if there is one.
        note: why the two differ, where that is known.
    """

    group: str
    name: str
    published: str
    reproduced: float
    judged: Judged = "digits"
    published_interval: Interval | None = None
    interval: Interval | None = None
    note: str = ""

    @property
    def difference(self) -> float:
        """What is reproduced, less what is published."""
        return self.reproduced - float(self.published)

    @property
    def agrees(self) -> bool | None:
        """Whether the two agree as they should; None for `context`."""
        if self.judged == "digits":
            decimals = len(self.published.partition(".")[2])
            return f"{self.reproduced:.{decimals}f}" == f"{float(self.published):.{decimals}f}"
        if self.judged == "bar":
            return self.reproduced <= float(self.published)
        if self.judged == "scatter":
            assert self.published_interval is not None
            width = self.published_interval.high - self.published_interval.low
            return abs(self.difference) <= SCATTER * width
        return None

    @property
    def in_published_interval(self) -> bool | None:
        """Whether the published interval holds what is reproduced; None where there is none."""
        if self.published_interval is None or self.judged == "scatter":
            return None
        return self.reproduced in self.published_interval

    @property
    def in_interval(self) -> bool | None:
        """Whether the reproduced interval holds what is published; None where there is none."""
        if self.interval is None or self.judged == "scatter":
            return None
        return float(self.published) in self.interval

    def to_json(self) -> dict[str, Any]:
        """Return the figure as the command prints it."""
        return {
            "group": self.group,
            "name": self.name,
            "published": self.published,
            "ours": self.reproduced,
            "difference": self.difference,
            "judged": self.judged,
            "agrees": self.agrees,
            "theirs": self.published_interval and list(self.published_interval),
            "in_theirs": self.in_published_interval,
            "interval": self.interval and list(self.interval),
            "in_ours": self.in_interval,
            "note": self.note,
            "published_value": float(self.published),
        }

    @classmethod
    def of_record(cls, record: "FigureRecord") -> "PublishedFigure":
        """Read what `to_json` returned.

        Raises:
            ValueError: what is published is no number, or lacks the interval it is judged by.
        """
        if not math.isfinite(float(record["published"])):
            raise ValueError(f"{record['name']}: {record['published']} was never published")
        if record["judged"] == "scatter" and record["theirs"] is None:
            raise ValueError(f"{record['name']}: has no published interval to be judged by")
        return cls(
            record["group"],
            record["name"],
            record["published"],
            record["ours"],
            record["judged"],
            record["theirs"] and Interval(*record["theirs"]),
            record["interval"] and Interval(*record["interval"]),
            record["note"],
        )


class FigureRecord(TypedDict):
    """A figure as `scaling reproduce` prints it, less what follows from the rest."""

    group: str
    name: str
    published: str
    ours: float
    judged: Judged
    theirs: tuple[float, float] | None
    interval: tuple[float, float] | None
    note: str


@cache
def printed_figures() -> pl.DataFrame:
    """Return the shipped table of figures, all text: group, name, published, judged and note."""
    return pl.read_csv(path(FIGURES), infer_schema=False).fill_null("")


def figures(
    group: str,
    reproduced: Mapping[str, float | None],
    intervals: Mapping[str, Interval | None] | None = None,
) -> Iterator[PublishedFigure]:
    """Yield the figures of a group, in the order in which they are printed."""
    for row in printed_figures().filter(group=group).iter_rows(named=True):
        value = reproduced[row["name"]]
        assert value is not None, row
        interval = (intervals or {}).get(row["name"])
        yield PublishedFigure(**row, reproduced=value, interval=interval)


def for_context(
    group: str, published: FitResult, fit: FitResult, note: str
) -> Iterator[PublishedFigure]:
    """Yield the coefficients of a published law beside those of a fit to other data."""
    for beside in compare(published, fit):
        yield PublishedFigure(
            group,
            beside.name,
            f"{beside.first:g}",
            beside.second,
            "context",
            published.intervals[beside.name],
            fit.intervals[beside.name],
            note,
        )
