"""A trained run's folder, opened: nothing in it is believed before it has been compared.

spec.json, model.safetensors    what the run is, and its weights
record.json                     what became of it, if it was kept
tokenizer.txt                   of a subword model: its tokenizer, by name, or by the name of a
                                file in this folder
entropy_model/                  of entropy patches: the byte model's own run folder
"""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from corpora.errors import InputError
from scaling.model.byte_model import ByteModel, open_byte_model
from scaling.model.weights import WEIGHTS, AnyModel, build_model, load_weights, read_tensors
from scaling.prepare import ENTROPY_MODEL, TOKENIZER
from scaling.record import RECORD, SPEC, RunRecord, read_record, read_spec
from scaling.spec import Model, Patching, PatchingKind, RunSpec
from tokenize_lab.load import NAMES, PREFIXES, cuts_of, load_tokenizer
from tokenize_lab.tokenizer import Tokenizer

_MOST = 1 << 24  # layers, widths, ids: beyond any model there is


@dataclass(frozen=True)
class TrainedRun:
    """A run that has been trained.

    Attributes:
        folder: where it lies. spec: what it is. record: what became of it; None if that is lost.
        model: with its weights, on its device, evaluating.
        tokenizer: of a subword model; else None.
        byte_model: whose entropies cut its patches; else None.
    """

    folder: Path
    spec: RunSpec
    record: RunRecord | None
    model: AnyModel
    tokenizer: Tokenizer | None
    byte_model: ByteModel | None


def open_run(folder: Path, device: torch.device | None = None) -> TrainedRun:
    """Open the folder of a trained run.

    Raises:
        InputError: it is none, the run has not ended, or something in it is not what the
            specification names: weights, tokenizer, entropy model.
    """
    if not (folder / SPEC).is_file():
        raise InputError(f"{folder}: no {SPEC} in it; name a run's folder, as `train` prints it")
    device = device or torch.device("cpu")
    spec = read_spec(folder / SPEC)
    _check_sizes(spec, folder / SPEC)
    tensors = _weights(folder, spec)
    model = build_model(spec)
    load_weights(model, tensors, folder / WEIGHTS)
    return TrainedRun(
        folder=folder,
        spec=spec,
        record=read_record(folder),
        model=model.to(device).eval(),
        tokenizer=_tokenizer(folder, spec) if spec.model.family == "subword" else None,
        byte_model=_byte_model(folder, spec, device),
    )


def _weights(folder: Path, spec: RunSpec) -> dict[str, Tensor]:
    """Read the weights, and require enough of them before room is made for the model.

    Raises:
        InputError: there are none, or far too few.
    """
    path = folder / WEIGHTS
    if not path.exists():
        if (record := read_record(folder)) is not None and record.status == "finished":
            # `train` would print the record again, and train nothing.
            raise InputError(
                f"{folder}: no {WEIGHTS} in it, though the run has finished; restore it, or delete"
                f" {RECORD} there and train again"
            )
        raise InputError(f"{folder}: no {WEIGHTS} in it; the run has not finished: train it first")
    tensors, _ = read_tensors(path)
    held = sum(tensor.numel() for tensor in tensors.values())
    if spec.model.shape.total_params > 2 * held + 1:
        raise InputError(
            f"{path}: holds {held:,} numbers, too few for a model of"
            f" {spec.model.shape.total_params:,.0f} parameters; these are another model's weights"
        )
    return tensors


