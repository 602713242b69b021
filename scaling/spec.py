"""What one training run is, wholly: two equal specifications train equal models.

A specification names its data by content (the key of its shards), not by path, so that it can
travel to another machine, and its own hash can name the run. What only changes how fast a run
goes (device, micro-batch, checkpoint interval) is not part of it; see `scaling.train.machine`.
This module needs the standard library alone: a bare training machine can read it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corpora.json_file import from_fields, take_version
from scaling.flops import BYTE_VOCABULARY, BltShape, CostContext, Shape, SubwordShape, train_bytes

SPEC_VERSION = 1
Family = Literal["blt", "subword"]
PatchingKind = Literal["static", "entropy", "entropy-monotonic", "space"]
Optimiser = Literal["adamw", "muon"]
_MOST_VOCABULARY = 0.99  # of the parameters
_MOST = 1 << 24  # layers, widths, ids, bytes of context: beyond any model there is
_LEAST_RATE = 1 / 64  # bytes per token: no tokenizer has so many tokens a byte
_MOST_LEARNING_RATE = 1e30  # that float32 holds; what is too high diverges, which is a result


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network.

    Attributes:
        family: `blt`, a byte latent transformer, or `subword`, a transformer over tokens.
        layers: L, global layers. dim: d, their width.
        local_layers: l. local_dim: h. cross_factor: k. Of a `blt`; 0 of a `subword`.
        vocabulary_size: V of a `subword`; 256 of a `blt`.
        heads: attention heads of the global module; None for one per 64 channels or so.
        tied_head: whether a `subword` model's head is its embedding.
        diffusion_block: B, of a `blt` whose decoder also learns to fill blocks of B masked bytes
            (BLT-D, arXiv 2605.08044); None of one that does not.
    """

    family: Family
    layers: int
    dim: int
    local_layers: int = 0
    local_dim: int = 0
    cross_factor: int = 0
    vocabulary_size: int = BYTE_VOCABULARY
    heads: int | None = None
    tied_head: bool = False
    diffusion_block: int | None = None

    @property
    def shape(self) -> Shape:
        """What the counting formulas of `scaling.flops` take."""
        if self.family == "subword":
            return SubwordShape(self.layers, self.dim, self.vocabulary_size)
        return BltShape(self.layers, self.dim, self.local_layers, self.local_dim, self.cross_factor)

    @property
    def vocabulary_warning(self) -> str:
        """What is to be said of a model that is little but its vocabulary; empty of others."""
        ids, rows = self.vocabulary_size, 1 if self.tied_head else 2
        numbers = rows * ids * self.dim
        share = numbers / (numbers + 12 * self.layers * self.dim**2)
        if self.family == "blt" or share < _MOST_VOCABULARY:
            return ""
        return f"little but vocabulary: {ids:,} ids take {100 * share:.2f} % of the parameters"


@dataclass(frozen=True, kw_only=True)
class Patching:
    """How a `blt` groups bytes into patches.

    Attributes:
        kind: `static`, every T bytes; `entropy`, where the next byte is hard to guess;
            `entropy-monotonic`, where it became harder to guess; `space`, after white space.
        compression_rate: T, the bytes per patch asked for; None for `space`, which has its own.
        most_bytes: no patch is longer.
        threshold: bits, of the two entropy kinds; found by the search for T.
        thresholds: the same for each language by itself, which then has the T asked for; empty
            where all share one.
        entropy_model: SHA-256 of the byte model's weights, of the two entropy kinds.
    """

    kind: PatchingKind
    compression_rate: float | None = None
    most_bytes: int = 64
    threshold: float | None = None
    entropy_model: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _as_float(self, "compression_rate", "threshold")

    @property
    def threshold_rule(self) -> dict[str, Any]:
        """What entropies are compared with, as plain JSON values."""
        if self.thresholds:
            return {"thresholds": dict(self.thresholds)}
        return {"threshold": self.threshold}


