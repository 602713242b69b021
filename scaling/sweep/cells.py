"""The cells of a sweep: every size of every arm at every rate, budget and seed, on its texts.

What they read, every text, tokenizer and byte model, is made just once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from corpora.locks import disk_errors, lock, remove_abandoned_lock
from corpora.open import beside, corpus_relative_to
from scaling.config.mixtures import MIXED
from scaling.config.sweep_file import ArmTable, ByteModelTable, SweepFile, recipe_of
from scaling.config.tables import (
    DataTable,
    ModelTable,
    OptimiserTable,
    PatchingTable,
    TextTable,
    TrainingTable,
)
from scaling.config.train_file import TrainFile
from scaling.data.build_text import StreamCorpus
from scaling.data.shards import open_shards
from scaling.prepare import (
    PreparedText,
    keep_beside,
    prepare_mixed,
    prepare_text,
    spec_of,
    tokenize_text,
    train_bytes,
)
from scaling.spec import RunSpec, default_learning_rate
from scaling.sweep.folder import SweepFolder
from scaling.sweep.run_folder import LOCK, remove_torn
from tokenize_lab.progress import Stage
from tokenize_lab.tokenizer_spec import TokenizerSpec
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

# Trains a byte model in a folder, to its end.
TrainByteModel = Callable[[RunSpec, PreparedText, Path], object]


@dataclass(frozen=True, kw_only=True)
class Tokenization:
    """How models see a text: what has to be prepared once for all that share it.

    Attributes:
        text: name of the text; `MIXED` of what all mixtures are read from.
        label: what tables call the tokenization.
        patching: of a `blt`, as asked for. spec: of the tokenizer, of a `subword` model.
        tokenizer: recipe of one to be trained on the text, before the spec cuts it; None else.
        byte_model: recipe of the byte model to be trained on it, of the two entropy kinds.
    """

    text: str
    label: str
    patching: PatchingTable | None = None
    spec: TokenizerSpec | None = None
    tokenizer: TrainSettings | None = None
    byte_model: ByteModelTable | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to be, asked for as a specification file would; tokenizer or entropy model are yet to
    be filled in where the tokenization has a recipe for them.

    Attributes:
        name: of its text, or of its mixture.
        texts: that are mixed, by name. shares: of each, with a sum of 1. Empty without a mixture.
        shares_trunk: whether it shares its first steps with cells of other budgets.
    """

    asked: TrainFile
    tokenization: Tokenization
    name: str
    texts: Mapping[str, TextTable]
    shares: Mapping[str, float]
    shares_trunk: bool = False


def cells_of(file: SweepFile, path: Path) -> list[Cell]:
    """Return the cells of a sweep's file, in the order of the file.

    Args:
        path: of the file; corpora and tokenizers are named relative to its folder. Mixtures that
            are to be designed have no cells (`scaling.sweep.mixing`).
    """
    return [
        _cell(file, path.parent, arm, name, tokenization, size, budget, seed, factor)
        for arm in file.arms
        for name in file.read_by(arm)
        for tokenization in _tokenizations(arm, name if name in file.texts else MIXED, path.parent)
        for budget in file.compute_flops
        for size in arm.sizes
        for seed in file.seeds
        for factor in file.training.rate_factors
    ]


def _tokenizations(arm: ArmTable, text: str, folder: Path) -> Iterator[Tokenization]:
    for spec in map(TokenizerSpec.parse, arm.tokenizers or ()):
        yield Tokenization(text=text, label=spec.label, spec=spec, tokenizer=recipe_of(spec))
    if arm.patching is None:
        return
    recipe = arm.entropy_model if isinstance(arm.entropy_model, ByteModelTable) else None
    given = arm.entropy_model if isinstance(arm.entropy_model, str) else None
    for rate in arm.compression_rates or (None,):
        patching = PatchingTable.model_construct(
            kind=arm.patching,
            compression_rate=rate,
            most_bytes=arm.most_bytes,
            entropy_model=None if given is None else beside(folder, given),
            thresholds=arm.thresholds,
        )
        label = f"{arm.patching}, D-{arm.diffusion_block}" if arm.diffusion_block else arm.patching
        if arm.thresholds == "language":
            label += ", by language"
        yield Tokenization(text=text, label=label, patching=patching, byte_model=recipe)


