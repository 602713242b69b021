"""A vocabulary that reaches a given compression: one training, cut where the text says.

Merges are learned in order, so one large training holds every smaller one, and one pass over the
text gives its tokens at every size (`tokenize_lab.vocab_curve`).
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.merges.truncate import truncated
from tokenize_lab.tokenizers.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.train.byte_level import train_bpe, written
from tokenize_lab.train.settings import BYTES, TrainSettings
from tokenize_lab.train.superbpe import with_superwords
from tokenize_lab.train.text import TrainingText
from tokenize_lab.vocab_curve.curve import token_curve

TOLERANCE = 0.01
# Of a target, what SuperBPE's first stage is to reach alone: about what half of the ids do, the
# default split, on English at 8,192.
FIRST_STAGE = 0.75
Train = Callable[[TrainingText, TrainSettings], bytes]


class Found(NamedTuple):
    """A tokenizer that reaches the target.

    Attributes:
        content: its tokenizer.json.
        settings: the recipe with the vocabulary's size, and the stage split, that were found.
    """

    content: bytes
    settings: TrainSettings


class _Rates(NamedTuple):
    """Bytes per token by vocabulary size.

    Attributes:
        tokenizer: the whole.
        sizes: [N] int64.
        rates: [N] float64, ascending.
    """

    tokenizer: HuggingFaceTokenizer
    sizes: NDArray[np.int64]
    rates: NDArray[np.float64]


def train_to_target(text: TrainingText, settings: TrainSettings, train: Train, out: Path) -> Found:
    """Train once, at `settings.vocab_size`, and cut to the size nearest the target on this text.

    SuperBPE's stage split, where none is given, is the size at which plain BPE, trained once for
    it, reaches `FIRST_STAGE` of the target.

    Args:
        settings: with a target, and the largest size to be tried.
        train: the kind's trainer.
        out: where it will lie, for errors.

    Raises:
        InputError: no size reaches the target within `TOLERANCE`.
    """
    target = settings.target_compression
    if settings.kind == "superbpe" and not settings.stage_split:
        # Half of the ids at most, so that as many are left for superwords.
        plain = TrainSettings("bpe", settings.vocab_size // 2, pattern=settings.pattern)
        first = _rates(text, train_bpe(text, plain), out)
        enough = np.flatnonzero(first.rates >= FIRST_STAGE * target)
        split = int(first.sizes[enough[0]] if len(enough) else first.sizes[-1])
        settings = replace(settings, stage_split=max(split, BYTES + 1))
        stage1 = _cut(first.tokenizer, int(settings.stage_split))
        content = written(with_superwords(text, stage1, settings))
    else:
        content = train(text, settings)
    found = _rates(text, content, out)
    usable = found.sizes > max(BYTES, int(settings.stage_split))
    sizes, rates = found.sizes[usable], found.rates[usable]
    best = int(np.abs(rates - target).argmin())
    if abs(rates[best] / target - 1) > TOLERANCE:
        raise InputError(_missed(text.corpus.name, target, sizes, rates))
    size = int(sizes[best])
    return Found(written(_cut(found.tokenizer, size)), replace(settings, vocab_size=size))


def _rates(text: TrainingText, content: bytes, out: Path) -> _Rates:
    tokenizer = huggingface_from_text(content.decode("utf-8"), str(out), out.name, str(out))
    curve = token_curve(tokenizer, text.texts("counting tokens at every size"))
    sizes = curve.first_size + np.arange(len(curve.tokens))
    return _Rates(tokenizer, sizes, curve.bytes_per_token)


def _cut(tokenizer: HuggingFaceTokenizer, size: int) -> dict[str, Any]:
    cut = truncated(tokenizer, size)
    assert isinstance(cut, HuggingFaceTokenizer)
    content: dict[str, Any] = json.loads(cut.serialized)
    return content


def _missed(name: str, target: float, sizes: NDArray[np.int64], rates: NDArray[np.float64]) -> str:
    asked = f"--target-compression {target:g}"
    if rates[0] <= target <= rates[-1]:
        after = int(np.searchsorted(rates, target))
        return (
            f"{asked}: {sizes[after - 1]} ids give {rates[after - 1]:.3f} bytes per token on "
            f"{name} and {sizes[after]} give {rates[after]:.3f}; ask for one of these"
        )
    return (
        f"{asked}: out of reach on {name}; from {rates[0]:.3f} bytes per token ({sizes[0]} ids) to "
        f"{rates[-1]:.3f} ({sizes[-1]} ids) can be had"
    )
