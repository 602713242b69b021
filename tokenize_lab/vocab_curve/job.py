"""A whole vocabulary curve: a corpus and tokenizers in, rows and a file out."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from corpora.corpus import Corpus
from corpora.document import Batch, utf8_length
from corpora.errors import InputError
from corpora.files import write_json
from tokenize_lab.bootstrap import Bootstrap
from tokenize_lab.merges.merge_list import Merges
from tokenize_lab.merges.read import merges_of
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.vocab_curve.curve import CurveCounter, TokenCurve
from tokenize_lab.vocab_curve.rows import Row, curve_rows, log_grid

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
    def bootstrap(self) -> Bootstrap | None:
        """How intervals are made."""
        return Bootstrap(self.replicates, self.seed) if self.replicates else None


@dataclass(frozen=True)
class Curve:
    """A tokenizer's curve over one language of a corpus.

    Attributes:
        place: tokenizer, corpus and language.
        declared: the tokenizer's own vocabulary size.
        sizes: of the grid, and those asked for, ascending.
        counts: at every size.
    """

    place: Row
    declared: int
    sizes: Sequence[int]
    counts: TokenCurve

    @property
    def every_size(self) -> range:
        """All sizes that the tokenizer can be cut to."""
        return range(self.counts.first_size, self.declared + 1)

    def rows(self, settings: CurveSettings, sizes: Sequence[int] = ()) -> Iterator[Row]:
        """Yield rows at some sizes, ascending; by default at the curve's own."""
        return curve_rows(self.place, self.counts, sizes or self.sizes, settings.bootstrap)


def vocabulary_curves(
    corpus: Corpus,
    tokenizers: Sequence[Tokenizer],
    settings: CurveSettings,
    progress: Callable[[Corpus, int], None] | None = None,
) -> list[Curve]:
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
        if progress:
            progress(corpus, _bytes(batch))
    return [
        Curve(
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
    curves: Sequence[Curve],
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


def _without(row: Row, place: Row) -> Row:
    return {key: value for key, value in row.items() if key not in place}


def _bytes(batch: Batch) -> int:
    return sum(map(utf8_length, batch.texts))
