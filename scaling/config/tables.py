"""The tables that train files and sweep files are made of: their keys, defaults and bounds.

A table checks what shows in it alone; `scaling.config.train_file` and `sweep_file` check what only
shows in several. Tables build the parts of a `scaling.spec.RunSpec`. The upper bounds are far
beyond use; they catch slips of the keyboard before memory runs out.

What a file may not say all at once, each with the way out of it.

The validators of the tables call these; what is wrong is raised as a `contradiction`, and
`corpora.toml_file` says it with the file's name and line.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from corpora.readers.settings import LEAST_DOCUMENT_BYTES, MAX_DOCUMENT_BYTES, Unit
from corpora.toml_file import contradiction
from scaling.flops import BYTE_VOCABULARY
from scaling.spec import (
    Family,
    Model,
    Optimiser,
    Patching,
    PatchingKind,
    Training,
    default_learning_rate,
)

ENTROPY_KINDS = ("entropy", "entropy-monotonic")


def check_local_sizes(family: str, sizes: Mapping[str, object]) -> None:
    """See that a `blt` says how large its local modules are, and a `subword` model does not."""
    for key, size in sizes.items():
        if family == "blt" and size is None:
            raise contradiction("missing, and a blt needs it; add it", key)
        if family != "blt" and size is not None:
            raise contradiction(
                'a subword model has no local modules; remove it, or ask for family = "blt"', key
            )


def check_block(block: int | None, family: str, context: int | None, *place: str | int) -> None:
    """See that only a `blt` fills blocks, and that one lies within its context.

    Args:
        block: None where none is asked for. context: bytes of one; None where it is not known here.
    """
    if block is None:
        return
    if family != "blt":
        what = 'a subword model fills no blocks; remove it, or ask for family = "blt"'
        raise contradiction(what, *place)
    if context is not None and block >= context:
        what = f"is {block}; a block lies within context_bytes = {context}, so lower it"
        raise contradiction(what, *place)


def check_patching(kind: str, rates: object, rates_key: str, byte_model: object, add: str) -> None:
    """See that patches have the rates and the byte model that their kind needs, and no other.

    Args:
        rates: None where none are asked for. rates_key: the file's word for them.
        byte_model: None where none is named. add: how to name one.
    """
    if kind == "space" and rates is not None:
        what = "space patches have a rate of their own; remove it, or ask for another kind"
        raise contradiction(what, rates_key)
    if kind != "space" and rates is None:
        what = f"missing, and {kind} patches need it; add it, such as 4.0"
        raise contradiction(what, rates_key)
    if kind in ENTROPY_KINDS and byte_model is None:
        what = f"missing, and {kind} patches need it; add {add}, or ask for static patches"
        raise contradiction(what, "entropy_model")
    if kind not in ENTROPY_KINDS and byte_model is not None:
        what = f"{kind} patches need none; remove it, or ask for entropy patches"
        raise contradiction(what, "entropy_model")


def check_thresholds(kind: str | None, thresholds: str) -> None:
    """See that only patches that have a threshold have one for each language."""
    if thresholds == "language" and kind not in ENTROPY_KINDS:
        what = "are of entropy patches; remove it, or ask for patches of that kind"
        raise contradiction(what, "thresholds")


def check_rate(rate: float, context: int, words: str, most_bytes: int, *place: str | int) -> None:
    """See that patches can hold `rate` bytes in the mean.

    Args:
        context: bytes of one. words: how the file says that. most_bytes: of the longest patch.
    """
    if rate > context:
        what = f"{rate:g} is above {words}; a patch lies within its context, so lower it"
        raise contradiction(what, *place)
    if rate > most_bytes:
        what = f"{rate:g} is above most_bytes = {most_bytes}, the longest patch"
        raise contradiction(f"{what}; lower it, or raise most_bytes", *place)


def check_batch(batch: int, context: int, *place: str | int) -> None:
    """See that a batch is a whole number of windows of context."""
    if batch % context:
        near = max(1, round(batch / context)) * context
        what = f"{batch} is no multiple of context_bytes = {context}; {near} is"
        raise contradiction(what, *place)


def check_window(window: int, context: int, *place: str | int) -> None:
    """See that a context is a whole number of local windows."""
    if context % window:
        near = next(n for n in range(min(window, context), 0, -1) if context % n == 0)
        what = f"{window} does not divide context_bytes = {context}; {near} would"
        raise contradiction(what, *place)


MOST_LAYERS = 1000
MOST_WIDTH = 1 << 16
_MOST_CONTEXT = 1 << 24  # bytes
_MOST_TEXT = 1 << 50  # bytes, a petabyte
_BUDGETS = ("compute_flops", "train_bytes", "steps")


def _whole(value: Any) -> Any:
    # 2e6 is a float to TOML, and the plainest way to write two million.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _several(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _even(value: int) -> int:
    if value % 2:
        raise contradiction(f"is {value}; it must be even, for heads are of even width")
    return value


def _block(value: int) -> int:
    if value < 2:
        what = "a block of fewer than two bytes is no block; leave it out, or ask for 8"
        raise contradiction(f"is {value}; {what}")
    return value


def _plain(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise contradiction(f"is {value!r}; it must be text without control characters")
    return value


def _no_bpe_boundaries(value: Any) -> Any:
    if value in ("bpe", "bpe-boundaries"):
        raise contradiction(
            f"is {value!r}; patches at BPE token boundaries are refused for language modelling:"
            " where a token ends depends on the bytes after it, so a boundary would tell the model"
            " what it is to predict; use static, entropy, entropy-monotonic or space"
        )
    return value


_Whole = BeforeValidator(_whole)
LayersValue = Annotated[int, _Whole, Field(ge=1, le=MOST_LAYERS)]
WidthValue = Annotated[int, _Whole, Field(ge=2, le=MOST_WIDTH), AfterValidator(_even)]
CountValue = Annotated[int, _Whole, Field(ge=1, le=MOST_WIDTH)]
ContextValue = Annotated[int, _Whole, Field(ge=2, le=_MOST_CONTEXT)]
WindowValue = Annotated[int, _Whole, Field(ge=1, le=_MOST_CONTEXT)]
BlockValue = Annotated[int, _Whole, Field(le=MOST_WIDTH), AfterValidator(_block)]
SeedValue = Annotated[int, _Whole, Field(ge=0, le=(1 << 63) - 1)]
FlopsValue = Annotated[float, Field(gt=0, le=1e30)]
RateValue = Annotated[float, Field(ge=1)]
TextBytesValue = Annotated[float, Field(gt=0, le=_MOST_TEXT)]
PlainText = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
RunName = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
ThresholdsValue = Literal["shared", "language"]
PatchingKindValue = Annotated[PatchingKind, BeforeValidator(_no_bpe_boundaries)]
# One or several, written as a list or, where it is one, alone.
WeightsValue = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_several)]
SpecsValue = Annotated[tuple[PlainText, ...], BeforeValidator(_several), Field(min_length=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Beta = Annotated[float, Field(ge=0, lt=1)]


class StrictTable(BaseModel):
    """What every table is."""

    # strict: "2" is no number, true is not 1.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FamilyTable(StrictTable):
    """Which models, and how large the local modules of a `blt` are.

    Attributes:
        diffusion_block: B, of a `blt` that also learns to fill blocks of B masked bytes.
    """

    family: Family
    local_layers: LayersValue | None = None
    local_dim: WidthValue | None = None
    cross_factor: Annotated[int, _Whole, Field(ge=1, le=64)] | None = None
    diffusion_block: BlockValue | None = None

    @property
    def local_sizes(self) -> dict[str, int | None]:
        """The keys of a `blt` alone."""
        return self.model_dump(include={"local_layers", "local_dim", "cross_factor"})


class ModelTable(FamilyTable):
    """[model]: the network, as `scaling.spec.Model`."""

    layers: LayersValue
    dim: WidthValue
    heads: CountValue | None = None
    tied_head: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_local_sizes(self.family, self.local_sizes)
        check_block(self.diffusion_block, self.family, None, "diffusion_block")
        if self.family == "blt" and self.tied_head is not None:
            what = 'a blt has no head to tie; remove it, or ask for family = "subword"'
            raise contradiction(what, "tied_head")
        if self.heads is not None and (self.dim % self.heads or self.dim // self.heads % 2):
            fitting = [heads for heads in range(1, self.dim + 1) if self.dim % (2 * heads) == 0]
            near = min(fitting, key=lambda heads: (abs(heads - (self.heads or 1)), heads))
            what = f"{self.heads} heads do not cut dim = {self.dim} into heads of one even width"
            raise contradiction(f"{what}; {near} would, or leave it out", "heads")
        return self

    def build(self, vocabulary_size: int = BYTE_VOCABULARY) -> Model:
        """Return the network, with the vocabulary of its tokenizer."""
        return Model(**self.model_dump(exclude_none=True), vocabulary_size=vocabulary_size)


class PatchingTable(StrictTable):
    """[patching]: how a `blt` groups bytes, as `scaling.spec.Patching`.

    Attributes:
        entropy_model: the folder of the run that trained the byte model.
        thresholds: whether all languages share an entropy threshold, or each has its own, at which
            it has that rate by itself.
    """

    kind: PatchingKindValue
    compression_rate: RateValue | None = None
    most_bytes: CountValue = 64
    entropy_model: PlainText | None = None
    thresholds: ThresholdsValue = "shared"

    @model_validator(mode="after")
    def _check(self) -> Self:
        add = "the folder of the run that trained the byte model"
        rate, model = self.compression_rate, self.entropy_model
        check_patching(self.kind, rate, "compression_rate", model, add)
        check_thresholds(self.kind, self.thresholds)
        return self

    def build(self) -> Patching:
        """Return how bytes are grouped; the two entropy kinds lack threshold and hash."""
        return Patching(**self.model_dump(exclude={"entropy_model", "thresholds"}))


class TextTable(StrictTable):
    """[texts.NAME] of a sweep: a language, or a mixture of several.

    Attributes:
        corpus: specs of `corpora.open`; text_field, unit, language and max_document_bytes as there.
        weights: shares of the bytes, one for each corpus; None to read them one after another.
        held_out_bytes: text at the end that is not trained on.
        inflate: bytes that a byte of the text becomes; 2 makes "English x2". A sweep's context,
            window and batch grow with it.
    """

    corpus: SpecsValue
    weights: WeightsValue | None = None
    text_field: PlainText = "text"
    unit: Unit = "line"
    language: PlainText | None = None
    max_document_bytes: Annotated[int, _Whole, Field(ge=LEAST_DOCUMENT_BYTES)] = MAX_DOCUMENT_BYTES
    held_out_bytes: Annotated[int, _Whole, Field(ge=1, le=_MOST_TEXT)]
    inflate: Annotated[int, _Whole, Field(ge=1, le=16)] = 1

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.corpus):
            what = f"{len(self.weights)} weights for {len(self.corpus)} corpora; give one for each"
            raise contradiction(what, "weights")
        return self


class DataTable(TextTable):
    """[data]: the text of a run, and how much of it is seen at once.

    Attributes:
        tokenizer: spec of `tokenize_lab.tokenizer_spec`, of a `subword` model.
        context_bytes: text the model sees at once. window_bytes: that of the local modules.
    """

    tokenizer: PlainText | None = None
    context_bytes: ContextValue
    window_bytes: WindowValue | None = None

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window_bytes is not None:
            check_window(self.window_bytes, self.context_bytes, "window_bytes")
        return self


class OptimiserTable(StrictTable):
    """How to train, as `scaling.spec.Training`; of runs and of sweeps.

    Attributes:
        batch_bytes: text per step, a multiple of the context.
        optimiser: `muon` for matrices and AdamW for the rest, or `adamw` for all.
        learning_rate: None for the rule, `scaling.spec.default_learning_rate`.
    """

    batch_bytes: Annotated[int, _Whole, Field(ge=1, le=1 << 32)]
    optimiser: Optimiser = "muon"
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    warmup: _Share = Training.warmup
    decay: _Share = Training.decay
    weight_decay: Annotated[float, Field(ge=0, le=10)] = Training.weight_decay
    beta1: _Beta = Training.beta1
    beta2: _Beta = Training.beta2
    clip: Annotated[float, Field(gt=0, le=1e6)] = Training.clip

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.warmup + self.decay > 1:
            what = f"{self.decay:g} and warmup = {self.warmup:g} are shares of the steps"
            raise contradiction(f"{what} and together more than all of them; lower one", "decay")
        return self

    def build(self, steps: int, dim: int) -> Training:
        """Return the optimisation of so many steps of a model so wide."""
        settings = self.model_dump(include=set(OptimiserTable.model_fields), exclude_none=True)
        rate = default_learning_rate(dim, self.optimiser)
        return Training(**{"learning_rate": rate, **settings}, steps=steps)


class TrainingTable(OptimiserTable):
    """[training] of a run: how, and how long; one of three says how long."""

    compute_flops: FlopsValue | None = None
    train_bytes: TextBytesValue | None = None
    steps: Annotated[int, _Whole, Field(ge=1, le=1_000_000_000)] | None = None
    seed: SeedValue = 0

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        given = [key for key in _BUDGETS if getattr(self, key) is not None]
        if not given:
            raise contradiction(f"says not how long to train; add one of {', '.join(_BUDGETS)}")
        if len(given) > 1:
            what = f"given beside {given[0]}, which says how long to train too; keep one of them"
            raise contradiction(what, given[1])
        return self
