"""A specification as a person writes it: a TOML file, read and found free of contradictions.

It names its text, tokenizer and entropy model by path, relative to its own folder, and its length
by a budget. What a run is follows once those have been read: see `scaling.spec.RunSpec`.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corpora.errors import InputError, at, regular_file, status, unreadable
from corpora.open import HUB, declared_names
from corpora.open import NAME as STDLIB
from corpora.readers.settings import Unit
from scaling.config.messages import line_of, sentence
from scaling.config.tables import ModelTable, OptimiserTable, PatchingTable, Tables
from scaling.flops import Setting
from scaling.spec import Model, Patching, Training, default_learning_rate, steps_for_budget
from scaling.spec_contradictions import batch_refused, first_contradiction
from tokenize_lab.load import NAMES, PREFIXES, cuts_of

_DEEPEST = 100  # levels of tables and lists; files of ours have four
_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """The text asked for.

    Attributes:
        corpus: specs for `corpora.open.open_corpus`, one after another.
        text_field, unit, language: as there.
        tokenizer: spec for `tokenize_lab.load.load_tokenizer`, of a `subword` model; None else.
        held_out_bytes: text to hold out at least.
        context_bytes: text the model sees at once.
        window_bytes: that of the local modules; the context, of a `subword` model, which has none.
        inflate: bytes that a byte of the text becomes.
        weights: shares of the corpora in a mixture; None where they follow one another.
    """

    corpus: tuple[str, ...]
    text_field: str
    unit: Unit
    language: str | None
    tokenizer: str | None
    held_out_bytes: int
    context_bytes: int
    window_bytes: int
    inflate: int
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TrainFile:
    """What a specification file asks for.

    Attributes:
        path: the file. name: what tables call the run.
        model: its vocabulary is yet to be read from the tokenizer of a `subword` model.
        patching: of a `blt`; the two entropy kinds lack threshold and hash, yet to be found.
        entropy_model: folder of the run that trained the byte model, of the two entropy kinds.
        data: the text.
        compute_flops, train_bytes, steps: how long to train; just one is not None.
        seed: of initial weights and of the order of the text.
        optimiser: how to train; its steps are nought until `training` reckons them.
    """

    path: Path
    name: str
    model: Model
    patching: Patching | None
    entropy_model: Path | None
    data: DataRequest
    compute_flops: float | None
    train_bytes: float | None
    steps: int | None
    seed: int
    optimiser: Training

    def training(self, model: Model, compression_rate: float) -> Training:
        """Return the optimisation, its steps reckoned from the budget.

        Args:
            model: the file's, with the vocabulary of its tokenizer.
            compression_rate: T realised on the training text, bytes per token or patch.
        """
        batch = self.optimiser.batch_bytes
        if self.steps is not None:
            steps = self.steps
        elif self.train_bytes is not None:
            steps = max(1, round(self.train_bytes / batch))
        else:
            assert self.compute_flops is not None
            data = self.data
            setting = Setting(compression_rate, data.context_bytes, data.window_bytes)
            steps = steps_for_budget(self.compute_flops, model, setting, batch)
        return replace(self.optimiser, steps=steps)


def read_train_file(path: str | Path) -> TrainFile:
    """Return what the file asks for.

    Raises:
        InputError: it cannot be read, is not TOML, has an unknown key, a value out of bounds, or
            keys that contradict one another. The message names file, line, table and key.
    """
    file = Path(path)
    text = read_toml_text(file)
    tables = _tables(file, text)
    wrong = first_contradiction(tables)
    if wrong is not None:
        raise _refusal(file, text, wrong.table, wrong.key, wrong.what)
    folder = file.parent
    patching = tables.patching
    entropy_model = patching.entropy_model if patching is not None else None
    return TrainFile(
        path=file,
        name=tables.name,
        model=_model(tables.model),
        patching=_patching(patching) if patching is not None else None,
        entropy_model=folder / entropy_model if entropy_model is not None else None,
        data=_data(tables, folder),
        compute_flops=tables.training.compute_flops,
        train_bytes=tables.training.train_bytes,
        steps=tables.training.steps,
        seed=tables.training.seed,
        optimiser=optimiser_of(tables.training, tables.model.dim),
    )


def read_toml_text(file: Path) -> str:
    """Return a file's text.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        # A byte order mark is no part of the text; some editors put it before every file.
        return regular_file(file).read_text(encoding="utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{at(file, byte=error.start)}: invalid UTF-8; TOML is UTF-8, so save it as that"
        ) from error


def parsed_toml(file: Path, text: str) -> dict[str, Any]:
    """Return the text as TOML.

    Raises:
        InputError: it is none; naming line and column.
    """
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _SYNTAX_PLACE.search(str(error))
        what = _SYNTAX_PLACE.sub("", str(error))
        line = int(place[1]) if place else None
        column = f" in column {place[2]}" if place else ""
        raise InputError(f"{at(file, line)}: not TOML{column}: {what}; mend it") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise InputError(f"{file}: not TOML that can be read ({error}); mend it") from error
    # Dotted keys nest without end, and whoever looks at them later may not.
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for values in inner for one in values if isinstance(one, dict | list)]
        if not level:
            return value
    raise InputError(f"{file}: tables or lists are nested over {_DEEPEST} deep; mend it")


