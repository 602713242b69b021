"""A whole vocabulary curve: a corpus and tokenizers in, rows and a file out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corpora.arguments import listed, path, whole
from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_json
from tokenize_lab.ceilings import LanguageHeads, ceiling_lines
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import merges_of
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.rows import rows_frame
from tokenize_lab.tokenizer import FloatArray, Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.vocabulary_curves.curve import TokenCurve
from tokenize_lab.vocabulary_curves.parts import count_curves
from tokenize_lab.vocabulary_curves.read import FILE

if TYPE_CHECKING:
    import polars as pl

CurveRow = dict[str, Any]
STEPS_AN_OCTAVE = 4


@dataclass(frozen=True)
class VocabCurve:
    """A tokenizer's curve over one language of a corpus.

    Attributes:
        place: tokenizer, corpus and language.
        declared: the tokenizer's own vocabulary size.
        sizes: of the grid, and those asked for, ascending.
        counts: at every size.
        bootstrap: how intervals are made.
    """

    place: CurveRow
    declared: int
    sizes: Sequence[int]
    counts: TokenCurve
    bootstrap: DocumentBootstrap

    @property
    def every_size(self) -> range:
        """All sizes that the tokenizer can be cut to."""
        return range(self.counts.first_size, self.declared + 1)

    def rows(self, sizes: Sequence[int] = ()) -> Iterator[CurveRow]:
        """Yield rows at some sizes, ascending; by default at the curve's own.

        Intervals are of the sizes that the curve has units at, and None elsewhere; a row's marginal
        gain has one where its neighbour before has, too. At a size that the tokenizer cannot be cut
        to, what is counted is None.
        """
        sizes = sizes or self.sizes
        ceiling = self.counts.bytes / self.counts.pieces if self.counts.pieces else None
        replicates = self._replicates()
        before: int | None = None
        for size in sizes:
            possible = size in self.every_size
            rate = self._rate(size) if possible else None
            row: CurveRow = {
                **self.place,
                "vocabulary_size": size,
                "tokens": self.counts.at(size) if possible else None,
                "bytes": self.counts.bytes,
                "documents": self.counts.documents,
                "bytes_per_token": rate,
                "marginal_bytes_per_token": None,
                "bytes_per_pretoken": ceiling,
            }
            drawn = replicates.get(size)
            intervals: CurveRow = {"bytes_per_token": None, "marginal_bytes_per_token": None}
            if rate is not None:
                intervals["bytes_per_token"] = self.bootstrap.interval(drawn)
            if before is not None and rate is not None:
                earlier, step = self._rate(before), size - before
                assert earlier is not None
                row["marginal_bytes_per_token"] = (rate - earlier) / step
                drawn_before = replicates.get(before)
                if drawn is not None and drawn_before is not None:
                    gains = (drawn - drawn_before) / step
                    intervals["marginal_bytes_per_token"] = self.bootstrap.interval(gains)
            yield {**row, "intervals": intervals}
            before = size if possible else before

    def _rate(self, size: int) -> float | None:
        tokens = self.counts.at(size)
        return self.counts.bytes / tokens if tokens else None

    def _replicates(self) -> dict[int, FloatArray]:
        """Return replicates of bytes per token, [replicates], by size; paired over sizes."""
        units = self.counts.units
        sums = self.bootstrap.sums(units[units[:, 0] > 0])
        if sums is None:
            return {}
        with np.errstate(divide="ignore", invalid="ignore"):
            # A resample of empty documents alone has no rate; `interval` then gives none.
            rates = sums[:, 1:2] / sums[:, 2:]
        return {int(size): rates[:, i] for i, size in enumerate(self.counts.sizes)}


@dataclass(frozen=True, repr=False)
class VocabCurves:
    """Curves of several tokenizers, one for each language of a corpus.

    Attributes:
        corpus: what was counted.
        tokenizers: what counted it.
        curves: by tokenizer and language.
        at: the sizes asked for by name, ascending.
        replicates: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
        impossible: of the sizes asked for, why a tokenizer cannot be cut to one, a line each.
        capped: where a splitter keeps languages from the rates they could have, a line each.
    """

    corpus: Corpus
    tokenizers: Sequence[Tokenizer]
    curves: Sequence[VocabCurve]
    at: Sequence[int]
    replicates: int
    seed: int
    impossible: Sequence[str] = ()
    capped: Sequence[str] = ()

    def __repr__(self) -> str:
        names = ", ".join(tokenizer.name for tokenizer in self.tokenizers)
        return f"<vocabulary curves: {self.corpus.name} with {names}>"

    def remarks(self) -> list[str]:
        """Return what a person should know beside the rows, a line each."""
        return [*(f"{reason}; its cell is empty" for reason in self.impossible), *self.capped]

    def rows_by_curve(self, *, every: bool = False) -> list[Iterator[CurveRow]]:
        """Return each curve's rows: at every size, at those asked for, or on a grid."""
        return [curve.rows(curve.every_size if every else self.at) for curve in self.curves]

    def rows(self, *, every: bool = False) -> Iterator[CurveRow]:
        """Yield the rows of all curves; as `rows_by_curve`."""
        return chain.from_iterable(self.rows_by_curve(every=every))

    def frame(self, *, every: bool = False) -> "pl.DataFrame":
        """Return the rows as a table; an interval is two columns."""
        return rows_frame(self.rows(every=every))

    def save(self, folder: str | PathLike[str], command: Sequence[str] = ()) -> Path:
        """Write the rows of the grid to `vocab_curve.json`, as `tokenize-lab report` reads them.

        Raises:
            InputError: the folder cannot be written.
        """
        content = {
            "command": list(command),
            "corpus": {"name": self.corpus.name, "parallel": self.corpus.parallel},
            "settings": {"replicates": self.replicates, "seed": self.seed},
            "tokenizers": [
                {"name": t.name, "spec": t.spec, "sha256": t.sha256, "engine": t.engine}
                for t in self.tokenizers
            ],
            "curves": [
                {
                    **curve.place,
                    "first_size": curve.counts.first_size,
                    "vocabulary_size": curve.declared,
                    "rows": [
                        {name: value for name, value in row.items() if name not in curve.place}
                        for row in curve.rows()
                    ],
                }
                for curve in self.curves
            ],
        }
        file = path("folder", folder) / FILE
        write_json(file, content)
        return file


