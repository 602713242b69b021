"""Where counts came from: enough to make them again, and to see that they are the same."""

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from corpora.corpus import Corpus
from tokenize_lab.cache import COUNTING_VERSION
from tokenize_lab.measure import Measurement
from tokenize_lab.tokenizer import Tokenizer

_LIBRARIES = (
    "tokenizers",
    "sentencepiece",
    "tiktoken",
    "mistral-common",
    "numpy",
    "polars",
    "regex",
)


def provenance(
    corpora: Sequence[Corpus],
    tokenizers: Sequence[Tokenizer],
    settings: dict[str, Any],
    measurement: Measurement,
    command: Sequence[str],
) -> dict[str, Any]:
    """Return the record of a measurement; everything that changes from run to run is in `run`."""
    speed = measurement.throughput
    encoders = {t.name: speed.encoder_mb_per_second(t.name) for t in tokenizers}
    return {
        "command": list(command),
        "settings": settings,
        "corpora": [
            {
                "name": corpus.name,
                "parallel": corpus.parallel,
                "sha256": measurement.corpora_sha256[corpus.name],
            }
            for corpus in corpora
        ],
        "tokenizers": [
            {
                "name": t.name,
                "spec": t.spec,
                "sha256": t.sha256,
                "vocabulary_size": t.vocabulary_size,
                "engine": t.engine,
                "lossless": t.lossless,
                "lossy_reason": t.lossy_reason,
            }
            for t in tokenizers
        ],
        "counting_version": COUNTING_VERSION,
        "versions": {
            "tokenize-lab": importlib.metadata.version("tokenize-lab"),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
        "run": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "platform": f"{sys.platform} {platform.machine()}",
            "seconds": round(speed.seconds, 3),
            "text_bytes": speed.bytes,
            "mb_per_second": speed.bytes / speed.seconds / 1e6 if speed.seconds else None,
            "encoder_mb_per_second": encoders,
            "batches_encoded": measurement.encoded,
            "batches_from_cache": measurement.from_cache,
            "notices": measurement.notices,
        },
    }
