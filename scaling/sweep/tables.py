"""The tables of a sweep's file, one class each: their keys, defaults and bounds."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from corpora.readers.settings import Unit
from scaling.spec import Family, PatchingKind, Training
from scaling.spec_tables import Beta, Context, Count, Layers, Share, StrictTable, Width, Words
from scaling.spec_tables import listed as _listed
from scaling.spec_tables import whole as _whole

_MOST_TEXT = 1 << 50  # bytes, a petabyte

Seed = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=(1 << 63) - 1)]
Bytes = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=_MOST_TEXT)]
Budget = Annotated[float, Field(gt=0, le=1e30)]
Rate = Annotated[float, Field(ge=1)]
Size = Annotated[list[int], Field(min_length=2, max_length=2)]


class TextTable(StrictTable):
    """[texts.NAME]: a language, or a mixture of several.

    Attributes:
        corpus: specs of `corpora.open`; text_field, unit and language as there.
        weights: shares of the bytes, one for each corpus; None to read them one after another.
        held_out_bytes: text at the end that is not trained on.
        inflate: bytes that a byte of the text becomes; context, window and batch grow with it.
    """

    corpus: Annotated[list[Words], BeforeValidator(_listed), Field(min_length=1)]
    weights: list[Annotated[float, Field(gt=0)]] | None = None
    text_field: Words = "text"
    unit: Unit = "line"
    language: Words | None = None
    held_out_bytes: Bytes
    inflate: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=16)] = 1


class ByteModelTable(StrictTable):
    """entropy_model = {...}: the byte model of entropy patches, trained once for each text."""

    layers: Layers = 1
    dim: Width = 64
    train_bytes: Annotated[float, Field(gt=0, le=_MOST_TEXT)] = 5e6


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
    cross_factor: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=64)] | None = None
    patching: PatchingKind | None = None
    compression_rates: Annotated[list[Rate], Field(min_length=1)] | None = None
    most_bytes: Count = 64
    entropy_model: ByteModelTable | Words | None = None
    tokenizers: Annotated[list[Words], Field(min_length=1)] | None = None
    texts: Annotated[list[Words], Field(min_length=1)] | None = None


class ScheduleTable(StrictTable):
    """[training]: what all runs share, as `scaling.spec.Training`.

    Attributes:
        context_bytes, window_bytes: text the model, and its local modules, see at once.
        learning_rate: None for the rule of the width, 3e-3 (128 / d) ** .5.
    """

    batch_bytes: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1 << 32)]
    context_bytes: Context
    window_bytes: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1 << 24)]
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    warmup: Share = Training.warmup
    decay: Share = Training.decay
    weight_decay: Annotated[float, Field(ge=0, le=10)] = Training.weight_decay
    beta1: Beta = Training.beta1
    beta2: Beta = Training.beta2
    clip: Annotated[float, Field(gt=0, le=1e6)] = Training.clip


class SweepTables(StrictTable):
    """The whole file: every size of every arm at every rate, budget and seed, on its texts."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    compute_flops: Annotated[list[Budget], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1, default_factory=lambda: [0])]
    texts: Annotated[dict[Words, TextTable], Field(min_length=1)]
    arms: Annotated[list[ArmTable], Field(min_length=1)]
    training: ScheduleTable
