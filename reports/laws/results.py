"""The laws of a folder: fits as `tokenize-lab scaling fit --out` wrote them, and their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corpora.errors import InputError
from corpora.json_file import read_shape, read_value
from reports.languages import language_name
from reports.measured import Measured
from reports.numbers import compact, power
from scaling.fits.assemble import FAMILY
from scaling.fits.findings import OUTSIDE
from scaling.fits.results import laws_folder
from scaling.laws.registry import LAWS
from scaling.load_table import TABLES
from scaling.mixtures.result import FIT_FILE, MixtureLaw, read_mixture
from scaling.published.figure import FigureRecord, PublishedFigure
from scaling.read_runs import read_runs
from scaling.result import FitResult, read_fit
from scaling.runs import Runs

CONVENTIONS = "conventions"
REPRODUCED = "reproduce.json"
MIXTURE_FILE = "mixture.json"


@dataclass(frozen=True)
class Laws:
    """Everything the pages on laws show.

    Attributes:
        tables: runs and optima, by the SHA-256 of their file.
        fits: one law each, in the order of their files' names.
        rivals: the same laws under other conventions of counting, for the table of those alone.
        reproduced: published figures beside ours; empty where `scaling reproduce` was not run.
        measured: tokenizers measured on text, to be set beside the laws; None where there are none.
        mixture: the law of mixtures of texts, if one was fitted.
    """

    tables: Mapping[str, Runs]
    fits: Sequence[FitResult]
    rivals: Sequence[FitResult] = ()
    reproduced: Sequence[PublishedFigure] = ()
    measured: Measured | None = None
    mixture: MixtureLaw | None = None

    def of(self, law: str) -> list[FitResult]:
        """Return the fits of a law that found something, in the order of budget, then rate."""
        found = [fit for fit in self.fits if fit.law == law and fit.estimates]
        return sorted(found, key=lambda fit: (budget(fit), rate(fit)))

    def one(self, law: str, form: str = "") -> FitResult | None:
        """Return the first fit of a law, of a form if it was fitted; or None."""
        fits = self.of(law)
        return next((fit for fit in fits if fit.form == form), next(iter(fits), None))

    def with_runs(self, law: str) -> list[tuple[FitResult, Runs]]:
        """Return the fits of a law whose runs are here, with these."""
        return [(fit, runs) for fit in self.of(law) if (runs := self.runs_of(fit)) is not None]

    def runs_of(self, fit: FitResult) -> Runs | None:
        """Return the runs that a fit was made from, if its table is here.

        Rows of other languages, tokenizations or budgets than the fit's own are left out.
        """
        runs = self.tables.get(fit.data_sha256)
        if runs is None:
            return None
        for name, value in fit.context.items():
            if name in runs.rows.columns:
                runs = runs.only((runs.rows[name] == value).to_numpy())
        if not len(runs):
            return None
        column = fit.conventions.get("params", "")
        if column in runs.rows.columns and column != runs.params_column:
            runs = replace(runs, params_column=column)
        return runs


def family(fit: FitResult) -> str:
    """Return the tokenization, language and data set a fit is confined to; empty if to none."""
    return ", ".join(str(fit.context[name]) for name in FAMILY if name in fit.context)


def runs_words(fit: FitResult) -> str:
    """Return whose runs a fit stands on: `static models of German (deu_Latn), novels`; where its
    table names neither language nor tokenization, the table."""
    kind, code, dataset = (str(fit.context.get(name, "")) for name in FAMILY)
    words = f"{kind} models" if kind else "models"
    if code:
        shown = language_name(code)
        words += f" of {shown}" if shown == code else f" of {shown} ({code})"
    if dataset and dataset != code:
        words += f", {dataset}"
    if not (kind or code or dataset):
        words = f"{Path(fit.data).name}, which names no language" if fit.data else "its runs"
    return words


def alike(fit: FitResult, other: FitResult) -> bool:
    """Whether two fits are of the same tokenization, language and data set, as far as both say."""
    shared = [name for name in FAMILY if name in fit.context and name in other.context]
    return all(fit.context[name] == other.context[name] for name in shared)


def label(fit: FitResult, fits: Sequence[FitResult]) -> str:
    """Return the budget of one of several fits, and its family where they have more than one."""
    words = f"{power(budget(fit))} FLOPs"
    several = {family(other) for other in fits if other.law == fit.law}
    return f"{words}, {family(fit)}" if len(several) > 1 else words


def budget(fit: FitResult) -> float:
    """Return the budget a fit is confined to, in FLOPs; 0 if to none."""
    return float(fit.context.get("compute_flops", 0.0))


def rate(fit: FitResult) -> float:
    """Return the compression rate a fit is confined to, in bytes per token; 0 if to none."""
    return float(fit.context.get("compression_rate", 0.0))


def of_family(fit: FitResult, fits: Sequence[FitResult]) -> str:
    """Return ` (entropy, eng_Latn)` where fits of one law are of several families, else nothing."""
    families = {family(other) for other in fits if other.law == fit.law}
    return f" ({family(fit)})" if len(families) > 1 else ""


def inside(fit: FitResult) -> bool:
    """Whether what a fit calls the best lies among the sizes and rates that were trained."""
    return all(finding.name != OUTSIDE for finding in fit.findings)


def shown_name(fit: FitResult, fits: Sequence[FitResult]) -> str:
    """Return a fit's name in tables: law, form where it has several, and what it is confined to.

    Arguments:
        fits: all there are; where those of its law are of several families, the name tells which.
    """
    words = [fit.law]
    if fit.law in ("law2", "joint", "joint-additive"):
        words.append(f"({fit.form})")
    if budget(fit):
        words.append(f"C = {compact(budget(fit))}")
    if rate(fit):
        words.append(f"T = {rate(fit):.3g}")
    return " ".join(words) + of_family(fit, fits)


def read_laws(folder: Path, measured: Measured | None = None) -> Laws | None:
    """Read `laws/` of a folder, or the folder so called; None where there is none.

    It holds fits (`*.json`), the tables they were made from (`*.csv`, `*.parquet`), what
    `scaling reproduce --out` wrote, and under `conventions/` the same fits by other conventions.

    Arguments:
        measured: tokenizers measured on text, to be set beside the laws.

    Raises:
        InputError: a file is neither, naming it.
    """
    laws = laws_folder(folder)
    if not laws.is_dir() or (
        laws == folder and not any((laws / f"{law}.txt").is_file() for law in LAWS)
    ):
        return None
    reproduced = laws / REPRODUCED
    others = (reproduced, laws / MIXTURE_FILE, laws / FIT_FILE)
    fits = [read_fit(path) for path in sorted(laws.glob("*.json")) if path not in others]
    mixed = read_mixture(laws / MIXTURE_FILE) if (laws / MIXTURE_FILE).is_file() else None
    # A law of mixtures carries its runs; its table need not be one of any other law.
    own = (
        mixed.data_sha256 if mixed and all(f.data_sha256 != mixed.data_sha256 for f in fits) else ""
    )
    tables = [
        read_runs(path)
        for path in sorted(laws.iterdir())
        if path.suffix in TABLES and not (own and own.startswith(path.stem))
    ]
    return Laws(
        {runs.sha256: runs for runs in tables},
        fits,
        [read_fit(path) for path in sorted((laws / CONVENTIONS).glob("*.json"))],
        _read_rows(reproduced) if reproduced.is_file() else (),
        measured,
        mixed,
    )


def _read_rows(path: Path) -> tuple[PublishedFigure, ...]:
    remedy = "run `scaling reproduce --out` again"
    records = read_shape(list[FigureRecord], read_value(path, remedy), str(path), remedy)
    try:
        return tuple(map(PublishedFigure.of_record, records))
    except ValueError as error:
        raise InputError(f"{path}: is damaged ({error}); {remedy}") from error


# Coefficients by the letters that papers write them with.
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "kappa": "κ", "phi": "φ",
    "rho0": "ρ₀", "T0": "T₀", "L0": "L₀", "B0": "B₀", "N0": "N₀",
    "compression_rate_opt": "T*, bytes per token",
    "bytes_per_param_opt": "ρ*, bytes per parameter", "bits_per_byte_opt": "bits per byte",
}  # fmt: skip
