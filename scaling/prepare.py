"""From what a specification file asks for to a run that can be trained: text read, patches found.

Everything made on the way is kept in the shards' folder under the key of its content, so that runs
over the same text share it and an interrupted preparation continues.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus, InflatedCorpus, MixedCorpus, total_bytes
from corpora.errors import InputError
from corpora.files import write_text
from corpora.open import open_corpus
from scaling.config.tables import DataTable, TextTable
from scaling.config.train_file import TrainFile
from scaling.data.build_text import build_text
from scaling.data.build_units import build_entropies, build_starts, build_tokens
from scaling.data.chunked_build import TextPart
from scaling.data.shards import Shards, Stream, open_shards, read_manifest
from scaling.flops import BYTE_VOCABULARY
from scaling.model.patching import Starts, space_starts, static_starts
from scaling.record import RECORD, SPEC
from scaling.spec import Patching, RunSpec
from tokenize_lab.merges.dynamic import refuse_dynamic
from tokenize_lab.progress import Stage
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer

TOKENIZER = "tokenizer.txt"
ENTROPY_MODEL = "entropy_model"
_TAKEN = (TOKENIZER, ENTROPY_MODEL, SPEC, RECORD, "metrics.jsonl")


@dataclass(frozen=True, kw_only=True)
class PreparedText:
    """Text as a model reads it: in tokens, or in bytes with their patches.

    Models of any size share one, so a sweep prepares it once.

    Attributes:
        shards: its folder. unique_bytes: of its training side. compression_rate: T realised there.
        bytes_by_language: the same of each language; rates: T of each, where it is not the same for
            all.
        patching: with all that was found; None of a subword model.
        patching_flops: training the byte model and reading the text with it; 0 without one.
        tokenizer: of a subword model. entropy_model: folder of the byte model.
        patches_found: False where patches are those that were asked for, and still to be found.
    """

    shards: Path
    unique_bytes: int
    compression_rate: float
    bytes_by_language: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    patching: Patching | None = None
    patching_flops: float = 0.0
    tokenizer: Tokenizer | None = None
    entropy_model: Path | None = None
    patches_found: bool = True


def prepare(
    asked: TrainFile, folder: Path, stage: Stage, device: str = "cpu"
) -> tuple[RunSpec, PreparedText]:
    """Read the text, split it, encode it or find its patches, and return the run and its text.

    Args:
        asked: what the file says. folder: where shards are kept.
        stage: told the name of each stretch of work and its bytes, if known, returns a function to
            be told of bytes done.
        device: that an entropy model reads the text on.

    Raises:
        InputError: text, tokenizer or entropy model cannot be read or do not fit together.
    """
    text = prepare_text(asked.data, folder, stage)
    prepared = tokenize_text(asked, text, folder, stage, device)
    return spec_of(asked, prepared), prepared


def prepare_text(data: DataTable, folder: Path, stage: Stage) -> Path:
    """Read the text and split it; return the folder of its shards.

    Raises:
        InputError: it cannot be read, or there is too little of it.
    """
    corpora = corpora_of(data)
    advance = stage("reading the text", total_bytes(corpora))
    return build_text(corpora, folder, held_out_bytes=data.held_out_bytes, advance=advance)


def prepare_mixed(texts: Mapping[str, TextTable], folder: Path, stage: Stage) -> Path:
    """Read texts one after the other as languages of one, which has their names for them; return
    the folder of its shards. Each is split as it would be alone.

    Raises:
        InputError: one cannot be read, is empty, or has too little text.
    """
    corpora: list[Corpus] = []
    for name, text in texts.items():
        corpora += corpora_of(text.model_copy(update={"language": name}))
    held_out = {name: text.held_out_bytes for name, text in texts.items()}
    advance = stage("reading the texts", total_bytes(corpora))
    return build_text(corpora, folder, held_out_bytes=held_out, advance=advance)


def tokenize_text(
    asked: TrainFile, text: Path, folder: Path, stage: Stage, device: str = "cpu"
) -> PreparedText:
    """Encode the text of `prepare_text`, or find its patches; `device` as of `prepare`.

    Raises:
        InputError: tokenizer or entropy model cannot be read or do not fit together.
    """
    if asked.model.family == "subword":
        return _encoded(asked, text, folder, stage)
    assert asked.patching is not None
    if asked.patching.kind.startswith("entropy"):
        return _by_entropy(asked, text, folder, stage, device)
    patching = asked.patching.build()
    return PreparedText(
        shards=text,
        unique_bytes=train_bytes(text),
        compression_rate=_realised_rate(text, patching, asked.data.context_bytes),
        bytes_by_language=_bytes_by_language(text),
        rates=_space_rates(text, patching.most_bytes) if patching.kind == "space" else {},
        patching=patching,
    )


def spec_of(
    asked: TrainFile, text: PreparedText, shares: Mapping[str, float] | None = None
) -> RunSpec:
    """Return the run that trains what is asked for on its text.

    Args:
        shares: of the bytes read, by language of the text; None to read it as it lies.
    """
    tokenizer = text.tokenizer
    model = asked.model.build(BYTE_VOCABULARY if tokenizer is None else tokenizer.vocabulary_size)
    rate = text.compression_rate
    if shares and text.rates:
        rate = 1 / sum(share / text.rates[name] for name, share in shares.items() if share)
    return RunSpec(
        model=model,
        patching=text.patching,
        training=asked.build_training(model, rate),
        shards=text.shards.name,
        compression_rate=rate,
        context_bytes=asked.data.context_bytes,
        window_bytes=asked.window_bytes,
        tokenizer=tokenizer.sha256 if tokenizer is not None else "",
        seed=asked.training.seed,
        compute_flops=asked.training.compute_flops,
        shares=dict(shares or {}),
        name=asked.name,
    )


def corpora_of(data: TextTable) -> list[Corpus]:
    """Open the corpora, mixed or inflated where that is asked for."""
    opened: list[Corpus] = [
        open_corpus(
            spec,
            language=data.language,
            text_field=data.text_field,
            unit=data.unit,
            max_document_bytes=data.max_document_bytes,
        )
        for spec in data.corpus
    ]
    if data.weights is not None:
        opened = [MixedCorpus(opened, data.weights)]
    if data.inflate == 1:
        return opened
    return [InflatedCorpus(corpus, data.inflate) for corpus in opened]


def keep_beside(text: PreparedText, run: Path) -> None:
    """Put into a run's folder what scoring and generating need besides its weights.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        if text.tokenizer is not None:
            # A run's folder has names of its own, which no tokenizer may take.
            kept = TokenizerSpec.parse(text.tokenizer.spec).copy_into(run, _TAKEN)
            write_text(run / TOKENIZER, f"{kept}\n")
        if text.entropy_model is not None:
            from scaling.model.byte_model import copy_byte_model

            copy_byte_model(text.entropy_model, run / ENTROPY_MODEL)
    except OSError as error:
        why = f"cannot be written ({error.strerror}); name another `out`"
        raise InputError(f"{run}: {why}") from error


