"""The byte model that cuts entropy patches, as a run like any other: a subword model of bytes."""

from collections.abc import Sequence
from pathlib import Path

from corpora.errors import InputError
from scaling.spec import Model, Training, default_learning_rate
from scaling.spec_contradictions import batch_refused
from scaling.spec_file import DataRequest, TrainFile


def entropy_model_request(
    corpus: Sequence[str],
    *,
    layers: int,
    dim: int,
    train_bytes: float,
    context_bytes: int,
    batch_bytes: int,
    held_out_bytes: int,
    text_field: str,
    seed: int,
) -> TrainFile:
    """Return what a specification file would ask for.

    Raises:
        InputError: the batch is no multiple of the context, or a width is odd.
    """
    if uneven := batch_refused(batch_bytes, context_bytes, f"--context-bytes {context_bytes}"):
        raise InputError(f"--batch-bytes: {uneven}")
    if dim % 2:
        raise InputError(f"--dim {dim}: rotary positions need an even width; try {dim + 1}")
    if not 0 < train_bytes < float("inf"):
        raise InputError(f"--train-bytes {train_bytes:g}: text to train on is a positive number")
    return TrainFile(
        path=Path("train-entropy-model"),
        name="entropy model",
        model=Model(family="subword", layers=layers, dim=dim),
        patching=None,
        entropy_model=None,
        data=DataRequest(
            corpus=tuple(corpus),
            text_field=text_field,
            unit="line",
            language=None,
            tokenizer="byte",
            held_out_bytes=held_out_bytes,
            context_bytes=context_bytes,
            window_bytes=context_bytes,
            inflate=1,
        ),
        compute_flops=None,
        train_bytes=train_bytes,
        steps=None,
        seed=seed,
        optimiser=Training(
            steps=0, batch_bytes=batch_bytes, learning_rate=default_learning_rate(dim)
        ),
    )
