"""The vocabularies that are tried: splitters, kinds and sizes, each with its bytes per token.

A BPE of any kind is trained once, at the largest size, and one pass over text that it has not
learned from gives its rate at every size. A Unigram has no order to be cut by, so each of its sizes
is a training. What was trained and counted is kept in a folder, and not done again.

A splitter is looked at before anything is trained: merges never cross its pieces, so where bytes
per piece of a language lie below the rate that is wanted there, no vocabulary behind it will do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora.bootstrap import DocumentBootstrap, Interval
from corpora.corpus import Corpus
from corpora.document import utf8_length
from corpora.errors import InputError
from corpora.files import write_json
from corpora.json_file import read_object
from scaling.design.shapes import kept_curve
from scaling.design.text import PARITY_BPE, DesignText
from scaling.engine.newton import Array
from tokenize_lab.ceilings import bytes_per_piece
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.progress import ReportProgress
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import BYTES, TrainSettings
from tokenize_lab.training.train import train_tokenizer
from tokenize_lab.vocabulary_curves.curve import CurveCounter, followed_on
from tokenize_lab.vocabulary_curves.job import log_grid

KINDS = ("bpe", "superbpe", PARITY_BPE, "unigram")
DEFAULT_KINDS = ("bpe", "superbpe")
DEFAULT_PATTERNS = ("gpt4o", "gpt4")
SMALLEST, LARGEST = 512, 1 << 17  # ids
FIRST_STAGE = 1 / 8  # of SuperBPE's largest vocabulary, so that many sizes lie above it
MOST_SUPERWORDS = 1 << 16  # ids of a SuperBPE: its stretches are long, and it needs fewer
SHARED = ""  # of a vocabulary that all languages share, in place of a language
_KEPT = "design-curve.json"
_VERSION = 1
REPLICATES = 1000  # of held-out text


class Candidate(NamedTuple):
    """A way to make vocabularies of many sizes.

    Attributes:
        kind: as of `TrainSettings`. pattern: the splitter's name.
        language: whose text alone it learns from and is for; empty where all share it.
    """

    kind: str
    pattern: str
    language: str = SHARED

    @property
    def name(self) -> str:
        """A name for folders and tables, as `bpe-gpt4o`."""
        return "-".join(filter(None, [self.kind, self.pattern, self.language]))

    def settings(self, size: int, largest: int) -> TrainSettings:
        """Return the recipe of one size, `largest` being the most ids that are tried."""
        split = first_stage(largest) if self.kind == "superbpe" else 0
        engine = "huggingface" if self.kind == "unigram" else ""
        return TrainSettings(self.kind, size, engine, self.pattern, stage_split=split)

    def most(self, largest: int) -> int:
        """Return the most ids that are tried of this kind."""
        return min(largest, MOST_SUPERWORDS) if self.kind == "superbpe" else largest


def first_stage(largest: int) -> int:
    """Return the ids of SuperBPE's first stage."""
    return max(int(min(largest, MOST_SUPERWORDS) * FIRST_STAGE), BYTES + 1)


class CandidateCurve(NamedTuple):
    """A candidate's bytes per token by size and language.

    Attributes:
        candidate: which.
        sizes: [K] ids, ascending.
        rates: [K, L] bytes per token, on text that it has not learned from; nan in the languages
            that it is not for.
    """

    candidate: Candidate
    sizes: list[int]
    rates: Array


class RefusedSplitter(NamedTuple):
    """A splitter that is not proposed, and why.

    Attributes:
        pattern: its name.
        capped: language -> (bytes per piece, the rate wanted).
    """

    pattern: str
    capped: dict[str, tuple[float, float]]

    def __str__(self) -> str:
        parts = (
            f"{language} at {most:.3g} bytes per token, below the {wanted:.3g} wanted"
            for language, (most, wanted) in self.capped.items()
        )
        return f"{self.pattern} is not proposed: it caps {', '.join(parts)}"


def candidates_of(
    text: DesignText,
    kinds: Sequence[str],
    patterns: Sequence[str],
    wanted: Mapping[str, float],
) -> tuple[list[Candidate], list[RefusedSplitter]]:
    """Return the candidates whose splitter caps no wanted rate, and the splitters that do.

    What merges of a SuperBPE stay inside are the pieces of its second stage.

    Args:
        kinds, patterns: names. wanted: bytes per token, by language.

    Raises:
        InputError: nothing is left.
    """
    kept, refused = [], []
    whole = not _capped(text, "superwords", wanted)
    for pattern in patterns:
        capped = _capped(text, pattern, wanted)
        if capped:
            refused.append(RefusedSplitter(pattern, capped))
        kept += [
            Candidate(kind, pattern)
            for kind in kinds
            if (whole if kind == "superbpe" else not capped)
        ]
    if not kept:
        others = [name for name in PATTERNS if name not in patterns]
        raise InputError(
            f"`patterns`: {'; '.join(map(str, refused))}; try others ({', '.join(others)}), or the"
            " kind superbpe"
        )
    clean = [c for c in kept if c.pattern not in {r.pattern for r in refused}]
    return clean or kept, refused


