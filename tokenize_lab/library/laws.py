"""`tl.fit`: a scaling law from runs, which predicts, draws itself and makes a report."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from corpora.arguments import path
from corpora.errors import InputError
from scaling.bias import bias_of
from scaling.compare import compare_with
from scaling.conventions import by_conventions
from scaling.engine.bootstrap import DRAWS, SEED
from scaling.fits.fit import fit as fitted
from scaling.fits.parities import GivenParities
from scaling.fits.results import Fits
from scaling.load_table import LoadedTable, RunsSource, load_table
from scaling.mixtures.advise import MixtureAdvice, advise_mixture
from scaling.mixtures.predict import mixture_law
from scaling.mixtures.result import MixtureLaw
from scaling.predict import GivenFit, Predictions, predict
from scaling.published.conventions import with_counts
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs
from tokenize_lab.library.shown import Shown

if TYPE_CHECKING:
    from reports.charts.figure import Figure


class FittedLaw(Shown, Fits):
    """A law fitted to each part of a table: `summary`, `predict`, `frame`, `figure`, `report`.

    `quantities` lists what it predicts, and `predictions` tells all of it; `compare`, `bias` and
    `conventions` set it beside others.

    Attributes:
        runs: what it was fitted to. fits: as the law itself gives them.
    """

    def __init__(
        self,
        runs: Runs,
        law: str,
        table: LoadedTable | None,
        told: dict[str, Any],
        **bootstrap: Any,
    ) -> None:
        self.fits = fitted(runs, law, **told, **bootstrap)
        super().__init__(law, self.fits.results)
        self.runs = runs
        self._table = table
        self._told, self._bootstrap = told, bootstrap

    @property
    def mixture(self) -> MixtureLaw:
        """The mixture law with all it holds.

        Raises:
            InputError: it is another law.
        """
        law = mixture_law(self.fits)
        if law is None:
            raise InputError(f"{self.law} is no law of mixtures")
        return law

    def best_mixture(
        self,
        *,
        caps: Mapping[str, float] | None = None,
        weights: Mapping[str, float] | None = None,
        train_bytes: float | None = None,
        text_bytes: Mapping[str, float] | None = None,
    ) -> MixtureAdvice:
        """Return the best mixture for a budget, of a mixture law: `summary`, `to_json`.

        Arguments:
            caps: how often a text may be read, epochs; four where it is not named.
            weights: of languages, in place of those of the fit's target.
            train_bytes: the budget; what the runs read by default.
            text_bytes: sizes of texts, in place of those in the fit's table.

        Raises:
            InputError: another law, an unknown name, or caps below what the budget needs.
        """
        return advise_mixture(
            self.mixture,
            caps=caps,
            weights=weights,
            train_bytes=train_bytes,
            text_bytes=text_bytes,
        )

    def summary(self) -> str:
        """Return a few lines for each fit."""
        return self.fits.summary()

    def json(self) -> dict[str, Any]:
        """Return the object that `scaling fit --json` prints."""
        return self.fits.json()

    def compare(self, *others: str | FitResult | Fits) -> pl.DataFrame:
        """Set it beside other laws of the same runs, lowest AICc first; or beside a given fit.

        Arguments:
            others: laws or forms of one, as `joint` or `law2:constant`, which are fitted; or fits
                of the same law, as they are, their files or published names, beside whose
                coefficients ours stand.

        Raises:
            InputError: another is unknown, of other rows, or has no coefficient in common.
        """
        compared = compare_with(self, self.runs, others, **self._bootstrap)
        laws = [{**found.context, **row._asdict()} for found in compared for row in found.laws]
        coefficients = [
            {**found.context, "beside": name, **row._asdict()}
            for found in compared
            for name, rows in found.coefficients.items()
            for row in rows
        ]
        if bool(laws) == bool(coefficients):
            raise InputError("`others`: give laws to fit, or given fits, one kind at a time")
        return pl.DataFrame(laws or coefficients, infer_schema_length=None)

    def predictions(
        self, *, downstream: GivenFit | None = None, **inputs: float | Sequence[float]
    ) -> Predictions:
        """Return everything that the only fit predicts at the inputs, as `tl.predict` does.

        Arguments:
            downstream: a fit of task errors, to tell them of every loss predicted.

        Raises:
            InputError: there are several fits, or an input that the law does not take.
        """
        return predict(self, downstream=downstream, **inputs)

    def bias(self, by: FitResult | Fits | None = None) -> pl.DataFrame:
        """Return what it says of runs without noise, a row a quantity: `estimate`, `noise_free`,
        `law`, `bias`, and that over half the interval's width.

        Arguments:
            by: a fit of the joint law whose losses are put in; by default one of the same runs.

        Raises:
            InputError: the law is fitted to the runs themselves, or the joint law cannot be.
        """
        law = by.only if isinstance(by, Fits) else by
        rows = [
            {**found.context, "by": found.by, **row._asdict()}
            for found in bias_of(self, self.runs, law, **self._told, **self._bootstrap)
            for row in found.rows
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def conventions(self) -> pl.DataFrame:
        """Fit the law by every count of parameters and FLOPs that the table has; a row a fit.

        Raises:
            InputError: it cannot be fitted by any.
        """
        counted = with_counts(self.runs)
        rows = [
            {
                "params": row.params,
                "flops": row.flops,
                **row.context,
                **row.estimates,
                **{f"{name}_low": ends and ends.low for name, ends in row.intervals.items()},
                **{f"{name}_high": ends and ends.high for name, ends in row.intervals.items()},
                "why": row.why,
            }
            for row in by_conventions(counted, self.law, **self._told, **self._bootstrap)
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def figure(self) -> "Figure":
        """Return the law's main chart: T* over compute, parabolas, bowls, best shares, or the like.

        Raises:
            InputError: the law has nothing to draw.
        """
        from reports.figures import fit_figure, mixture_figure

        law = mixture_law(self.fits)
        if law is not None:
            return mixture_figure(law)
        return fit_figure(self.results, self.runs)

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the fits, their summary and their table to `folder/laws`, and return that.

        Raises:
            InputError: it cannot be written.
        """
        return self.fits.write(path("folder", folder), self._table)