def _encoded(asked: TrainFile, text: Path, folder: Path, stage: Stage) -> PreparedText:
    assert asked.data.tokenizer is not None
    tokenizer = load_tokenizer(asked.data.tokenizer)
    refuse_dynamic(tokenizer)
    advance = stage(f"encoding with {tokenizer.name}", _bytes(text))
    tokens = build_tokens(text, tokenizer, folder, advance=advance)
    rate = _realised_rate(tokens, None, asked.data.context_bytes)
    return PreparedText(
        shards=tokens,
        unique_bytes=train_bytes(text),
        compression_rate=rate,
        bytes_by_language=_bytes_by_language(text),
        rates=_rates(tokens),
        tokenizer=tokenizer,
    )


def _by_entropy(
    asked: TrainFile, text: Path, folder: Path, stage: Stage, device: str
) -> PreparedText:
    from scaling.model.byte_model import open_byte_model
    from scaling.model.patching import split_entropy_starts
    from scaling.model.threshold import document_thresholds, find_threshold, find_thresholds
    from scaling.train.machine import MachineSettings

    assert asked.patching is not None and asked.patching.entropy_model is not None
    entropy_model = Path(asked.patching.entropy_model)
    patching, monotonic = asked.patching.build(), asked.patching.kind == "entropy-monotonic"
    assert patching.compression_rate is not None
    byte_model = open_byte_model(entropy_model, MachineSettings(device=device).torch_device())
    entropies = build_entropies(
        text,
        folder,
        lambda part: byte_model.entropies(part.data, part.offsets),
        {"entropy_model": byte_model.sha256},
        advance=stage("reading it with the entropy model", _bytes(text)),
    )
    sides = open_shards(entropies, verify=True)
    train = sides.train
    assert train.entropies is not None
    names = sides.manifest.languages
    bits, offsets, rate = train.entropies, train.documents, patching.compression_rate
    patching = replace(patching, entropy_model=byte_model.sha256)
    if asked.patching.thresholds == "language":
        spoken = train.languages
        of_each = find_thresholds(
            bits, offsets, spoken, names, rate, patching.most_bytes, monotonic
        )
        patching = replace(patching, thresholds=of_each)
    else:
        found = find_threshold(bits, offsets, rate, patching.most_bytes, monotonic)
        patching = replace(patching, threshold=found.value)

    def starts_of(part: TextPart) -> Starts:
        side = sides.side(part.split)
        assert side.entropies is not None
        bits = side.entropies[part.begin : part.begin + len(part.data)]
        threshold = document_thresholds(patching, part.languages_of(side), names)
        return split_entropy_starts(
            bits, part.offsets, threshold, patching.most_bytes, monotonic, part.first
        )

    starts = build_starts(
        text,
        folder,
        starts_of,
        {
            "entropies": entropies.name,
            **patching.threshold_rule,
            "most_bytes": patching.most_bytes,
            "monotonic": monotonic,
        },
        advance=stage("cutting patches", _bytes(text)),
    )
    spent = byte_model.training_flops + byte_model.reading_flops * train.byte_count
    return PreparedText(
        shards=starts,
        unique_bytes=train_bytes(text),
        compression_rate=_realised_rate(starts, patching, asked.data.context_bytes),
        bytes_by_language=_bytes_by_language(text),
        rates=_rates(starts),
        patching=patching,
        patching_flops=spent,
        entropy_model=entropy_model,
    )