def _check_sizes(spec: RunSpec, path: Path) -> None:
    """Require numbers that a model can be built from: the file may be anyone's.

    Raises:
        InputError: naming the first that is not.
    """
    model = spec.model
    optional = ("heads",) if model.heads is None else ()
    local = ("local_layers", "local_dim", "cross_factor") if model.family == "subword" else ()
    sizes = {
        **{
            field.name: getattr(model, field.name)
            for field in fields(Model)
            if field.name not in ("family", "tied_head", *optional, *local)
        },
        "context_bytes": spec.context_bytes,
        "window_bytes": spec.window_bytes,
    }
    for name, size in sizes.items():
        if type(size) is not int or not 1 <= size <= _MOST:
            raise InputError(f"{path}: {name} is {size!r}; no run has that, so train it again")
    heads = model.heads
    if heads is not None and model.dim % (2 * heads):
        raise InputError(
            f"{path}: {heads} heads do not split {model.dim} channels evenly; train it again"
        )
    rate = spec.compression_rate
    if not isinstance(rate, int | float) or not 0 < rate < _MOST:
        raise InputError(f"{path}: compression_rate is {rate!r}; no run has that; train it again")
    if model.family not in ("blt", "subword") or (model.family == "blt") != bool(spec.patching):
        raise InputError(
            f"{path}: family {model.family!r} with{'' if spec.patching else 'out'} patching is no"
            " model of ours; train it again"
        )
    if spec.patching is not None:
        _check_patching(spec.patching, path)
    if type(spec.seed) is not int or not 0 <= spec.seed < 1 << 63:
        raise InputError(f"{path}: seed is {spec.seed!r}; no run has that; train it again")


def _check_patching(patching: Patching, path: Path) -> None:
    rate, most, threshold = patching.compression_rate, patching.most_bytes, patching.threshold
    entropy = patching.kind in ("entropy", "entropy-monotonic")
    fits = {
        "kind": patching.kind in get_args(PatchingKind),
        "compression_rate": (
            patching.kind != "static" if rate is None else _is_number(rate) and 1 <= rate < _MOST
        ),
        "most_bytes": type(most) is int and 1 <= most <= _MOST,
        "threshold": _is_number(threshold) if threshold is not None else not entropy,
        "entropy_model": isinstance(patching.entropy_model, str),
    }
    for name, fit in fits.items():
        if not fit:
            raise InputError(
                f"{path}: patching's {name} is {getattr(patching, name)!r}; no run has that, so"
                " train it again"
            )


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _tokenizer(folder: Path, spec: RunSpec) -> Tokenizer:
    path = folder / TOKENIZER
    try:
        name = path.read_text("utf-8").strip()
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: there is no such file; write the tokenizer the run was trained with into it,"
            " as `measure -t` takes it"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore it") from error
    tokenizer = load_tokenizer(_inside(folder, name, path))
    if tokenizer.sha256 != spec.tokenizer:
        raise InputError(
            f"{path}: the tokenizer has changed since the run was trained (SHA-256"
            f" {tokenizer.sha256[:12]}, was {spec.tokenizer[:12]}); restore the one it had"
        )
    if tokenizer.vocabulary_size != spec.model.vocabulary_size:
        raise InputError(
            f"{path}: {tokenizer.vocabulary_size:,} ids, where the model has"
            f" {spec.model.vocabulary_size:,}; restore the tokenizer it had"
        )
    return tokenizer


def _inside(folder: Path, name: str, path: Path) -> str:
    """Return the tokenizer's spec: a known name, or the path of a file in the run's folder.

    Raises:
        InputError: it would be read from elsewhere, or fetched.
    """
    cut, whole = cuts_of(name)
    if whole in NAMES:
        return name
    prefix, colon, rest = whole.partition(":")
    if prefix + colon not in PREFIXES:
        prefix, colon, rest = "", "", whole
    root = folder.resolve()
    file = (root / rest).resolve()
    if not rest or len(name.splitlines()) != 1 or file.parent != root or not file.is_file():
        raise InputError(
            f"{path}: {name!r} is neither a tokenizer's name nor a file in the run's folder; copy"
            " the file there and name it here"
        )
    return f"{cut}{prefix}{colon}{file}"


def _byte_model(folder: Path, spec: RunSpec, device: torch.device) -> ByteModel | None:
    patching = spec.patching
    if patching is None or patching.kind in ("static", "space"):
        return None
    own = folder / ENTROPY_MODEL
    if (own / SPEC).is_file():
        its_spec = read_spec(own / SPEC)
        _check_sizes(its_spec, own / SPEC)
        _weights(own, its_spec)
    found = open_byte_model(own, device)
    if found.sha256 != patching.entropy_model:
        raise InputError(
            f"{own}: the entropy model has changed since the run was trained (SHA-256"
            f" {found.sha256[:12]}, was {patching.entropy_model[:12]}); restore the one it had"
        )
    found.model.eval()
    return found
