"""A trained run on text it may never have seen: bits per byte, and what reading it costs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import Corpus, total_bytes
from corpora.errors import InputError
from scaling.data.build_text import build_text
from scaling.data.build_units import build_starts, build_tokens
from scaling.data.chunked_build import TextPart
from scaling.data.shards import Stream, open_shards
from scaling.data.windows import patches_of
from scaling.evaluate.average import AverageScores, average_runs
from scaling.evaluate.compare_decoders import WritingTask, compare_decoders
from scaling.evaluate.exact_bytes import ExactScores, score_exactly
from scaling.evaluate.next_words import NextWords, likeliest_units, next_words, word_counts
from scaling.evaluate.score import Scores, interval, score
from scaling.evaluate.trained_run import TrainedRun
from scaling.flops import forward_flops_per_byte
from scaling.model.patching import Starts, split_entropy_starts
from scaling.model.threshold import document_thresholds
from scaling.model.transformer import SubwordTransformer
from scaling.record import SPEC
from scaling.train.memory import available_bytes
from scaling.train.progress import size_text
from tokenize_lab.progress import Stage

ROWS = 16
FIRST_BYTES = 100  # of documents, where every byte is asked for by itself
ALL = "all"  # in place of a language


@dataclass(frozen=True)
class Evaluation:
    """The score of a text.

    Attributes:
        scores: by document. languages: what the numbers of their languages stand for.
        text: key of the text's content.
        exact: of the first `exact_bytes` of each document, where that was asked for.
        decoders: rows of `compare_decoders`, where those were asked for.
        words: the words that follow, where those were asked for.
        average: beside another run, where that was asked for.
    """

    scores: Scores
    languages: tuple[str, ...]
    text: str
    exact: ExactScores | None = None
    exact_bytes: int | None = None
    decoders: Sequence[Mapping[str, Any]] = ()
    words: NextWords | None = None
    average: AverageScores | None = None

    def to_json(self, run: TrainedRun, level: float, draws: int) -> dict[str, Any]:
        """Return plain JSON values: a row for each language, and one for all of several.

        Args:
            run: that was scored. level: of the intervals. draws: of the bootstrap.
        """
        by_language = self.scores.by_language(self.languages)
        if len(by_language) > 1:
            by_language[ALL] = self.scores
        rows = [_row(run, *of_language, level, draws) for of_language in by_language.items()]
        value = {
            "run_id": run.spec.run_id,
            "name": run.spec.name,
            "text": self.text,
            "level": level,
            "entropy_model_flops_per_byte": run.byte_model.reading_flops if run.byte_model else 0.0,
            "rows": rows,
        }
        if self.exact is not None:
            for row in rows:
                row["exact"] = self._exact_json(self.exact, row["language"], level, draws)
            value["exact_bytes"] = self.exact_bytes
        for row in rows:
            whole = row["language"] == ALL
            number = None if whole else self.languages.index(row["language"])
            if self.words is not None:
                row["words"] = self.words.to_json(number, level, draws)
            if self.average is not None:
                row["average"] = self.average.to_json(number, level, draws)
        if self.decoders:
            value["decoders"] = list(self.decoders)
        return value

    def _exact_json(
        self, exact: ExactScores, language: str, level: float, draws: int
    ) -> dict[str, Any]:
        scores = exact if language == ALL else exact.of(self.languages.index(language))
        canonical, summed = scores.bits_per_byte()
        return {
            "documents": len(scores.document_bytes),
            "bytes": int(scores.document_bytes.sum()),
            "canonical_bits_per_byte": canonical,
            "exact_bits_per_byte": summed,
            "given_away": canonical - summed,
            "given_away_interval": scores.given_away(DocumentBootstrap(draws, level=level)),
        }


def evaluate(
    run: TrainedRun,
    corpora: Sequence[Corpus],
    folder: Path,
    stage: Stage,
    device: torch.device,
    autocast: torch.dtype | None = None,
    *,
    exact_bytes: int | None = None,
    writing: WritingTask | None = None,
    words_of: Stream | None = None,
    beside: TrainedRun | None = None,
    beside_bytes: int = FIRST_BYTES,
) -> Evaluation:
    """Score all documents of `corpora`, cut into tokens or patches as the run does it.

    Args:
        folder: where the text's shards are kept.
        stage: told the name of each stretch of work and its bytes, if known, returns a function to
            be told of bytes done.
        exact_bytes: of each document, the first so many are also scored over all encodings; None
            for no such score.
        writing: what is to be written, in which ways; None for nothing.
        words_of: the text that the run was trained on, to ask for next words by how often it has
            them; None not to ask.
        beside: another run, whose probabilities of the first `beside_bytes` of each document are
            averaged with this one's; None for none.

    Raises:
        InputError: there is no text, it cannot be read, or the tokenizer loses some of it; exact
            scores are asked of a model of bytes, or of more bytes than the model sees at once.
    """
    if exact_bytes is not None and run.tokenizer is None:
        raise InputError(
            f"{run.folder}: predicts bytes, not tokens, so its bits per byte are exact already;"
            " leave out `exact`"
        )
    for asked in (run, *((beside,) if beside else ())):
        _refuse_wide_window(asked, device)
    total = total_bytes(corpora)
    reading = stage("reading the text", total)
    text = build_text(corpora, folder, held_out_bytes=0, advance=reading)
    plain = shards = open_shards(text, verify=True)
    spoken = plain.manifest.languages
    size = shards.held_out.byte_count
    if not size:
        names = ", ".join(corpus.name for corpus in corpora)
        raise InputError(f"{names}: no text in it; name a corpus that has some")
    if run.tokenizer is not None:
        advance = stage(f"encoding with {run.tokenizer.name}", size)
        tokens = build_tokens(text, run.tokenizer, folder, advance=advance)
        shards = open_shards(tokens, verify=True)
    elif run.byte_model is not None:
        patched = _patched(run, text, folder, stage("cutting patches", size))
        shards = open_shards(patched, verify=True)
    scores = _scored(run, shards.held_out, stage("scoring", size), device, autocast)
    exact = None
    if exact_bytes is not None:
        exact = _scored_exactly(run, plain.held_out, exact_bytes, stage)
    words = None
    if words_of is not None:
        words = _words(run, shards.held_out, plain.held_out, words_of, stage, device)
    average = None
    if beside is not None:
        size = int(np.minimum(plain.held_out.document_bytes, beside_bytes).sum())
        advance = stage("averaging two runs", size)
        average = average_runs(run, beside, plain.held_out, beside_bytes, spoken, advance)
    decoders: Sequence[Mapping[str, Any]] = ()
    if writing is not None:
        texts = (1 + len(writing.decodings)) * writing.prompts
        advance = stage("writing", texts * writing.size)
        decoders = compare_decoders(run, plain.held_out, writing, spoken, advance)
    languages = shards.manifest.languages
    return Evaluation(scores, languages, text.name, exact, exact_bytes, decoders, words, average)


def _refuse_wide_window(run: TrainedRun, device: torch.device) -> None:
    """See that who sees whom in one window can be held: its size is a claim of the folder's."""
    spec = run.spec
    units = spec.window_units
    seen = float(units**2)
    if spec.model.family == "blt":
        latents = math.ceil(units / max(1, spec.compression_rate))
        seen = float(latents**2 + units * min(units, 2 * spec.window_bytes))
    if seen > (free := available_bytes(device)):
        raise InputError(
            f"{run.folder / SPEC}: a window of {units:,} units takes more than {size_text(seen)},"
            f" and {device} has {size_text(free)} available; evaluate it where there is more"
        )


