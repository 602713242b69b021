"""The file of a sweep: texts, arms and budgets, whose product are its runs."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from corpora.errors import InputError, did_you_mean
from corpora.toml_file import contradiction
from scaling.config.mixtures import MixtureTable, check_mixtures
from scaling.config.tables import (
    MOST_LAYERS,
    MOST_WIDTH,
    ContextValue,
    CountValue,
    FamilyTable,
    FlopsValue,
    LayersValue,
    OptimiserTable,
    PatchingKindValue,
    PlainText,
    RateValue,
    RunName,
    SeedValue,
    StrictTable,
    TextBytesValue,
    TextTable,
    ThresholdsValue,
    WidthValue,
    WindowValue,
    check_batch,
    check_block,
    check_local_sizes,
    check_patching,
    check_rate,
    check_thresholds,
    check_window,
)
from scaling.config.toml_file import read_toml_file
from tokenize_lab.tokenizer_spec import TokenizerSpec
from tokenize_lab.training.settings import ENGINES, TrainSettings

_LONGEST_FOLDER = 200  # bytes; file systems take 255
_MOST_RUNS = 20_000  # which are planned in a minute, in 640 MB
_RECIPE = re.compile(rf"({'|'.join(ENGINES)}):(\d{{1,20}})")


def recipe_of(spec: TokenizerSpec) -> TrainSettings | None:
    """Return how to train the tokenizer of a spec, written KIND:SIZE, as bpe:1024; None where the
    spec names one that is there.

    Raises:
        InputError: none has so few or so many ids.
    """
    recipe = _RECIPE.fullmatch(spec.whole)
    return TrainSettings(recipe[1], int(recipe[2])) if recipe else None


def _size(value: Any) -> Any:
    if not isinstance(value, list) or [type(number) for number in value] != [int, int]:
        raise contradiction(f"has {value!r}; a size is [layers, width], such as [2, 128]")
    layers, dim = value
    if not (1 <= layers <= MOST_LAYERS and 2 <= dim <= MOST_WIDTH) or dim % 2:
        what = f"layers are 1 to {MOST_LAYERS:,}, a width is even and 2 to {MOST_WIDTH:,}"
        raise contradiction(f"has [{layers}, {dim}]; {what}")
    return layers, dim


_Size = Annotated[tuple[int, int], BeforeValidator(_size)]


class ByteModelTable(StrictTable):
    """entropy_model = {...}: the byte model of entropy patches, trained once for each text."""

    layers: LayersValue = 1
    dim: WidthValue = 64
    train_bytes: TextBytesValue = 5e6


class ArmTable(FamilyTable):
    """[[arms]]: one family of models, its sizes and its compression rates.

    Attributes:
        sizes: layers and width of the global module, or of the subword model.
        patching, compression_rates, most_bytes: of a `blt`; no rates where patches are words.
        entropy_model: of the two entropy kinds: how to train it, or the folder of its run.
        thresholds: of the two entropy kinds: whether languages share one (`PatchingTable`).
        tokenizers: of a `subword` model: specs (`tokenize_lab.tokenizer_spec`), or KIND:SIZE to
            train one on the text, as bpe:1024.
        texts: names of [texts.NAME], or of [[mixtures]]; None for all mixtures, or all texts where
            there are no mixtures.
    """

    sizes: Annotated[list[_Size], Field(min_length=1)]
    patching: PatchingKindValue | None = None
    compression_rates: Annotated[list[RateValue], Field(min_length=1)] | None = None
    most_bytes: CountValue = 64
    entropy_model: ByteModelTable | PlainText | None = None
    thresholds: ThresholdsValue = "shared"
    tokenizers: Annotated[list[PlainText], Field(min_length=1)] | None = None
    texts: Annotated[list[PlainText], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.family == "subword":
            for key in ("patching", "compression_rates", "entropy_model"):
                if getattr(self, key) is not None:
                    what = 'belongs to family = "blt"; remove it, or change the family'
                    raise contradiction(what, key)
            if self.tokenizers is None:
                what = 'missing, and a subword model needs some, as ["bpe:1024"]'
                raise contradiction(what, "tokenizers")
        elif self.tokenizers is not None:
            what = 'belongs to family = "subword"; remove it, or change that'
            raise contradiction(what, "tokenizers")
        check_local_sizes(self.family, self.local_sizes)
        check_block(self.diffusion_block, self.family, None, "diffusion_block")
        for spec in self.tokenizers or ():
            try:
                recipe_of(TokenizerSpec.parse(spec))
            except InputError as error:
                # What is wrong with a recipe is said for a command's options.
                what = f"has {spec!r}; its size {str(error).partition(': ')[2]}"
                raise contradiction(what, "tokenizers") from error
        if self.family == "blt":
            if self.patching is None:
                raise contradiction("missing, and a blt needs it; add it", "patching")
            add = "{ layers = 1, dim = 64 } to train one on the text"
            rates, model = self.compression_rates, self.entropy_model
            check_patching(self.patching, rates, "compression_rates", model, add)
        check_thresholds(self.patching, self.thresholds)
        for key in ("sizes", "tokenizers", "texts", "compression_rates"):
            _refuse_twice(getattr(self, key) or (), key)
        return self


class ScheduleTable(OptimiserTable):
    """[training] of a sweep: what all runs share.

    Attributes:
        context_bytes, window_bytes: text the model, and its local modules, see at once.
        shared_trunk: whether runs that differ by their budget alone share their first steps: the
            largest budget trains, and each smaller one is a decay from a checkpoint of it. All then
            warm up over the steps of the smallest one.
        rate_factors: an axis: every cell is trained at each of these times its learning rate.
    """

    context_bytes: ContextValue
    window_bytes: WindowValue
    shared_trunk: bool = False
    rate_factors: Annotated[
        list[Annotated[float, Field(gt=0, le=1024)]],
        Field(min_length=1, default_factory=lambda: [1.0]),
    ]

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        check_batch(self.batch_bytes, self.context_bytes, "batch_bytes")
        return self


class SweepFile(StrictTable):
    """The whole file: every size of every arm at every rate, budget and seed, on its texts."""

    name: Annotated[RunName, Field(min_length=1)]
    compute_flops: Annotated[list[FlopsValue], Field(min_length=1)]
    seeds: Annotated[list[SeedValue], Field(min_length=1, default_factory=lambda: [0])]
    texts: Annotated[dict[PlainText, TextTable], Field(min_length=1)]
    mixtures: Annotated[list[MixtureTable], Field(default_factory=list)]
    arms: Annotated[list[ArmTable], Field(min_length=1)]
    training: ScheduleTable

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_twice(self.compute_flops, "compute_flops")
        _refuse_twice(self.seeds, "seeds")
        _refuse_twice(self.training.rate_factors, "training", "rate_factors")
        if any(arm.family == "blt" for arm in self.arms):  # others have no local modules
            window, context = self.training.window_bytes, self.training.context_bytes
            check_window(window, context, "training", "window_bytes")
        check_mixtures(self.mixtures, self.texts)
        self._check_runs()
        if any(mixture.designed for mixture in self.mixtures) and all(a.texts for a in self.arms):
            what = (
                "are read by no arm, for each names its texts; leave `texts` out of some [[arms]]"
            )
            raise contradiction(what, "mixtures")
        known = [*self.texts, *(mixture.name for mixture in self.mixtures if mixture.name)]
        for number, arm in enumerate(self.arms):
            for name in arm.texts or ():
                if name not in known:
                    near = did_you_mean(name, known) or f"; there is {', '.join(known)}"
                    what = f"names {name!r}, and there is no [texts.{name}]{near}"
                    raise contradiction(what, "arms", number, "texts")
            self._check_rates(number, arm)
        _refuse_equal_runs(self)
        return self

    def _check_runs(self) -> None:
        cells = sum(
            len(self.read_by(arm))
            * len(arm.sizes)
            * len(arm.tokenizers or arm.compression_rates or [None])
            for arm in self.arms
        )
        runs = cells * len(self.seeds) * len(self.compute_flops) * len(self.training.rate_factors)
        if runs > _MOST_RUNS:
            raise contradiction(
                f"makes {runs:,} runs, and a sweep has {_MOST_RUNS:,}; make several"
            )

    def _check_rates(self, number: int, arm: ArmTable) -> None:
        # A language spelt in more bytes is seen as far: its context is as many times as long.
        read = [self.texts[name] for name in arm.texts or self.texts if name in self.texts]
        inflate = min((text.inflate for text in read), default=1)
        context = self.training.context_bytes
        words = f"context_bytes = {context}"
        if inflate > 1:
            words = f"{words} times inflate = {inflate}"
        block = arm.diffusion_block
        check_block(block, arm.family, context, "arms", number, "diffusion_block")
        for rate in arm.compression_rates or ():
            place = ("arms", number, "compression_rates")
            check_rate(rate, context * inflate, words, arm.most_bytes, *place)

    def read_by(self, arm: ArmTable) -> list[str]:
        """Return what an arm is trained on: names of texts, and of mixtures that have one."""
        mixtures = [mixture.name for mixture in self.mixtures if mixture.name is not None]
        return arm.texts or mixtures or ([] if self.mixtures else list(self.texts))

    @property
    def folder_name(self) -> str:
        """The name as one of a folder, at most 200 bytes of it."""
        kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.name).strip(".")
        # File systems count bytes, and a letter may have four. Two sweeps that are one beyond these
        # are still told apart: a folder takes no other sweep than its own.
        return (kept or "sweep").encode()[:_LONGEST_FOLDER].decode(errors="ignore")

    def with_corpus(self, corpus: Sequence[str]) -> Self:
        """Return the file with another corpus for its text.

        Raises:
            InputError: there is more than one text.
        """
        if len(self.texts) != 1:
            raise InputError("`corpus` is for a sweep of one text; write the others' into the file")
        ((name, text),) = self.texts.items()
        other = text.model_copy(update={"corpus": tuple(corpus), "weights": None})
        return self.model_copy(update={"texts": {name: other}})

    def with_mixtures(self, designed: int, seed: int = 0) -> Self:
        """Return the file with so many mixtures of its texts, to be designed.

        Raises:
            InputError: it has mixtures of its own, or its texts cannot be mixed.
        """
        if self.mixtures:
            raise InputError("`mixtures`: the file has [[mixtures]] of its own; leave it out")
        mixtures = [MixtureTable(designed=designed, seed=seed)]
        try:
            check_mixtures(mixtures, self.texts)
        except PydanticCustomError as error:
            raise InputError(f"`mixtures`: {error.message()}") from error
        return self.model_copy(update={"mixtures": mixtures})


def read_sweep_file(path: str | Path) -> SweepFile:
    """Return what a sweep's file, or an example, asks for.

    Raises:
        InputError: see `read_toml_file`.
    """
    return read_toml_file(path, SweepFile)


def _refuse_twice(values: Sequence[Any], *place: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            shown = list(value) if isinstance(value, tuple) else value
            words = f"{shown:.15g}" if isinstance(shown, float) else repr(shown)
            raise contradiction(f"has {words} twice; ask for it once", *place)


def _refuse_equal_runs(file: SweepFile) -> None:
    """See that no two cells would be one run, as far as the file tells without its texts."""
    seen: dict[tuple[Any, ...], tuple[int, str]] = {}
    texts = list(file.texts.values())
    texts_of = {name: texts.index(text) for name, text in file.texts.items()}
    for number, arm in enumerate(file.arms):
        patches: tuple[Any, ...] = ()
        if arm.patching:
            patches = (arm.patching, arm.most_bytes, arm.entropy_model, arm.thresholds)
        shared = (arm.family, *arm.local_sizes.values(), arm.diffusion_block, *patches)
        rates: Sequence[Any] = arm.tokenizers or arm.compression_rates or [None]
        for name, size, rate in product(file.read_by(arm), arm.sizes, rates):
            text = texts_of.get(name, name)  # texts that say the same, whatever their names
            before, other = seen.setdefault((*shared, text, size, rate), (number, name))
            if before == number and other != name:
                what = f"says what [texts.{other}] says, and both are trained on; keep one of them"
                raise contradiction(what, "texts", name)
            if before != number:
                label = f"{arm.patching} {rate:g}" if isinstance(rate, float) else rate
                what = f"size {list(size)} of {label or arm.patching} on {name}"
                what = f"{what} is in [[arms]] number {before + 1} too; ask for it once"
                raise contradiction(what, "arms", number)
