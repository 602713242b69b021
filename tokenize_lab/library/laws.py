"""`tl.fit`: a scaling law from runs, which predicts, draws itself and makes a report."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling.fits.fit import fit as fitted
from scaling.fits.results import Fits
from scaling.load_table import LoadedTable, RunsSource, load_table
from scaling.read_runs import read_runs
from scaling.runs import Runs
from tokenize_lab.library.shown import Shown

if TYPE_CHECKING:
    from reports.charts.figure import Figure


class FittedLaw(Shown, Fits):
    """A law fitted to each part of a table: `summary`, `predict`, `frame`, `figure`, `report`.

    Attributes:
        runs: what it was fitted to.
    """

    def __init__(self, fits: Fits, runs: Runs, table: LoadedTable | None) -> None:
        super().__init__(fits.law, fits.results)
        self.runs = runs
        self._table = table

    def figure(self) -> "Figure":
        """Return the law's main chart: T* over compute, parabolas, bowls, or the like.

        Raises:
            InputError: the law has nothing to draw.
        """
        from reports.figures import fit_figure

        return fit_figure(self.results, self.runs)

    def save(self, folder: Path) -> Path:
        """Write the fits, their summary and their table to `folder/laws`, and return that.

        Raises:
            InputError: it cannot be written.
        """
        return self.write(folder, self._table)


def fit(
    runs: Runs | RunsSource,
    law: str,
    *,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> FittedLaw:
    """Fit a scaling law to runs, to each tokenization, language and data set on its own.

    Arguments:
        runs: what `read_runs` returns, or anything it reads: a `.csv` or `.parquet` file, the
            folder of a sweep, a data frame of polars or pandas.
        law: a name of `scaling.laws.registry.LAWS`, as `law2`, `isoflop` or `chinchilla`.
        columns: what the table calls a column, by the name it has here.
        options: `form`, `minima`, `irreducible`, `base`, `intervals`, `draws`, `seed`, `level`,
            `budget`, `up_to`: as `scaling.fits.fit.fit` takes them.

    Raises:
        InputError: an unknown law or option, or a table that the law cannot be fitted to.
    """
    if isinstance(runs, Runs):
        return FittedLaw(fitted(runs, law, **options), runs, None)
    table = load_table(runs)
    read = read_runs(table, columns=columns)
    return FittedLaw(fitted(read, law, **options), read, table)