def inference_flops_per_byte(run: TrainedRun, compression_rate: float) -> float:
    """Return forward FLOPs per byte of text that came to `compression_rate` bytes per token.

    By the project's convention; the entropy model's are not among them.
    """
    setting = run.spec.cost_context._replace(compression_rate=compression_rate)
    return forward_flops_per_byte(run.spec.model.shape, setting)


def _row(
    run: TrainedRun, language: str, scores: Scores, level: float, draws: int
) -> dict[str, Any]:
    rate = scores.compression_rate
    return {
        "language": language,
        "bits_per_byte": scores.bits_per_byte,
        "interval": interval(scores, level, draws),
        "nats": scores.nats,
        "documents": len(scores.document_bytes),
        "bytes": scores.bytes,
        "tokens": scores.patches or scores.units,
        "compression_rate": rate,
        "forward_flops_per_byte": inference_flops_per_byte(run, rate),
    }


def _scored(
    run: TrainedRun,
    stream: Stream,
    advance: Callable[[int], object],
    device: torch.device,
    autocast: torch.dtype | None,
) -> Scores:
    window, patches = run.spec.window_units, patches_of(run.spec)
    scores = score(
        run.model, stream, window, ROWS, patches, device, autocast=autocast, advance=advance
    )
    if not math.isfinite(scores.nats):
        raise InputError(f"{run.folder}: its loss on this text is not finite; train the run again")
    return scores


