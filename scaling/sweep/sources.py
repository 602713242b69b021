"""What the cells of a sweep read: every text, tokenizer and byte model is made just once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scaling.data.shards import open_shards, read_manifest
from scaling.data.stream_corpus import StreamCorpus
from scaling.prepare import Prepared as Run
from scaling.prepare import Source, Stage, keep_beside, prepare_source, prepare_text, run_of
from scaling.spec import Model, Training, default_learning_rate
from scaling.spec_file import TrainFile
from scaling.sweep.cells import Cell, View
from scaling.sweep.folder import SweepFolder
from scaling.sweep.leftovers import LOCK, remove_torn
from scaling.sweep.locks import lock
from scaling.sweep.tables import ByteModelTable
from tokenize_lab.load import cuts_of
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.train import train_tokenizer

# Trains a byte model in a folder, to its end.
TrainByteModel = Callable[[Run, Path], object]


@dataclass(frozen=True)
class Reading:
    """What the cells of one view read.

    Attributes:
        source: the text as their models read it.
        unique_bytes: of its training text.
        prepared: False where patches are those that were asked for, and still to be found.
    """

    source: Source
    unique_bytes: int
    prepared: bool = True


def readings_of(
    cells: Iterable[Cell],
    folder: SweepFolder,
    stage: Stage,
    train_byte_model: TrainByteModel | None,
) -> Mapping[View, Reading]:
    """Prepare what the cells read; what is there already is not made again.

    Args:
        train_byte_model: trains the byte models of entropy patches; None to leave those patches
            unfound, and take the compression rate asked for as the one there will be.

    Raises:
        InputError: text or a tokenizer cannot be read, or they do not fit together.
    """
    texts: dict[str, Path] = {}
    readings: dict[View, Reading] = {}
    byte_models: dict[tuple[str, ByteModelTable], Path] = {}
    for cell in cells:
        view, asked = cell.view, cell.asked
        if view in readings:
            continue
        if view.text not in texts:
            texts[view.text] = prepare_text(asked.data, folder.shards, stage)
        text = texts[view.text]
        unique = read_manifest(text).splits["train"].bytes
        if view.tokenizer is not None:
            cut = cuts_of(view.label)[0]
            asked = _with_tokenizer(asked, view.tokenizer, cut, text, folder, stage)
        if view.byte_model is not None:
            if train_byte_model is None:
                assert view.compression_rate is not None
                nominal = Source(
                    shards=text, compression_rate=view.compression_rate, patching=asked.patching
                )
                readings[view] = Reading(nominal, unique, prepared=False)
                continue
            key = (view.text, view.byte_model)
            if key not in byte_models:
                byte_models[key] = _byte_model(cell, text, folder, stage, train_byte_model)
            asked = replace(asked, entropy_model=byte_models[key])
        readings[view] = Reading(prepare_source(asked, text, folder.shards, stage), unique)
    return readings


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
    recipe, asked = cell.view.byte_model, cell.asked
    assert recipe is not None
    data, batch = asked.data, asked.optimiser.batch_bytes
    request = replace(
        asked,
        name=f"byte model of {cell.view.text}",
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
    run = run_of(request, prepare_source(request, text, folder.shards, stage))
    out = folder.path / "byte_models" / run.spec.run_id
    keep_beside(run, out)
    with lock(out / LOCK, lambda: False):  # another process may be planning the same sweep
        try:
            remove_torn(out)
            train(run, out)
        finally:
            (out / LOCK).unlink(missing_ok=True)
    return out
