"""A whole vocabulary curve: a corpus and tokenizers in, rows and a file out."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import Corpus
from corpora.document import Batch, utf8_length
from corpora.errors import InputError
from corpora.files import write_json
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import merges_of
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.vocab_curve.curve import CurveCounter, TokenCurve

# From curves to the rows that people read: rates at chosen sizes, and what more ids gain.


CurveRow = dict[str, Any]
STEPS_AN_OCTAVE = 4


def log_grid(first: int, last: int) -> list[int]:
    """Return sizes a quarter of an octave apart, powers of two among them, and both ends."""
    lowest = math.ceil(STEPS_AN_OCTAVE * math.log2(first))
    highest = math.floor(STEPS_AN_OCTAVE * math.log2(last))
    steps = (round(2 ** (step / STEPS_AN_OCTAVE)) for step in range(lowest, highest + 1))
    return sorted({first, last, *(size for size in steps if first <= size <= last)})


def curve_rows(
    place: CurveRow, curve: TokenCurve, sizes: Sequence[int], bootstrap: DocumentBootstrap | None
) -> Iterator[CurveRow]:
    """Yield a row for each vocabulary size, ascending.

    Intervals are of the sizes that the curve has units at, and None elsewhere; a row's marginal
    gain has one where its neighbour before has, too.

    Args:
        place: what every row begins with: tokenizer, corpus, language.
        curve: of that place.
        sizes: ascending.
        bootstrap: how intervals are made, or None for none.
    """
    replicates = _replicates(curve, bootstrap)
    rates = curve.bytes_per_token
    ceiling = curve.bytes / curve.pieces if curve.pieces else None
    before: int | None = None
    for size in sizes:
        rate = _number(rates[size - curve.first_size])
        row: CurveRow = {
            **place,
            "vocabulary_size": size,
            "tokens": curve.at(size),
            "bytes": curve.bytes,
            "documents": curve.documents,
            "bytes_per_token": rate,
            "marginal_bytes_per_token": None,
            "bytes_per_pretoken": ceiling,
        }
        own = replicates.get(size)
        intervals: CurveRow = {"bytes_per_token": None, "marginal_bytes_per_token": None}
        if bootstrap and rate is not None:
            intervals["bytes_per_token"] = bootstrap.interval(own)
        if before is not None and rate is not None:
            gained = rate - float(rates[before - curve.first_size])
            row["marginal_bytes_per_token"] = gained / (size - before)
            earlier = replicates.get(before)
            if bootstrap and own is not None and earlier is not None:
                intervals["marginal_bytes_per_token"] = bootstrap.interval(
                    (own - earlier) / (size - before)
                )
        yield {**row, "intervals": intervals}
        before = size


def _replicates(
    curve: TokenCurve, bootstrap: DocumentBootstrap | None
) -> dict[int, NDArray[np.float64]]:
    """Return replicates of bytes per token, [replicates], by size; paired over sizes."""
    if bootstrap is None:
        return {}
    sums = bootstrap.sums(curve.units[curve.units[:, 0] > 0])
    if sums is None:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        # A resample of empty documents alone has no rate; `interval` then gives none.
        rates = sums[:, 1:2] / sums[:, 2:]
    return {int(size): rates[:, i] for i, size in enumerate(curve.sizes)}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


FILE = "vocab_curve.json"


@dataclass(frozen=True)
class CurveSettings:
    """What is asked of curves.

    Attributes:
        at: vocabulary sizes to give beside a grid a quarter of an octave apart.
        replicates: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
    """

    at: tuple[int, ...] = ()
    replicates: int = 1000
    seed: int = 0

    @property
    def shown(self) -> list[int]:
        """The sizes asked for by name, ascending."""
        return sorted({*self.at})

    @property
    def bootstrap(self) -> DocumentBootstrap | None:
        """How intervals are made."""
        return DocumentBootstrap(self.replicates, self.seed) if self.replicates else None


@dataclass(frozen=True)
class VocabCurve:
    """A tokenizer's curve over one language of a corpus.

    Attributes:
        place: tokenizer, corpus and language.
        declared: the tokenizer's own vocabulary size.
        sizes: of the grid, and those asked for, ascending.
        counts: at every size.
    """

    place: CurveRow
    declared: int
    sizes: Sequence[int]
    counts: TokenCurve

    @property
    def every_size(self) -> range:
        """All sizes that the tokenizer can be cut to."""
        return range(self.counts.first_size, self.declared + 1)

    def rows(self, settings: CurveSettings, sizes: Sequence[int] = ()) -> Iterator[CurveRow]:
        """Yield rows at some sizes, ascending; by default at the curve's own."""
        return curve_rows(self.place, self.counts, sizes or self.sizes, settings.bootstrap)


