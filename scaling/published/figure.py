"""One published figure beside ours."""

from typing import Literal, NamedTuple

from scaling.result import Interval

# How a row is judged: `digits` (ours must round to the figure printed), `scatter` (both carry the
# noise of random draws), `bar` (ours must not exceed the figure), `context` (from other data, or of
# another kind: no agreement is expected).
Judged = Literal["digits", "scatter", "bar", "context"]
SCATTER = 0.1  # of an interval's width: what the ends of two intervals of 1000 draws may differ by


class Row(NamedTuple):
    """One published figure and ours.

    Attributes:
        group: whose figure, from which data.
        name: what it is.
        published: as printed.
        ours: at full precision.
        difference: ours less the published value.
        judged: how agreement is judged; agrees: whether they do, None for `context`.
        theirs: the published interval, if there is one; in_theirs: whether ours lies in it.
        interval: our interval, if there is one; in_ours: whether the published value lies in it.
        note: why the two differ, where that is known.
    """

    group: str
    name: str
    published: str
    ours: float
    difference: float
    judged: Judged
    agrees: bool | None
    theirs: Interval | None = None
    in_theirs: bool | None = None
    interval: Interval | None = None
    in_ours: bool | None = None
    note: str = ""


def row(
    group: str,
    name: str,
    published: str,
    ours: float,
    *,
    judged: Judged = "digits",
    theirs: Interval | None = None,
    interval: Interval | None = None,
    note: str = "",
) -> Row:
    """Return the row of a figure printed as `published`, e.g. `.9884` or `-.190`.

    A `scatter` row is the end of an interval and needs both intervals.
    """
    value = float(published)
    decimals = len(published.split(".")[1]) if "." in published else 0
    agrees: bool | None = None
    if judged == "digits":
        agrees = f"{ours:.{decimals}f}" == f"{value:.{decimals}f}"
    elif judged == "bar":
        agrees = ours <= value
    elif judged == "scatter":
        assert theirs is not None
        agrees = abs(ours - value) <= SCATTER * (theirs.high - theirs.low)
    return Row(
        group,
        name,
        published,
        ours,
        ours - value,
        judged,
        agrees,
        theirs,
        None if theirs is None or judged == "scatter" else ours in theirs,
        interval,
        None if interval is None or judged == "scatter" else value in interval,
        note,
    )


def row_json(one: Row) -> dict[str, object]:
    """Return the row as the command prints it."""
    ends = {
        name: None if interval is None else [interval.low, interval.high]
        for name, interval in (("theirs", one.theirs), ("interval", one.interval))
    }
    return {**one._asdict(), "published_value": float(one.published), **ends}