def vocab_curve(
    corpus: Corpus,
    tokenizers: Sequence[object],
    *,
    at: Sequence[int] = (),
    replicates: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    cache: Path | None = None,
    progress: ReportProgress = silent,
) -> VocabCurves:
    """Return bytes per token at every vocabulary size, in one pass over the corpus.

    Arguments:
        corpus: text.
        tokenizers: BPEs or specs of them, as `load_tokenizers` takes them.
        at: vocabulary sizes to give beside a grid a quarter of an octave apart; where some of the
            tokenizers cannot be cut to one, their rows have no counts there.
        replicates: bootstrap resamples for the intervals; 0 for none.
        seed: of the resamples.
        jobs: processes; 0 for one a core.
        cache: folder of counts already made, so that the same text is not counted twice.
        progress: told of the bytes of text just counted.

    Raises:
        InputError: from the corpus; a tokenizer is no BPE, or none can be cut to a size asked for.
    """
    at = [whole("at", size) for size in listed("at", at)]
    whole("replicates", replicates, 0, 100_000)
    whole("seed", seed, 0)
    loaded = load_tokenizers(tokenizers)
    merges = [merges_of(tokenizer) for tokenizer in loaded]
    impossible: list[str] = []
    for size in sorted(set(at)):
        refusals = list(_refusals(size, loaded, merges))
        if len(refusals) == len(loaded):
            raise InputError(refusals[0])
        impossible += refusals
    sizes = [_sizes(its_merges, at) for its_merges in merges]
    heads = LanguageHeads()
    counted = count_curves(
        corpus,
        loaded,
        sizes if replicates else [()] * len(loaded),  # without intervals, no size needs its units
        jobs=whole("jobs", jobs, 0),
        cache=None if cache is None else CountsCache(cache),
        progress=progress,
        heads=heads,
    )
    bootstrap = DocumentBootstrap(replicates, seed)
    curves = [
        VocabCurve(
            {"tokenizer": tokenizer.name, "corpus": corpus.name, "language": language},
            tokenizer.vocabulary_size,
            shown,
            counts,
            bootstrap,
        )
        for tokenizer, shown, by_language in zip(loaded, sizes, counted, strict=True)
        for language, counts in by_language.items()
    ]
    capped = ceiling_lines(loaded, heads)
    asked = sorted(set(at))
    return VocabCurves(corpus, loaded, curves, asked, replicates, seed, impossible, capped)


def _refusals(
    size: int, tokenizers: Sequence[Tokenizer], merges: Sequence[Merges]
) -> Iterator[str]:
    """Yield why a vocabulary cannot be cut to a size, for each that cannot."""
    for tokenizer, its_merges in zip(tokenizers, merges, strict=True):
        try:
            its_merges.kept(size, f"`at={size}`: {tokenizer.name}")
        except InputError as refusal:
            yield str(refusal)


def _sizes(merges: Merges, at: Sequence[int]) -> list[int]:
    first, last = merges.base_size, merges.vocabulary_size
    return sorted({*(size for size in at if first <= size <= last), *log_grid(first, last)})


def log_grid(first: int, last: int) -> list[int]:
    """Return sizes a quarter of an octave apart, powers of two among them, and both ends."""
    lowest = math.ceil(STEPS_AN_OCTAVE * math.log2(first))
    highest = math.floor(STEPS_AN_OCTAVE * math.log2(last))
    steps = (round(2 ** (step / STEPS_AN_OCTAVE)) for step in range(lowest, highest + 1))
    return sorted({first, last, *(size for size in steps if first <= size <= last)})