def _tables(file: Path, text: str) -> Tables:
    try:
        return Tables.model_validate(parsed_toml(file, text))
    except ValidationError as error:
        table, key, what = sentence(error)
        raise _refusal(file, text, table, key, what) from error


def _model(table: ModelTable) -> Model:
    return Model(
        family=table.family,
        layers=table.layers,
        dim=table.dim,
        local_layers=table.local_layers or 0,
        local_dim=table.local_dim or 0,
        cross_factor=table.cross_factor or 0,
        heads=table.heads,
        tied_head=bool(table.tied_head),
    )


def _patching(table: PatchingTable) -> Patching:
    return Patching(
        kind=table.kind, compression_rate=table.compression_rate, most_bytes=table.most_bytes
    )


def _data(tables: Tables, folder: Path) -> DataRequest:
    table = tables.data
    # A window would not change a subword model, but it would change the hash that names the run.
    windowed = table.window_bytes is not None and tables.model.family == "blt"
    return DataRequest(
        corpus=tuple(corpus_beside(folder, spec) for spec in table.corpus),
        text_field=table.text_field,
        unit=table.unit,
        language=table.language,
        tokenizer=tokenizer_beside(folder, table.tokenizer) if table.tokenizer else None,
        held_out_bytes=table.held_out_bytes,
        context_bytes=table.context_bytes,
        window_bytes=(table.window_bytes or 0) if windowed else table.context_bytes,
        inflate=table.inflate,
    )


def optimiser_of(table: OptimiserTable, dim: int) -> Training:
    """Return the optimisation of a model so wide; its steps are yet to be reckoned."""
    rate = table.learning_rate
    return Training(
        steps=0,
        batch_bytes=table.batch_bytes,
        learning_rate=rate if rate is not None else default_learning_rate(dim),
        warmup=table.warmup,
        decay=table.decay,
        weight_decay=table.weight_decay,
        beta1=table.beta1,
        beta2=table.beta2,
        clip=table.clip,
    )


def corpus_beside(folder: Path, spec: str) -> str:
    """Return a corpus's spec as seen from anywhere, of one that stands in a file of `folder`."""
    if spec.startswith(HUB) or spec == STDLIB or spec.partition(":")[0] in declared_names():
        return spec
    return beside(folder, spec)


def tokenizer_beside(folder: Path, spec: str) -> str:
    """Return a tokenizer's spec as seen from anywhere, of one in a file of `folder`."""
    cut, spec = cuts_of(spec)
    if spec in NAMES:
        return f"{cut}{spec}"
    # Another word may be a name or a file's; it is a file's where there is that file.
    prefix = next((prefix for prefix in PREFIXES if spec.startswith(prefix)), "")
    name = spec.removeprefix(prefix)
    # `tiktoken:FILE@NAME` is a file, too; one of no suffix that is missing is taken for a name.
    is_path = bool(name) and status(folder / name.partition("@")[0]) is not None
    if is_path or (not prefix and ("/" in spec or Path(spec).suffix)):
        return f"{cut}{prefix}{beside(folder, name)}"
    return f"{cut}{spec}"


def beside(folder: Path, name: str) -> str:
    """Return a path relative to `folder` as one that cannot be taken for a bare name."""
    # A bare word would be looked up as a name first, so a path always shows that it is one.
    path = str(folder / name)
    return path if "/" in path else f"./{path}"


def _refusal(file: Path, text: str, table: str, key: str, what: str) -> InputError:
    line = line_of(text, table, key)
    place = " ".join(part for part in (f"[{table}]" if table else "", key) if part)
    return InputError(f"{at(file, line)}: {place}: {what}")


# The byte model that cuts entropy patches, as a run like any other: a subword model of bytes.


def entropy_model_request(
    corpus: Sequence[str],
    *,
    layers: int,
    dim: int,
    train_bytes: float,
    context_bytes: int,
    batch_bytes: int,
    held_out_bytes: int,
    text_field: str,
    seed: int,
) -> TrainFile:
    """Return what a specification file would ask for.

    Raises:
        InputError: the batch is no multiple of the context, or a width is odd.
    """
    if uneven := batch_refused(batch_bytes, context_bytes, f"--context-bytes {context_bytes}"):
        raise InputError(f"--batch-bytes: {uneven}")
    if dim % 2:
        raise InputError(f"--dim {dim}: rotary positions need an even width; try {dim + 1}")
    if not 0 < train_bytes < float("inf"):
        raise InputError(f"--train-bytes {train_bytes:g}: text to train on is a positive number")
    return TrainFile(
        path=Path("train-entropy-model"),
        name="entropy model",
        model=Model(family="subword", layers=layers, dim=dim),
        patching=None,
        entropy_model=None,
        data=DataRequest(
            corpus=tuple(corpus),
            text_field=text_field,
            unit="line",
            language=None,
            tokenizer="byte",
            held_out_bytes=held_out_bytes,
            context_bytes=context_bytes,
            window_bytes=context_bytes,
            inflate=1,
        ),
        compute_flops=None,
        train_bytes=train_bytes,
        steps=None,
        seed=seed,
        optimiser=Training(
            steps=0, batch_bytes=batch_bytes, learning_rate=default_learning_rate(dim)
        ),
    )
