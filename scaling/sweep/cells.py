"""The cells of a sweep: every size of every arm at every rate, budget and seed, on its texts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scaling.spec import Model, Patching
from scaling.spec_file import (
    DataRequest,
    TrainFile,
    beside,
    corpus_beside,
    optimiser_of,
    tokenizer_beside,
)
from scaling.sweep.recipes import recipe_of
from scaling.sweep.tables import ArmTable, ByteModelTable, SweepTables, TextTable
from tokenize_lab.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class View:
    """How models see a text: what has to be prepared once for all that share it.

    Attributes:
        text: name of the text. label: of the tokenization, for tables.
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
            where the view has a recipe for them.
        view: how it sees its text.
    """

    asked: TrainFile
    view: View


def cells_of(tables: SweepTables, path: Path) -> list[Cell]:
    """Return the cells of a sweep's file, in the order of the file.

    Args:
        path: of the file; corpora and tokenizers are named relative to its folder.
    """
    return [
        _cell(tables, path, arm, view, size, budget, seed)
        for arm in tables.arms
        for name in arm.texts or tables.texts
        for view in _views(arm, name)
        for budget in tables.compute_flops
        for size in arm.sizes
        for seed in tables.seeds
    ]


def _views(arm: ArmTable, text: str) -> Iterator[View]:
    if arm.family == "subword":
        for spec in arm.tokenizers or ():
            yield View(text=text, label=spec, tokenizer=recipe_of(spec))
        return
    byte_model = arm.entropy_model if isinstance(arm.entropy_model, ByteModelTable) else None
    for rate in arm.compression_rates or (None,):
        yield View(text=text, label=str(arm.patching), compression_rate=rate, byte_model=byte_model)


def _cell(
    tables: SweepTables,
    path: Path,
    arm: ArmTable,
    view: View,
    size: list[int],
    budget: float,
    seed: int,
) -> Cell:
    text, (layers, dim) = tables.texts[view.text], size
    optimiser = optimiser_of(tables.training, dim)
    patching = None
    if arm.patching is not None:
        patching = Patching(
            kind=arm.patching, compression_rate=view.compression_rate, most_bytes=arm.most_bytes
        )
    folder = path.parent
    given = arm.entropy_model if isinstance(arm.entropy_model, str) else None
    asked = TrainFile(
        path=path,
        name=f"{tables.name} {view.text} {view.label}",
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
        data=_data(tables, text, arm, view, folder),
        compute_flops=budget,
        train_bytes=None,
        steps=None,
        seed=seed,
        optimiser=replace(optimiser, batch_bytes=optimiser.batch_bytes * text.inflate),
    )
    return Cell(asked=asked, view=view)


def _data(
    tables: SweepTables, text: TextTable, arm: ArmTable, view: View, folder: Path
) -> DataRequest:
    training, blt = tables.training, arm.family == "blt"
    # A language spelt in more bytes says as much in as many more: it is seen as far.
    context, window = (
        size * text.inflate for size in (training.context_bytes, training.window_bytes)
    )
    tokenizer = None
    if not blt:
        tokenizer = view.label if view.tokenizer else tokenizer_beside(folder, view.label)
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