def vocabulary_curves(
    corpus: Corpus,
    tokenizers: Sequence[Tokenizer],
    settings: CurveSettings,
    progress: ReportProgress = silent,
) -> list[VocabCurve]:
    """Return each tokenizer's curve over each language, in one pass over the corpus.

    Raises:
        InputError: from the corpus; a tokenizer is no BPE, or cannot be cut to a size asked for.
    """
    merges = {t.name: merges_of(t) for t in tokenizers}
    sizes = {t.name: _sizes(t.name, merges[t.name], settings) for t in tokenizers}
    counters: dict[str, CurveCounter] = {}
    batches = corpus.batches()
    first = next(batches, None)
    for tokenizer in tokenizers:
        # Without intervals, no size needs its units.
        kept = sizes[tokenizer.name] if settings.replicates else ()
        texts = first.texts if first is not None else ()
        counters[tokenizer.name] = CurveCounter(tokenizer, merges[tokenizer.name], kept, texts)
    seen = 0
    for batch in chain(() if first is None else (first,), batches):
        number = seen if batch.first_alignment is None else batch.first_alignment
        for counter in counters.values():
            counter.add(batch.language, number, batch.texts)
        seen += len(batch.texts)
        progress(f"measuring {corpus.name}", _bytes(batch))
    return [
        VocabCurve(
            {"tokenizer": tokenizer.name, "corpus": corpus.name, "language": language},
            tokenizer.vocabulary_size,
            sizes[tokenizer.name],
            counts,
        )
        for tokenizer in tokenizers
        for language, counts in counters[tokenizer.name].curves().items()
    ]


def save_curves(
    folder: Path,
    corpus: Corpus,
    curves: Sequence[VocabCurve],
    tokenizers: Sequence[Tokenizer],
    settings: CurveSettings,
    command: Sequence[str],
) -> Path:
    """Write the curves' rows to `vocab_curve.json`, as `tokenize-lab report` reads them.

    Raises:
        InputError: the folder cannot be written.
    """
    content = {
        "command": list(command),
        "corpus": {"name": corpus.name, "parallel": corpus.parallel},
        "settings": {"replicates": settings.replicates, "seed": settings.seed},
        "tokenizers": [
            {"name": t.name, "spec": t.spec, "sha256": t.sha256, "engine": t.engine}
            for t in tokenizers
        ],
        "curves": [
            {
                **curve.place,
                "first_size": curve.counts.first_size,
                "vocabulary_size": curve.declared,
                "rows": [_without(row, curve.place) for row in curve.rows(settings)],
            }
            for curve in curves
        ],
    }
    path = folder / FILE
    write_json(path, content)
    return path


def load_curves(folder: Path) -> dict[str, Any]:
    """Read what `save_curves` wrote.

    Raises:
        InputError: it is not there, or is damaged.
    """
    path = folder / FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for curve in content["curves"]:
            _check(curve, content)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: is not there; make it with: tokenize-lab vocab-curve CORPUS -t TOKENIZER "
            "--out DIR"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error!r}); make it again") from error
    return content


def _check(curve: dict[str, Any], content: dict[str, Any]) -> None:
    """Raise whatever comes of a curve that is not one."""
    assert isinstance(content["corpus"]["parallel"], bool)
    assert curve["tokenizer"] in [tokenizer["name"] for tokenizer in content["tokenizers"]]
    assert isinstance(curve["language"], str)
    sizes = [row["vocabulary_size"] for row in curve["rows"]]
    assert sizes and sizes == sorted({*map(int, sizes)}) and sizes[0] > 0
    for row in curve["rows"]:
        assert row["bytes"] >= 0 and row["documents"] > 0 and row["tokens"] >= 0
        for name in ("bytes_per_token", "marginal_bytes_per_token", "bytes_per_pretoken"):
            assert row[name] is None or math.isfinite(row[name])
            low, high = row["intervals"].get(name) or (0.0, 0.0)
            assert math.isfinite(low) and low <= high


def _sizes(name: str, merges: Merges, settings: CurveSettings) -> list[int]:
    for size in settings.at:
        merges.kept(size, f"--at {size}: {name}")
    return sorted({*settings.shown, *log_grid(merges.base_size, merges.vocabulary_size)})


def _without(row: CurveRow, place: CurveRow) -> CurveRow:
    return {key: value for key, value in row.items() if key not in place}


def _bytes(batch: Batch) -> int:
    return sum(map(utf8_length, batch.texts))
