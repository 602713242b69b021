"""Weights in a folder that may be anyone's, compared with the specification beside them before room
is made for either: a few bytes can claim gigabytes.
"""

from pathlib import Path

from torch import Tensor

from corpora.errors import InputError
from scaling.model.weights import WEIGHTS, read_tensors
from scaling.record import RECORD, read_record
from scaling.spec import RunSpec

ENTROPY_KINDS = ("entropy", "entropy-monotonic")
_MOST = 1 << 24  # layers, widths, ids: beyond any model there is
_LEAST_RATE = 1 / 64  # bytes per token: no tokenizer has so many tokens a byte


def stored_weights(folder: Path, spec: RunSpec) -> dict[str, Tensor]:
    """Read the weights, and require enough of them before room is made for the model.

    Raises:
        InputError: there are none, or they are another model's.
    """
    path = folder / WEIGHTS
    if not path.exists() and not path.is_symlink():
        if (record := read_record(folder)) is not None and record.status == "finished":
            # `train` would print the record again, and train nothing.
            raise InputError(
                f"{folder}: no {WEIGHTS} in it, though the run has finished; restore it, or delete"
                f" {RECORD} there and train again"
            )
        raise InputError(f"{folder}: no {WEIGHTS} in it; the run has not finished: train it first")
    tensors, _ = read_tensors(path, spec.model.shape.total_params)
    held = sum(tensor.numel() for tensor in tensors.values())
    if spec.model.shape.total_params > 2 * held + 1:
        raise InputError(
            f"{path}: holds {held:,} numbers, too few for a model of"
            f" {spec.model.shape.total_params:,.0f} parameters; these are another model's weights"
        )
    return tensors


def check_sizes(spec: RunSpec, path: Path) -> None:
    """Require numbers that a model can be built from: the file may be anyone's.

    Raises:
        InputError: naming the first that no run has.
    """
    model, patching = spec.model, spec.patching
    sizes: dict[str, float | None] = {
        "layers": model.layers,
        "dim": model.dim,
        "vocabulary_size": model.vocabulary_size,
        "context_bytes": spec.context_bytes,
        "window_bytes": spec.window_bytes,
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
            raise InputError(f"{path}: {name} is {size!r}; no run has that, so train it again")
    if not _LEAST_RATE <= spec.compression_rate < _MOST:
        what = f"compression_rate is {spec.compression_rate!r}"
        raise InputError(f"{path}: {what}; no run has that, so train it again")
    if model.heads is not None and model.dim % (2 * model.heads):
        raise InputError(
            f"{path}: {model.heads} heads do not split {model.dim} channels evenly; train it again"
        )
    if (model.family == "blt") != (patching is not None):
        raise InputError(
            f"{path}: family {model.family!r} with{'' if patching else 'out'} patching is no model"
            " of ours; train it again"
        )
    if patching is None or patching.kind not in ENTROPY_KINDS:
        return
    if patching.threshold is None and not patching.thresholds:
        raise InputError(f"{path}: patching's threshold is missing; train it again")