def _cell(
    file: SweepFile,
    folder: Path,
    arm: ArmTable,
    name: str,
    tokenization: Tokenization,
    size: tuple[int, int],
    budget: float,
    seed: int,
    rate_factor: float,
) -> Cell:
    layers, dim = size
    mixed, shares = mixed_texts(file, folder), dict[str, float]()
    schedule = file.training
    if name in file.texts:
        text, mixed = _found_from(folder, file.texts[name]), {}
    else:
        (mixture,) = (mixture for mixture in file.mixtures if mixture.name == name)
        text, shares = _whole(mixed), mixture.shares(list(mixed))
    optimiser = {key: getattr(schedule, key) for key in OptimiserTable.model_fields}
    if rate_factor != 1:
        rate = schedule.learning_rate or default_learning_rate(dim, schedule.optimiser)
        optimiser["learning_rate"] = rate_factor * rate
    given = tokenization.spec
    tokenizer = given and str(given if tokenization.tokenizer else given.relative_to(folder))
    # A language spelt in more bytes says as much in as many more: it is seen as far, and as much of
    # it in a step. What a sweep's file holds has been checked.
    asked = TrainFile.model_construct(
        name=f"{file.name} {name} {tokenization.label}",
        model=ModelTable.model_construct(
            None,
            **{**arm.local_sizes, "family": arm.family, "layers": layers, "dim": dim},
            diffusion_block=arm.diffusion_block,
        ),
        patching=tokenization.patching,
        data=DataTable.model_construct(
            **dict(text),
            tokenizer=tokenizer,
            context_bytes=schedule.context_bytes * text.inflate,
            window_bytes=schedule.window_bytes * text.inflate,
        ),
        training=TrainingTable.model_construct(
            **{**optimiser, "batch_bytes": schedule.batch_bytes * text.inflate},
            compute_flops=budget,
            seed=seed,
        ),
    )
    return Cell(
        asked=asked,
        tokenization=tokenization,
        name=name,
        texts=mixed,
        shares=shares,
        shares_trunk=schedule.shared_trunk,
    )


def mixed_texts(file: SweepFile, folder: Path) -> dict[str, TextTable]:
    """Return the texts that the file's mixtures are of, in its order, with paths from here."""
    return {name: _found_from(folder, text) for name, text in file.texts.items()}


def _found_from(folder: Path, text: TextTable) -> TextTable:
    corpora = tuple(corpus_relative_to(folder, spec) for spec in text.corpus)
    return text.model_copy(update={"corpus": corpora})


def _whole(texts: Mapping[str, TextTable]) -> TextTable:
    """Return what texts are together, as far as prices ask."""
    return TextTable.model_construct(
        corpus=tuple(spec for text in texts.values() for spec in text.corpus),
        held_out_bytes=sum(text.held_out_bytes for text in texts.values()),
    )


def prepare_texts(
    cells: Iterable[Cell],
    folder: SweepFolder,
    stage: Stage,
    train_byte_model: TrainByteModel | None,
    device: str = "cpu",
) -> Mapping[Tokenization, PreparedText]:
    """Prepare what the cells read; what is there already is not made again.

    Args:
        train_byte_model: trains the byte models of entropy patches; None to leave those patches
            unfound, and take the compression rate asked for as the one there will be.
        device: that byte models read text on.

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
        name = tokenization.text
        if name not in texts:
            if cell.texts:
                texts[name] = prepare_mixed(cell.texts, folder.shards, stage)
            else:
                texts[name] = prepare_text(asked.data, folder.shards, stage)
        text = texts[name]
        if tokenization.tokenizer is not None:
            assert tokenization.spec is not None
            cuts = tokenization.spec.cuts
            asked = _with_tokenizer(asked, tokenization.tokenizer, cuts, text, folder, stage)
        if tokenization.byte_model is not None:
            assert asked.patching is not None
            patching = asked.patching.build()
            if train_byte_model is None:
                assert patching.compression_rate is not None
                prepared[tokenization] = PreparedText(
                    shards=text,
                    unique_bytes=train_bytes(text),
                    compression_rate=patching.compression_rate,
                    patching=patching,
                    patches_found=False,
                )
                continue
            key = (name, tokenization.byte_model)
            if key not in byte_models:
                byte_models[key] = _byte_model(cell, text, folder, stage, train_byte_model)
            found = {"entropy_model": str(byte_models[key])}
            asked = asked.model_copy(update={"patching": asked.patching.model_copy(update=found)})
        prepared[tokenization] = tokenize_text(asked, text, folder.shards, stage, device)
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
        made = [train_tokenizer(corpus, settings, out, lambda _, size: advance(size)).path]
    else:
        remove_abandoned_lock(out)
    data = asked.data.model_copy(update={"tokenizer": f"{cut}{made[0]}"})
    return asked.model_copy(update={"data": data})


def _byte_model(
    cell: Cell, text: Path, folder: SweepFolder, stage: Stage, train: TrainByteModel
) -> Path:
    """Train the byte model on the text, if that has not been done; return its folder."""
    recipe, asked = cell.tokenization.byte_model, cell.asked
    assert recipe is not None
    request = TrainFile(
        name=f"byte model of {cell.tokenization.text}",
        model=ModelTable(family="subword", layers=recipe.layers, dim=recipe.dim),
        data=asked.data.model_copy(update={"tokenizer": "byte"}),
        training=TrainingTable(
            batch_bytes=asked.training.batch_bytes,
            train_bytes=recipe.train_bytes,
            optimiser=asked.training.optimiser,
        ),
    )
    prepared = tokenize_text(request, text, folder.shards, stage)
    spec = spec_of(request, prepared)
    out = folder.path / "byte_models" / spec.run_id
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with lock(out / LOCK):  # another process may be planning the same sweep
        try:
            remove_torn(out)
            keep_beside(prepared, out)
            train(spec, prepared, out)
        finally:
            (out / LOCK).unlink(missing_ok=True)
    return out