def _words(
    run: TrainedRun,
    stream: Stream,
    text: Stream,
    words_of: Stream,
    stage: Stage,
    device: torch.device,
) -> NextWords:
    advance = stage("asking for next words", text.byte_count)
    window, patches = run.spec.window_units, patches_of(run.spec)
    predicted = likeliest_units(run.model, stream, window, ROWS, patches, device, advance)
    table = run.tokenizer.token_bytes if run.tokenizer is not None else None
    pieces = None if table is None else [table[token] for token in range(len(table))]
    return next_words(predicted, stream, text, pieces, word_counts(words_of))


def training_text(run: TrainedRun, folder: Path | None = None) -> Stream:
    """Return the text that a run was trained on, in bytes.

    Args:
        folder: where its shards lie; None for where `train` and sweeps put them.

    Raises:
        InputError: it is not there.
    """
    places = [folder] if folder is not None else [run.folder.resolve().parent.parent / "shards"]
    for place in places:
        if (place / run.spec.shards).is_dir():
            key = open_shards(place / run.spec.shards).manifest.text
            return open_shards(place / key, verify=True).train
    raise InputError(
        f"{places[0]}: holds no shards {run.spec.shards}, the text the run was trained on; name"
        " their folder with `shards`"
    )


def _scored_exactly(run: TrainedRun, stream: Stream, exact_bytes: int, stage: Stage) -> ExactScores:
    assert isinstance(run.model, SubwordTransformer) and run.tokenizer is not None
    size = int(np.minimum(stream.document_bytes, exact_bytes).sum())
    advance, window = stage("summing over encodings", size), run.spec.window_units
    return score_exactly(run.model, run.tokenizer, window, stream, exact_bytes, advance)


def _patched(run: TrainedRun, text: Path, folder: Path, advance: Callable[[int], object]) -> Path:
    patching, byte_model = run.spec.patching, run.byte_model
    assert patching is not None and byte_model is not None
    rule: dict[str, Any] = {
        "most_bytes": patching.most_bytes,
        "monotonic": patching.kind == "entropy-monotonic",
    }
    sides = open_shards(text)

    def starts_of(part: TextPart) -> Starts:
        bits = byte_model.entropies(part.data, part.offsets)
        languages = part.languages_of(sides.side(part.split))
        threshold = document_thresholds(patching, languages, sides.manifest.languages)
        return split_entropy_starts(
            bits, part.offsets, threshold, **rule, first_document=part.first
        )

    description = {"entropy_model": byte_model.sha256, **patching.threshold_rule, **rule}
    return build_starts(text, folder, starts_of, description, advance=advance)