def _capped(
    text: DesignText, pattern: str, wanted: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    most = {name: bytes_per_piece(part.curve, pattern) for name, part in text.parts.items()}
    return {name: (rate, wanted[name]) for name, rate in most.items() if rate < wanted[name]}


def ceilings_of(text: DesignText, candidate: Candidate) -> dict[str, float | None]:
    """Return bytes per piece that its merges stay inside, by language; None for no splitting."""
    pattern = "superwords" if candidate.kind == "superbpe" else candidate.pattern
    found = {name: bytes_per_piece(part.curve, pattern) for name, part in text.parts.items()}
    return {name: rate if np.isfinite(rate) else None for name, rate in found.items()}


def candidate_curve(
    text: DesignText, candidate: Candidate, largest: int, folder: Path, progress: ReportProgress
) -> CandidateCurve:
    """Train a candidate, unless the folder has it, and return its bytes per token at every size.

    Raises:
        InputError: from training, or the folder cannot be written.
    """
    place = folder / candidate.name
    key = {"version": _VERSION, "text": text.sha256, "largest": largest, **candidate._asdict()}
    kept = read_object(place / _KEPT, "remove it")
    if kept is not None and kept.get("of") == key:
        sizes, rates = kept_curve(kept, place / _KEPT, len(text.parts))
        return CandidateCurve(candidate, sizes, np.asarray(rates, np.float64))
    corpus = text.alone(candidate.language) if candidate.language else text.mixture(candidate.kind)
    curve = (_by_training if candidate.kind == "unigram" else _by_merges)(
        text, corpus, candidate, largest, place, progress
    )
    rates = [[None if np.isnan(rate) else rate for rate in row] for row in curve.rates.tolist()]
    write_json(place / _KEPT, {"of": key, "sizes": curve.sizes, "rates": rates})
    return curve


def _by_merges(
    text: DesignText,
    corpus: Corpus,
    candidate: Candidate,
    largest: int,
    place: Path,
    progress: ReportProgress,
) -> CandidateCurve:
    size = candidate.most(largest)
    trained = train_tokenizer(corpus, candidate.settings(size, largest), place, progress)
    tokenizer = load_tokenizer(str(trained.path))
    languages = _languages(text, candidate)
    tried = [block for name in languages for block in text.parts[name].curve[:8]]
    counter = CurveCounter(followed_on(tokenizer, tried), ())
    for name in languages:
        counter.add(name, 0, text.parts[name].curve)
        progress("counting tokens at every size", sum(map(utf8_length, text.parts[name].curve)))
    curves = counter.curves()
    lowest = max(SMALLEST, int(trained.card.settings.stage_split) + 1)
    sizes = [v for v in log_grid(BYTES + 1, tokenizer.vocabulary_size) if v >= lowest]
    sizes = sizes or [tokenizer.vocabulary_size]
    rates = np.full((len(sizes), len(text.parts)), np.nan)
    for column, name in enumerate(text.parts):
        if name in languages:
            rates[:, column] = [curves[name].bytes / curves[name].at(v) for v in sizes]
    return CandidateCurve(candidate, sizes, rates)


def _by_training(
    text: DesignText,
    corpus: Corpus,
    candidate: Candidate,
    largest: int,
    place: Path,
    progress: ReportProgress,
) -> CandidateCurve:
    sizes, rows = [], []
    wanted = SMALLEST
    while wanted <= largest:
        trained = train_tokenizer(
            corpus, candidate.settings(wanted, largest), place / str(wanted), progress
        )
        tokenizer = load_tokenizer(str(trained.path))
        rows.append(
            [
                rate_of(tokenizer, part.curve) if name in _languages(text, candidate) else np.nan
                for name, part in text.parts.items()
            ]
        )
        sizes.append(tokenizer.vocabulary_size)
        if tokenizer.vocabulary_size < wanted:
            break  # the text has no more to learn
        wanted *= 2
    return CandidateCurve(candidate, sizes, np.array(rows))


def rate_of(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Return bytes per token of texts."""
    tokens = int(tokenizer.encode_batch(texts).lengths.sum())
    return sum(map(utf8_length, texts)) / tokens if tokens else float("nan")


def rate_interval(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[float, Interval | None]:
    """Return bytes per token of texts, and its 95 % interval over the texts."""
    tokens = tokenizer.encode_batch(texts).lengths
    sizes = np.fromiter(map(utf8_length, texts), np.int64, len(texts))
    bootstrap = DocumentBootstrap(REPLICATES, 0)
    sums = bootstrap.sums(np.column_stack([sizes, tokens]))
    interval = None if sums is None else bootstrap.interval(sums[:, 0] / sums[:, 1])
    return float(sizes.sum() / tokens.sum()), interval


def _languages(text: DesignText, candidate: Candidate) -> list[str]:
    return [candidate.language] if candidate.language else list(text.parts)
