"""The tables of a specification file, one class each: their keys, defaults and bounds.

What only shows when keys are seen together is for `scaling.spec_contradictions`. The upper bounds
are far beyond use; they catch slips of the keyboard before memory runs out.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from corpora.readers.settings import Unit
from scaling.spec import Family, PatchingKind, Training
from tokenize_lab.load import cuts_of
from tokenize_lab.train.settings import ENGINES, TrainSettings

MOST_LAYERS = 1000
MOST_WIDTH = 1 << 16
_MOST_CONTEXT = 1 << 24  # bytes
_MOST_BATCH = 1 << 32  # bytes
MOST_TEXT = 1 << 50  # bytes, a petabyte


def whole(value: Any) -> Any:
    # 2e6 is a float to TOML, and the plainest way to write two million.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Layers = Annotated[int, BeforeValidator(whole), Field(ge=1, le=MOST_LAYERS)]
Width = Annotated[int, BeforeValidator(whole), Field(ge=2, le=MOST_WIDTH, multiple_of=2)]
Count = Annotated[int, BeforeValidator(whole), Field(ge=1, le=MOST_WIDTH)]
Context = Annotated[int, BeforeValidator(whole), Field(ge=2, le=_MOST_CONTEXT)]
Window = Annotated[int, BeforeValidator(whole), Field(ge=1, le=_MOST_CONTEXT)]
Bytes = Annotated[int, BeforeValidator(whole), Field(ge=1, le=MOST_TEXT)]
Factor = Annotated[int, BeforeValidator(whole), Field(ge=1, le=16)]  # of inflation
Slots = Annotated[int, BeforeValidator(whole), Field(ge=1, le=64)]  # of a latent
Seed = Annotated[int, BeforeValidator(whole), Field(ge=0, le=(1 << 63) - 1)]
Budget = Annotated[float, Field(gt=0, le=1e30)]
Rate = Annotated[float, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Words = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]


class StrictTable(BaseModel):
    # strict: "2" is no number, true is not 1.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ModelTable(StrictTable):
    """[model]: the network, as `scaling.spec.Model`."""

    family: Family
    layers: Layers
    dim: Width
    local_layers: Layers | None = None
    local_dim: Width | None = None
    cross_factor: Slots | None = None
    heads: Count | None = None
    tied_head: bool | None = None


class PatchingTable(StrictTable):
    """[patching]: how a `blt` groups bytes, as `scaling.spec.Patching`.

    Attributes:
        entropy_model: the folder of the run that trained the byte model.
    """

    kind: PatchingKind
    compression_rate: Rate | None = None
    most_bytes: Count = 64
    entropy_model: Words | None = None


class DataTable(StrictTable):
    """[data]: the text, and how much of it is seen at once.

    Attributes:
        corpus: specs of `corpora.open`; text_field, unit and language as there.
        tokenizer: spec of `tokenize_lab.load`.
        held_out_bytes: text at the end that is not trained on.
        context_bytes: text the model sees at once. window_bytes: that of the local modules.
        inflate: bytes that a byte of the text becomes; 2 makes "English x2".
    """

    corpus: Annotated[list[Words], BeforeValidator(listed), Field(min_length=1)]
    text_field: Words = "text"
    unit: Unit = "line"
    language: Words | None = None
    tokenizer: Words | None = None
    held_out_bytes: Bytes
    context_bytes: Context
    window_bytes: Window | None = None
    inflate: Factor = 1


class OptimiserTable(StrictTable):
    """How to train, as `scaling.spec.Training`; of runs and of sweeps.

    Attributes:
        learning_rate: None for the rule of the width, 3e-3 (128 / d) ** .5.
    """

    batch_bytes: Annotated[int, BeforeValidator(whole), Field(ge=1, le=_MOST_BATCH)]
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    warmup: Share = Training.warmup
    decay: Share = Training.decay
    weight_decay: Annotated[float, Field(ge=0, le=10)] = Training.weight_decay
    beta1: Beta = Training.beta1
    beta2: Beta = Training.beta2
    clip: Annotated[float, Field(gt=0, le=1e6)] = Training.clip


class TrainingTable(OptimiserTable):
    """[training]: how, and how long; one of three says how long."""

    compute_flops: Budget | None = None
    train_bytes: Annotated[float, Field(gt=0, le=MOST_TEXT)] | None = None
    steps: Annotated[int, BeforeValidator(whole), Field(ge=1, le=1_000_000_000)] | None = None
    seed: Seed = 0


class Tables(StrictTable):
    """The whole file."""

    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    model: ModelTable
    patching: PatchingTable | None = None
    data: DataTable
    training: TrainingTable


TABLES: Mapping[str, type[BaseModel]] = {
    "": Tables,
    "model": ModelTable,
    "patching": PatchingTable,
    "data": DataTable,
    "training": TrainingTable,
}


# The tables of a sweep's file, one class each: their keys, defaults and bounds.


Size = Annotated[list[int], Field(min_length=2, max_length=2)]


class TextTable(StrictTable):
    """[texts.NAME]: a language, or a mixture of several.

    Attributes:
        corpus: specs of `corpora.open`; text_field, unit and language as there.
        weights: shares of the bytes, one for each corpus; None to read them one after another.
        held_out_bytes: text at the end that is not trained on.
        inflate: bytes that a byte of the text becomes; context, window and batch grow with it.
    """

    corpus: Annotated[list[Words], BeforeValidator(listed), Field(min_length=1)]
    weights: list[Annotated[float, Field(gt=0)]] | None = None
    text_field: Words = "text"
    unit: Unit = "line"
    language: Words | None = None
    held_out_bytes: Bytes
    inflate: Factor = 1


class ByteModelTable(StrictTable):
    """entropy_model = {...}: the byte model of entropy patches, trained once for each text."""

    layers: Layers = 1
    dim: Width = 64
    train_bytes: Annotated[float, Field(gt=0, le=MOST_TEXT)] = 5e6


class ArmTable(StrictTable):
    """[[arms]]: one family of models, its sizes and its compression rates.

    Attributes:
        sizes: layers and width of the global module, or of the subword model.
        local_layers, local_dim, cross_factor: of a `blt`.
        patching, compression_rates, most_bytes: of a `blt`; no rates where patches are words.
        entropy_model: of the two entropy kinds: how to train it, or the folder of its run.
        tokenizers: of a `subword` model: specs of `tokenize_lab.load`, or KIND:SIZE to train one
            on the text, as bpe:1024.
        texts: names of [texts.NAME]; None for all.
    """

    family: Family
    sizes: Annotated[list[Size], Field(min_length=1)]
    local_layers: Layers | None = None
    local_dim: Width | None = None
    cross_factor: Slots | None = None
    patching: PatchingKind | None = None
    compression_rates: Annotated[list[Rate], Field(min_length=1)] | None = None
    most_bytes: Count = 64
    entropy_model: ByteModelTable | Words | None = None
    tokenizers: Annotated[list[Words], Field(min_length=1)] | None = None
    texts: Annotated[list[Words], Field(min_length=1)] | None = None


class ScheduleTable(OptimiserTable):
    """[training]: what all runs share.

    Attributes:
        context_bytes, window_bytes: text the model, and its local modules, see at once.
    """

    context_bytes: Context
    window_bytes: Window


class SweepTables(StrictTable):
    """The whole file: every size of every arm at every rate, budget and seed, on its texts."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    compute_flops: Annotated[list[Budget], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1, default_factory=lambda: [0])]
    texts: Annotated[dict[Words, TextTable], Field(min_length=1)]
    arms: Annotated[list[ArmTable], Field(min_length=1)]
    training: ScheduleTable


# Tokenizers that a sweep trains on its texts, written KIND:SIZE, as bpe:1024.


_RECIPE = re.compile(rf"({'|'.join(ENGINES)}):(\d{{1,20}})")


def recipe_of(spec: str) -> TrainSettings | None:
    """Return how to train the tokenizer of a spec; None where the spec names one that is there.

    Raises:
        InputError: none has so few or so many ids.
    """
    recipe = _RECIPE.fullmatch(cuts_of(spec)[1])
    return TrainSettings(recipe[1], int(recipe[2])) if recipe else None
