"""The tables of a specification file, one class each: their keys, defaults and bounds.

What only shows when keys are seen together is for `scaling.spec_contradictions`. The upper bounds
are far beyond use; they catch slips of the keyboard before memory runs out.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from corpora.readers.settings import Unit
from scaling.spec import Family, PatchingKind, Training

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