def fit(
    runs: Runs | RunsSource,
    law: str,
    *,
    columns: Mapping[str, str] | None = None,
    form: str = "",
    minima: str = "parabola",
    irreducible: float | None = None,
    base: str | Path | FitResult | Fits | Mapping[str, float] | None = None,
    chance: float | None = None,
    parity: GivenParities = None,
    target: str | Mapping[str, float] = "",
    intervals: str = "",
    draws: int = DRAWS,
    seed: int = SEED,
    level: float = 0.95,
    block: str = "",
    budget: float | Sequence[float] | None = (),
    up_to: float | None = None,
) -> FittedLaw:
    """Fit a scaling law to runs, to each tokenization, language and data set on its own; the law
    `languages` to all languages at once.

    Arguments:
        runs: what `read_runs` returns, or anything it reads: a `.csv` or `.parquet` file, the
            folder of a sweep, a data frame of polars or pandas.
        law: a name of `scaling.laws.registry.LAWS`, as `law2`, `isoflop` or `chinchilla`.
        columns: what the table calls a column, by the name it has here, as
            `{"bits_per_byte": "val_bpb"}`.
        form: of the law, as `constant` of law2; its default where none is given.
        minima: how law2 finds the optima of runs: `parabola` of a curve, or its `lowest` run.
        irreducible: loss that no compute removes, for `envelope`.
        base: the law of fresh text under `repeated`: a fit, its file, a published name, or E, A, B,
            alpha and beta.
        chance: the task error of guessing, which `downstream` never exceeds; 1 where not given.
        parity: of `languages`: bytes per byte of English, by language or text, as a mapping or as
            `tha=2.6,hin_Deva=2.5`, or the file of what `measure --json` printed; where it tells
            none, the table's column `parity`, else the embedded corpus.
        target: languages of a mixture whose mean is minimised: `NAME`, `NAME=2,NAME`, or weights by
            name; all alike where nothing is given.
        intervals: `cases`, `residuals`, `hessian`, `profile` or `none`; the law's own bootstrap
            where nothing is given.
        draws: bootstrap replicates, at most 100,000; 0 for none.
        seed: of the draws.
        level: coverage of the intervals, 0.5 to 0.999.
        block: what is resampled whole, since its rows are not independent: `run`, `cell`, `budget`
            or a column; `row` for each by itself.
        budget: fit only runs of this or these training FLOPs.
        up_to: fit only runs of at most so many training FLOPs.

    Raises:
        InputError: an unknown law or option, or a table that the law cannot be fitted to.
    """
    table = None
    if not isinstance(runs, Runs):
        table = load_table(runs)
        runs = read_runs(table, columns=columns)
    elif columns:
        raise InputError("`columns`: is for a table; give it to `read_runs`, which read these runs")
    told: dict[str, Any] = {"form": form, "minima": minima, "irreducible": irreducible}
    told |= {"base": base, "chance": chance, "parity": parity, "target": target}
    return FittedLaw(
        runs, law, table, told, intervals=intervals, draws=draws, seed=seed, level=level,
        block=block, budget=budget, up_to=up_to,
    )  # fmt: skip
