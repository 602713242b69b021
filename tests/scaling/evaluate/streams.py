"""Streams of text made in memory."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.shards import Stream

CPU = torch.device("cpu")


def byte_stream(
    texts: Sequence[bytes],
    languages: Sequence[int] | None = None,
    starts: NDArray[np.bool_] | None = None,
) -> Stream:
    """Return documents as bytes."""
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return Stream(
        name="planted",
        units=np.frombuffer(b"".join(texts), np.uint8),
        documents=offsets,
        byte_documents=offsets,
        languages=np.array(languages or [0] * len(texts), np.uint16),
        starts=starts,
    )


def token_stream(
    documents: Sequence[Sequence[int]], lengths: NDArray[np.int32], prefix_bytes: int = 0
) -> Stream:
    """Return documents as tokens of the given raw lengths."""
    sizes = [int(lengths[list(ids)].sum()) - prefix_bytes for ids in documents]
    return Stream(
        name="planted",
        units=np.concatenate([np.array(ids, np.uint32) for ids in documents]),
        documents=np.concatenate([[0], np.cumsum([len(ids) for ids in documents])]).astype(
            np.int64
        ),
        byte_documents=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        languages=np.zeros(len(documents), np.uint16),
        bos=len(lengths),
        unit_bytes=lengths,
        prefix_bytes=prefix_bytes,
    )