@dataclass(frozen=True, kw_only=True)
class Training:
    """The optimisation, under a warmup-stable-decay schedule.

    Attributes:
        steps: optimiser steps. batch_bytes: text per step, a multiple of the context.
        learning_rate: of the stable stretch.
        warmup, decay: shares of the steps, at either end.
        warmup_steps: in place of `warmup`, of runs that share their first steps; None elsewhere.
        weight_decay, beta1, beta2, clip: AdamW's, and the largest gradient norm.
        optimiser: `adamw`, or `muon` for matrices and AdamW for the rest.
    """

    steps: int
    batch_bytes: int
    learning_rate: float
    warmup: float = 0.05
    decay: float = 0.2
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    optimiser: Optimiser = "adamw"
    warmup_steps: int | None = None

    @property
    def rising_steps(self) -> int:
        """Steps over which the rate rises; at least one where it does at all."""
        return (
            math.ceil(self.warmup * self.steps) if self.warmup_steps is None else self.warmup_steps
        )

    @property
    def falling_steps(self) -> int:
        """Steps over which it falls."""
        return math.floor(self.decay * self.steps)

    @property
    def branch_step(self) -> int:
        """Steps before it falls: longer runs, but for that the same, begin with them, too."""
        return self.steps - self.falling_steps


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run: a model, its text, and how it is trained.

    Attributes:
        shards: key of the folder of training and held-out text (`scaling.data`).
        tokenizer: SHA-256 of a `subword` model's tokenizer, or empty.
        compression_rate: T realised on the training text, bytes per token or patch.
        context_bytes: text the model sees at once. window_bytes: that of the local modules.
        seed: of initial weights and of the order of the text.
        compute_flops: the budget that the steps were computed from, if they were.
        shares: of the bytes read, by the text's name in the shards, with a sum of 1; empty to read
            the text as it lies.
        name: what tables call the run; not part of its identity.
    """

    model: Model
    patching: Patching | None
    training: Training
    shards: str
    compression_rate: float
    context_bytes: int
    window_bytes: int
    tokenizer: str = ""
    seed: int = 0
    compute_flops: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict, hash=False)
    name: str = ""

    def __post_init__(self) -> None:
        _as_float(self, "compression_rate", "compute_flops")
        if self.shares and not (
            min(self.shares.values()) >= 0 and math.isclose(sum(self.shares.values()), 1)
        ):
            raise ValueError(f"'shares' are {dict(self.shares)}, not from 0 and with a sum of 1")

    @property
    def run_id(self) -> str:
        """Sixteen hexadecimal digits of the specification's SHA-256, its name left out."""
        content = {**_content(self), "name": "", "version": SPEC_VERSION}
        canonical = json.dumps(
            content, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_content
        )
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def cost_context(self) -> CostContext:
        """What the run's cost depends on besides its shape."""
        rate, block = self.compression_rate, self.model.diffusion_block or 0
        return CostContext(rate, self.context_bytes, self.window_bytes, block)

    @property
    def rows(self) -> int:
        """Windows of context per step."""
        return self.training.batch_bytes // self.context_bytes

    @property
    def train_bytes(self) -> int:
        """Text that the run reads in all."""
        return self.training.steps * self.training.batch_bytes

    @property
    def bytes_per_param(self) -> float:
        """Training bytes over parameters of the global module."""
        return self.train_bytes / self.model.shape.global_params

    @property
    def window_units(self) -> int:
        """Units a window holds: bytes of a `blt`, tokens of a `subword` model."""
        if self.model.family == "blt":
            return self.context_bytes
        return max(1, round(self.context_bytes / self.compression_rate))

    def to_json(self) -> dict[str, Any]:
        """Return the specification as plain JSON values."""
        value = {"version": SPEC_VERSION, "run_id": self.run_id, **_content(self)}
        parts = {"model": _content(self.model), "training": _content(self.training)}
        if self.patching is not None:
            parts["patching"] = _content(self.patching)
        return {**value, **parts}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RunSpec":
        """Return what `to_json` gave.

        Raises:
            ValueError: another version, missing or unknown keys, or an altered content.
        """
        content = dict(value)
        run_id = content.pop("run_id", None)
        take_version(content, SPEC_VERSION)
        spec = from_fields(cls, content)
        if spec.run_id != run_id:
            raise ValueError(f"its content is that of run {spec.run_id}, its run_id says {run_id}")
        spec._check_sizes()
        return spec

    def _check_sizes(self) -> None:
        """Require numbers that a model can be built from and trained by: the file may be anyone's.

        Raises:
            ValueError: naming the first that no run has.
        """
        model, patching, training = self.model, self.patching, self.training
        sizes: dict[str, float | None] = {
            "layers": model.layers,
            "dim": model.dim,
            "vocabulary_size": model.vocabulary_size,
            "context_bytes": self.context_bytes,
            "window_bytes": self.window_bytes,
            # There can be more of these two than of anything else; of them only the least is known.
            "steps": min(training.steps, 1),
            "rows": min(self.rows, 1) if self.context_bytes else 0,
        }
        if model.family == "blt":
            sizes |= {name: getattr(model, name) for name in ("local_layers", "local_dim")}
            sizes["cross_factor"] = model.cross_factor
        if model.diffusion_block is not None:
            sizes["diffusion_block"] = model.diffusion_block
        if model.heads is not None:
            sizes["heads"] = model.heads
        if patching is not None:
            sizes["most_bytes"] = patching.most_bytes
            if patching.kind == "static" or patching.compression_rate is not None:
                sizes["patching's compression_rate"] = patching.compression_rate
        for name, size in sizes.items():
            if size is None or not 1 <= size <= _MOST:
                raise ValueError(f"{name} is {size!r}, and no run has that")
        if not _LEAST_RATE <= self.compression_rate < _MOST:
            raise ValueError(f"compression_rate is {self.compression_rate!r}, and no run has that")
        if not 0 <= training.learning_rate <= _MOST_LEARNING_RATE:
            raise ValueError(f"learning_rate is {training.learning_rate!r}, and no run has that")
        if model.heads is not None and model.dim % (2 * model.heads):
            raise ValueError(f"{model.heads} heads do not split {model.dim} channels evenly")
        if (model.family == "blt") != (patching is not None):
            out = "" if patching else "out"
            raise ValueError(f"family {model.family!r} with{out} patching is no model of ours")


