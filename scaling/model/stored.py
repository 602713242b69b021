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


def stored_weights(folder: Path, spec: RunSpec) -> dict[str, Tensor]:
    """Read the weights, and require enough of them before room is made for the model.

    Raises:
        InputError: there are none, or they are another model's.
    """
    path = folder / WEIGHTS
    if not path.exists() and not path.is_symlink():
        raise _missing(folder)
    tensors, _ = read_tensors(path, spec.model.shape.total_params)
    held = sum(tensor.numel() for tensor in tensors.values())
    if spec.model.shape.total_params > 2 * held + 1:
        raise InputError(
            f"{path}: holds {held:,} numbers, too few for a model of"
            f" {spec.model.shape.total_params:,.0f} parameters; these are another model's weights"
        )
    return tensors


def _missing(folder: Path) -> InputError:
    """Return what says that a run has no weights, and how it comes to some."""
    record = read_record(folder)
    if record is not None and record.status == "finished":
        # `train` would print the record again, and train nothing.
        return InputError(
            f"{folder}: no {WEIGHTS} in it, though the run has finished; restore it, or delete"
            f" {RECORD} there and train again"
        )
    return InputError(f"{folder}: no {WEIGHTS} in it; the run has not finished: train it first")


def check_threshold(spec: RunSpec, path: Path) -> None:
    """Require what entropies are compared with: it is found last, and a plan may lack it.

    Args:
        path: of the specification, for the message.

    Raises:
        InputError: it is missing.
    """
    patching = spec.patching
    if patching is None or patching.kind not in ENTROPY_KINDS:
        return
    if patching.threshold is None and not patching.thresholds:
        raise InputError(f"{path}: patching's threshold is missing; train it again")
