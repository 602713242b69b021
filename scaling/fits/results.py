"""Several fits of one law, a language or a budget each: as one value, as text and as JSON."""

import html
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import polars as pl

from corpora.errors import InputError
from corpora.files import write_text, written_whole
from scaling.engine.newton import Array
from scaling.engine.stored import ends_of
from scaling.load_table import LoadedTable
from scaling.result import FitResult, Prediction, context_text

LAWS_FOLDER = "laws"  # within the output folder, beside what `measure` may have written there
_BUDGETS_SHOWN = 12
_WORST_FIRST = ("not converged", "not bounded")
_NOT_PRINTED = {"context", "draws", "residuals", "data_range", "source"}


class Fits(Sequence[FitResult]):
    """The fits of a law to the parts of a table; where there is one, it stands for that one.

    Attributes:
        law: its name.
        results: one a tokenization, language and data set; a budget or a curve each, where the law
            is of one.
    """

    def __init__(self, law: str, results: Sequence[FitResult]) -> None:
        self.law = law
        self.results = tuple(results)

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> FitResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FitResult]: ...
    def __getitem__(self, index: int | slice) -> FitResult | Sequence[FitResult]:
        return self.results[index]

    def __iter__(self) -> Iterator[FitResult]:
        return iter(self.results)

    def __repr__(self) -> str:
        if len(self) == 1:
            return repr(self.results[0])
        return f"Fits({self.law}: {len(self)} fits, {sum(fit.ok for fit in self)} of them usable)"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    @property
    def only(self) -> FitResult:
        """The fit, where there is one.

        Raises:
            InputError: there are several.
        """
        if len(self) > 1:
            first = context_text(self.results[0].context)
            raise InputError(
                f"{self.law}: there are {len(self)} fits, the first at {first}; take one of them"
                " by its number, such as fits[0]"
            )
        return self.results[0]

    def predict(self, name: str, **inputs: float | Array) -> Prediction:
        """Return a quantity of the only fit (`FitResult.predict`).

        Raises:
            InputError: there are several fits, or the law has no such quantity or input.
        """
        return self.only.predict(name, **inputs)

    def quantities(self) -> pl.DataFrame:
        """Return what `predict` can tell, and of what inputs (`FitResult.quantities`)."""
        return self.results[0].quantities()

    def summary(self) -> str:
        """Return a few lines for each fit."""
        return "\n\n".join(fit.summary() for fit in self)

    def frame(self) -> pl.DataFrame:
        """Return one row per coefficient and fit; what the fits are confined to leads."""
        frames = [
            fit.frame().select(
                *(pl.lit(value).alias(name) for name, value in fit.context.items()), pl.all()
            )
            for fit in self
        ]
        return pl.concat(frames, how="diagonal")

    def json(self) -> dict[str, Any]:
        """Return the object `scaling fit --json` prints.

        One fit is itself; several (a surface per budget, a law per language) are pooled on top,
        their estimates named `name@budget`, and listed whole under `entries`.
        """
        entries = [entry(fit) for fit in self]
        if len(entries) == 1:
            return {**entries[0], "entries": entries}
        names = dict.fromkeys(name for fit in self for name in fit.context)
        varying = [name for name in names if len({fit.context.get(name) for fit in self}) > 1]
        estimates, intervals = {}, {}
        for fit in self:
            where = "/".join(_short(fit.context[name]) for name in varying if name in fit.context)
            for name, value in fit.estimates.items():
                estimates[f"{name}@{where}"] = value
                intervals[f"{name}@{where}"] = ends_of(fit.intervals.get(name))
        n = sum(fit.n for fit in self)
        squares = sum(_squares(fit) for fit in self)
        worst = [one for one in _WORST_FIRST if any(fit.status == one for fit in self)]
        return {
            "law": self.law,
            "n": n,
            "status": worst[0] if worst else "converged",
            "estimates": estimates,
            "intervals": intervals,
            "r2": _pooled_r2(self.results),
            "rmse": math.sqrt(squares / n) if n else None,
            "entries": entries,
        }

    def write(self, out: Path, table: LoadedTable | None = None) -> Path:
        """Write the fits, their summary and the table they are of; return their `laws_folder`.

        What an earlier fit of this law left there goes: a report would draw it.
        """
        folder = laws_folder(out)
        files = self._files()
        for name, text in files.items():
            write_text(folder / name, text + "\n")
        for path in folder.iterdir():
            if re.fullmatch(rf"{re.escape(self.law)}(-\d+)?\.json", path.name) and (
                path.name not in files
            ):
                path.unlink()
        write_text(folder / f"{self.law}.txt", self.summary() + "\n")
        if table is not None and table.content:
            # As it was read, byte for byte: the fits name it by its hash, reports draw its points.
            with written_whole(folder / f"{table.sha256[:12]}{table.suffix}") as temporary:
                temporary.write_bytes(table.content)
        return folder

    def _files(self) -> dict[str, str]:
        """Return what is written of the fits, by the names of files."""
        return {
            f"{self.law}.json" if len(self) == 1 else f"{self.law}-{number}.json": fit.to_json()
            for number, fit in enumerate(self, start=1)
        }


def laws_folder(out: Path) -> Path:
    """Return where the fits of an output folder lie: `out/laws`; one called so is it itself."""
    return out if Path(os.path.realpath(out)).name == LAWS_FOLDER else out / LAWS_FOLDER


def entry(fit: FitResult) -> dict[str, Any]:
    """Return one fit, without its draws and residuals; its budget and optimum stand on top."""
    optimum = {name: value for name, value in fit.estimates.items() if name.endswith("_opt")}
    return {
        "law": fit.law,
        "form": fit.form,
        **fit.context,
        **optimum,
        **fit.model_dump(exclude=_NOT_PRINTED),
        "intervals": {name: ends_of(ends) for name, ends in fit.intervals.items()},
        "predictions": predictions(fit),
    }


def predictions(fit: FitResult) -> list[dict[str, Any]]:
    """Return T* and the best loss at a few budgets, for the laws that tell them."""
    if fit.law not in ("law2", "joint", "joint-additive") or not fit.estimates:
        return []
    if "T0" not in fit.estimates or "compute_flops" not in fit.data_range:
        return []
    low, high = fit.data_range["compute_flops"]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    rows = []
    for power in range(first, min(last, first + _BUDGETS_SHOWN) + 1):
        compute = 10.0**power
        rate = fit.predict("compression_rate_opt", compute_flops=compute)
        inputs = {"compute_flops": compute}
        if fit.law != "law2":
            inputs["compression_rate"] = float(rate.value)
        loss = fit.predict("bits_per_byte_opt", **inputs)
        rows.append(
            {
                "compute_flops": compute,
                "compression_rate_opt": float(rate.value),
                "compression_rate_opt_interval": _ends(rate),
                "bits_per_byte_opt": float(loss.value),
                "bits_per_byte_opt_interval": _ends(loss),
                "outside": rate.outside,
            }
        )
    return rows


def _ends(prediction: Prediction) -> list[float] | None:
    return None if prediction.interval is None else list(prediction.interval)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _pooled_r2(fits: Sequence[FitResult]) -> float | None:
    """Return the share of the variance within each fit's own rows that the fits explain."""
    squares = spread = 0.0
    for fit in fits:
        if fit.r2 is None or fit.r2 >= 1:
            return None
        squares += _squares(fit)
        spread += _squares(fit) / (1 - fit.r2)
    return 1 - squares / spread if spread > 0 else None


def _squares(fit: FitResult) -> float:
    return sum(residual * residual for residual in fit.residuals)