def _realised_rate(shards: Path, patching: Patching | None, context: int) -> float:
    """Return T on the training text: bytes per token or patch."""
    if patching is not None and patching.kind == "static":
        assert patching.compression_rate is not None
        # Patches are counted from each window's start, and its last one may be short.
        return context / int(static_starts([context], patching.compression_rate).sum())
    if patching is not None and patching.kind == "space":
        train = open_shards(shards).train
        return train.byte_count / int(_words(train, patching.most_bytes).sum())
    return read_manifest(shards).splits["train"].compression_rate


def _words(train: Stream, most_bytes: int) -> NDArray[np.int64]:
    """Return the space patches of each document of a stream: [D]."""
    documents = (
        np.asarray(train.document(index), np.uint8) for index in range(len(train.languages))
    )
    return np.array([int(space_starts(document, most_bytes).sum()) for document in documents])


def _space_rates(text: Path, most_bytes: int) -> dict[str, float]:
    shards = open_shards(text)
    return _by_language(shards, _words(shards.train, most_bytes))


def _rates(units: Path) -> dict[str, float]:
    """Return T of each language on the training side of shards of tokens or of patches."""
    shards = open_shards(units)
    train = shards.train
    counts = np.diff(train.documents)
    if train.starts is not None:
        counts = np.add.reduceat(train.starts, train.documents[:-1], dtype=np.int64)
    return _by_language(shards, counts)


def _by_language(shards: Shards, units: NDArray[np.int64]) -> dict[str, float]:
    """Return bytes per unit of each language, given the units of each training document: [D]."""
    train, names = shards.train, shards.manifest.languages
    columns = (train.document_bytes, units)
    sizes, counts = (np.bincount(train.languages, column, len(names)) for column in columns)
    return {
        name: float(size / count)
        for name, size, count in zip(names, sizes, counts, strict=True)
        if count
    }


def _bytes_by_language(text: Path) -> Mapping[str, int]:
    return read_manifest(text).splits["train"].bytes_by_language


def train_bytes(text: Path) -> int:
    """Return the bytes of a text's training side."""
    return read_manifest(text).splits["train"].bytes


def _bytes(text: Path) -> int:
    return sum(counts.bytes for counts in read_manifest(text).splits.values())
