"""What a run writes down: values of each step for its metrics, and for its record what it read, and
what its held-out text came to, language by language.

Of text that is read as it lies, and is of one language, that is what the run read in all. Of
several languages the windows that were read are gone over again, without a model.
"""

import math
from typing import Any

from scaling.data.order import Windows, read_by_language
from scaling.data.shards import Shards
from scaling.evaluate.score import Scores, interval
from scaling.record import LanguageRecord
from scaling.spec import RunSpec
from scaling.train.checkpoint import RunProgress
from scaling.train.step import StepResult


def metrics_of(
    result: StepResult, progress: RunProgress, rate: float, fills_blocks: bool
) -> dict[str, Any]:
    """Return a line of the metrics.

    Args:
        result: of the step. progress: with it. rate: of learning.
        fills_blocks: whether the model does.
    """
    filled = {"block_nats_per_target": result.block_nats / result.targets}
    return {
        "step": progress.step,
        "train_bytes": progress.train_bytes,
        "nats_per_target": result.nats / result.targets,
        "bits_per_byte": result.nats / (math.log(2) * result.bytes),
        "learning_rate": rate,
        **(filled if fills_blocks else {}),
        "gradient_norm": result.gradient_norm,
        "seconds": round(progress.seconds, 3),
    }


def unique_bytes(spec: RunSpec, shards: Shards) -> int:
    """Return the bytes of the training text there is, of languages that are read."""
    shares, counts = spec.shares, shards.manifest.splits["train"]
    if not shares:
        return shards.train.byte_count
    return sum(counts.bytes_by_language[name] for name, share in shares.items() if share)


def languages_read(
    spec: RunSpec, shards: Shards, windows: Windows, progress: RunProgress, scores: Scores | None
) -> tuple[LanguageRecord, ...]:
    """Return what was read of each language, and what its held-out text came to.

    Args:
        windows: of the training text. scores: of the held-out text; None where it was not scored.
    """
    names = shards.manifest.languages
    unique = shards.manifest.splits["train"].bytes_by_language
    read = [(progress.train_bytes, progress.train_tokens)]
    if len(names) > 1:
        counts = read_by_language(windows, progress.step, spec.rows, len(names))
        read = [(size, tokens) for size, tokens in counts.tolist()]
    scored = {} if scores is None else scores.by_language(names)
    found = []
    for name, (train_bytes, train_tokens) in zip(names, read, strict=True):
        part = scored.get(name)
        found.append(
            LanguageRecord(
                language=name,
                train_bytes=train_bytes,
                train_tokens=train_tokens,
                validation_nats=None if part is None else part.nats,
                validation_bytes=0 if part is None else part.bytes,
                validation_tokens=0 if part is None else part.patches or part.units,
                validation_interval=None if part is None else interval(part),
                unique_bytes=unique[name],
            )
        )
    return tuple(found)