_LATER = ("diffusion_block", "shares", "thresholds", "warmup_steps")  # fields
_FIRST = ("optimiser", "adamw")  # what a later field says of what was so before


def _content(value: object) -> dict[str, Any]:
    """Return the fields of a part, less those that came later where they say nothing:
    specifications from before have the same content, and the same hash."""
    content = {name: part for name, part in vars(value).items() if (name, part) != _FIRST}
    return {name: part for name, part in content.items() if name not in _LATER or part}


def _as_float(value: object, *names: str) -> None:
    """Make whole numbers floats where floats are meant: 4 and 4.0 are one run, with one hash."""
    for name in names:
        number = getattr(value, name)
        if number is not None:
            object.__setattr__(value, name, float(number))


def default_learning_rate(dim: int, optimiser: Optimiser) -> float:
    """Return the rate of a width's models: of `adamw` 3e-3 (128 / d) ** .5, the micro grid's rule;
    of `muon` .02 whatever the width, for a thousand steps and more: at two widths of each family
    runs of a few hundred did best at twice that (LOG.md)."""
    return 0.02 if optimiser == "muon" else 3e-3 * math.sqrt(128 / dim)


def steps_for_budget(
    compute_flops: float, model: Model, context: CostContext, batch_bytes: int
) -> int:
    """Return the whole number of steps nearest to what a training budget pays for, at least 1."""
    return max(1, round(train_bytes(compute_flops, model.shape, context) / batch_bytes))
