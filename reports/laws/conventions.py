"""The same runs under every convention of counting parameters and FLOPs."""

from markupsafe import Markup

from reports.laws.material import Laws
from reports.laws.names import GREEK
from reports.laws.text import significant, with_interval
from reports.numbers import UNMEASURED
from reports.section import absent
from reports.table import Column, sortable_table


def conventions(laws: Laws) -> Markup:
    """Show a table for each law that was fitted under several."""
    if not laws.rivals:
        return absent("The same runs were fitted under one convention only.")
    tables = []
    for law in sorted({one.law for one in laws.rivals}):
        fits = [one for one in laws.rivals if one.law == law]
        names = [one for one in fits[0].estimates if not one.startswith("curvature")]
        names.sort(key=lambda one: one != "T0")  # what the laws are for comes first
        tables.append(
            sortable_table(
                f"{law}: the same runs, counted otherwise",
                [
                    Column("parameters", numeric=False),
                    Column("FLOPs", numeric=False),
                    *(Column(GREEK.get(one, one)) for one in names),
                    Column("RMSE"),
                ],
                [
                    [
                        one.conventions.get("params", ""),
                        one.conventions.get("flops", ""),
                        *(
                            with_interval(one.estimates[name], one.intervals.get(name))
                            if name in one.estimates
                            else UNMEASURED
                            for name in names
                        ),
                        significant(one.rmse, 3),
                    ]
                    for one in fits
                ],
                row_headers=2,
            )
        )
    note = Markup("<p>{}</p>").format(
        "Papers disagree on what counts as a parameter and what as a FLOP. Each row is the same "
        "runs and the same law; a coefficient that moves from row to row by more than its interval "
        "means nothing without the convention beside it."
    )
    return note + Markup("").join(tables)
