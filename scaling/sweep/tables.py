"""The tables of a sweep's file, one class each: their keys, defaults and bounds."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from corpora.readers.settings import Unit
from scaling.spec import Family, PatchingKind
from scaling.spec_tables import (
    MOST_TEXT,
    Budget,
    Bytes,
    Context,
    Count,
    Factor,
    Layers,
    OptimiserTable,
    Rate,
    Seed,
    Slots,
    StrictTable,
    Width,
    Window,
    Words,
    listed,
)

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
