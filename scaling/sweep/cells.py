"""The cells of a sweep: every size of every arm at every rate, budget and seed, on its texts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from corpora.files import lock
from scaling.config.tables import ArmTable, ByteModelTable, SweepTables, TextTable, recipe_of
from scaling.config.train_file import (
    DataRequest,
    TrainFile,
    beside,
    corpus_beside,
    optimiser_of,
    tokenizer_beside,
)
from scaling.data.build_text import StreamCorpus
from scaling.data.shards import open_shards
from scaling.prepare import (
    PreparedText,
    keep_beside,
    prepare_text,
    spec_of,
    tokenize_text,
    train_bytes,
)
from scaling.spec import Model, Patching, RunSpec, Training, default_learning_rate
from scaling.sweep.folder import SweepFolder
from scaling.sweep.queue import LOCK, remove_torn
from tokenize_lab.load import cuts_of
from tokenize_lab.progress import Stage
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.train import train_tokenizer


@dataclass(frozen=True, kw_only=True)
class Tokenization:
    """How models see a text: what has to be prepared once for all that share it.

    Attributes:
        text: name of the text. label: what tables call the tokenization.
        compression_rate: T asked for; None where tokenizer or words decide.
        tokenizer: recipe of one to be trained on the text, before the label cuts it; None else.
        byte_model: recipe of the byte model to be trained on it, of the two entropy kinds.
    """

    text: str
    label: str
    compression_rate: float | None = None
    tokenizer: TrainSettings | None = None
    byte_model: ByteModelTable | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to be.

    Attributes:
        asked: as a specification file would; tokenizer or entropy model are yet to be filled in
            where the tokenization has a recipe for them.
        tokenization: how it sees its text.
    """

    asked: TrainFile
    tokenization: Tokenization


def cells_of(tables: SweepTables, path: Path) -> list[Cell]:
    """Return the cells of a sweep's file, in the order of the file.

    Args:
        path: of the file; corpora and tokenizers are named relative to its folder.
    """
    return [
        _cell(tables, path, arm, tokenization, size, budget, seed)
        for arm in tables.arms
        for name in arm.texts or tables.texts
        for tokenization in _tokenizations(arm, name)
        for budget in tables.compute_flops
        for size in arm.sizes
        for seed in tables.seeds
    ]


def _tokenizations(arm: ArmTable, text: str) -> Iterator[Tokenization]:
    if arm.family == "subword":
        for spec in arm.tokenizers or ():
            yield Tokenization(text=text, label=spec, tokenizer=recipe_of(spec))
        return
    byte_model = arm.entropy_model if isinstance(arm.entropy_model, ByteModelTable) else None
    for rate in arm.compression_rates or (None,):
        yield Tokenization(
            text=text, label=str(arm.patching), compression_rate=rate, byte_model=byte_model
        )


def _cell(
    tables: SweepTables,
    path: Path,
    arm: ArmTable,
    tokenization: Tokenization,
    size: list[int],
    budget: float,
    seed: int,
) -> Cell:
    text, (layers, dim) = tables.texts[tokenization.text], size
    optimiser = optimiser_of(tables.training, dim)
    patching = None
    if arm.patching is not None:
        patching = Patching(
            kind=arm.patching,
            compression_rate=tokenization.compression_rate,
            most_bytes=arm.most_bytes,
        )
    folder = path.parent
    given = arm.entropy_model if isinstance(arm.entropy_model, str) else None
    asked = TrainFile(
        path=path,
        name=f"{tables.name} {tokenization.text} {tokenization.label}",
        model=Model(
            family=arm.family,
            layers=layers,
            dim=dim,
            local_layers=arm.local_layers or 0,
            local_dim=arm.local_dim or 0,
            cross_factor=arm.cross_factor or 0,
        ),
        patching=patching,
        entropy_model=Path(beside(folder, given)) if given is not None else None,
        data=_data(tables, text, arm, tokenization, folder),
        compute_flops=budget,
        train_bytes=None,
        steps=None,
        seed=seed,
        optimiser=replace(optimiser, batch_bytes=optimiser.batch_bytes * text.inflate),
    )
    return Cell(asked=asked, tokenization=tokenization)


def _data(
    tables: SweepTables, text: TextTable, arm: ArmTable, tokenization: Tokenization, folder: Path
) -> DataRequest:
    training, blt = tables.training, arm.family == "blt"
    # A language spelt in more bytes says as much in as many more: it is seen as far.
    context, window = (
        size * text.inflate for size in (training.context_bytes, training.window_bytes)
    )
    tokenizer = None
    if not blt:
        label = tokenization.label
        tokenizer = label if tokenization.tokenizer else tokenizer_beside(folder, label)
    return DataRequest(
        corpus=tuple(corpus_beside(folder, spec) for spec in text.corpus),
        text_field=text.text_field,
        unit=text.unit,
        language=text.language,
        tokenizer=tokenizer,
        held_out_bytes=text.held_out_bytes,
        context_bytes=context,
        window_bytes=window if blt else context,
        inflate=text.inflate,
        weights=tuple(text.weights) if text.weights is not None else None,
    )


