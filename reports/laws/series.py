"""Series of the pages on laws: a style for every budget, every rate."""

from collections.abc import Sequence

from reports.laws.text import power
from reports.measured import Series
from reports.palette import series_style


def of_budgets(budgets: Sequence[float]) -> dict[float, Series]:
    """Return a series for every budget, from the smallest."""
    return {
        one: Series(f"{power(one)} FLOPs", {}, series_style(i))
        for i, one in enumerate(sorted(set(budgets)))
    }


def of_rates(rates: Sequence[float]) -> dict[float, Series]:
    """Return a series for every compression rate, from the lowest."""
    return {
        one: Series(f"{one:.3g} bytes per token", {}, series_style(i))
        for i, one in enumerate(sorted(set(rates)))
    }