# What the cells of a sweep read: every text, tokenizer and byte model is made just once.


# Trains a byte model in a folder, to its end.
TrainByteModel = Callable[[RunSpec, PreparedText, Path], object]


def prepare_texts(
    cells: Iterable[Cell],
    folder: SweepFolder,
    stage: Stage,
    train_byte_model: TrainByteModel | None,
) -> Mapping[Tokenization, PreparedText]:
    """Prepare what the cells read; what is there already is not made again.

    Args:
        train_byte_model: trains the byte models of entropy patches; None to leave those patches
            unfound, and take the compression rate asked for as the one there will be.

    Raises:
        InputError: text or a tokenizer cannot be read, or they do not fit together.
    """
    texts: dict[str, Path] = {}
    prepared: dict[Tokenization, PreparedText] = {}
    byte_models: dict[tuple[str, ByteModelTable], Path] = {}
    for cell in cells:
        tokenization, asked = cell.tokenization, cell.asked
        if tokenization in prepared:
            continue
        name, rate = tokenization.text, tokenization.compression_rate
        if name not in texts:
            texts[name] = prepare_text(asked.data, folder.shards, stage)
        text = texts[name]
        if tokenization.tokenizer is not None:
            cut = cuts_of(tokenization.label)[0]
            asked = _with_tokenizer(asked, tokenization.tokenizer, cut, text, folder, stage)
        if tokenization.byte_model is not None:
            if train_byte_model is None:
                assert rate is not None
                prepared[tokenization] = PreparedText(
                    shards=text,
                    unique_bytes=train_bytes(text),
                    compression_rate=rate,
                    patching=asked.patching,
                    patches_found=False,
                )
                continue
            key = (name, tokenization.byte_model)
            if key not in byte_models:
                byte_models[key] = _byte_model(cell, text, folder, stage, train_byte_model)
            asked = replace(asked, entropy_model=byte_models[key])
        prepared[tokenization] = tokenize_text(asked, text, folder.shards, stage)
    return prepared


def _with_tokenizer(
    asked: TrainFile,
    settings: TrainSettings,
    cut: str,
    text: Path,
    folder: SweepFolder,
    stage: Stage,
) -> TrainFile:
    """Train the tokenizer on the training side of the text, if that has not been done; a cut of it
    (`masked:.75:`) is what is read."""
    out = folder.path / "tokenizers" / f"{text.name}-{settings.kind}-{settings.vocab_size}"
    made = sorted(out.glob("tokenizer.*")) if (out / "card.json").exists() else []
    if not made:
        train = open_shards(text).train
        corpus = StreamCorpus(train, f"{asked.name}, training text")
        advance = stage(f"training {settings.kind}:{settings.vocab_size}", None)

        def progress(_: str, size: int) -> None:
            advance(size)

        made = [train_tokenizer(corpus, settings, out, progress).path]
    return replace(asked, data=replace(asked.data, tokenizer=f"{cut}{made[0]}"))


def _byte_model(
    cell: Cell, text: Path, folder: SweepFolder, stage: Stage, train: TrainByteModel
) -> Path:
    """Train the byte model on the text, if that has not been done; return its folder."""
    recipe, asked = cell.tokenization.byte_model, cell.asked
    assert recipe is not None
    data, batch = asked.data, asked.optimiser.batch_bytes
    request = replace(
        asked,
        name=f"byte model of {cell.tokenization.text}",
        model=Model(family="subword", layers=recipe.layers, dim=recipe.dim),
        patching=None,
        data=replace(data, tokenizer="byte", window_bytes=data.context_bytes),
        compute_flops=None,
        train_bytes=recipe.train_bytes,
        seed=0,
        optimiser=Training(
            steps=0, batch_bytes=batch, learning_rate=default_learning_rate(recipe.dim)
        ),
    )
    prepared = tokenize_text(request, text, folder.shards, stage)
    spec = spec_of(request, prepared)
    out = folder.path / "byte_models" / spec.run_id
    keep_beside(prepared, out)
    with lock(out / LOCK):  # another process may be planning the same sweep
        try:
            remove_torn(out)
            train(spec, prepared, out)
        finally:
            (out / LOCK).unlink(missing_ok=True)
    return out
