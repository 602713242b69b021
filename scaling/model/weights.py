"""Tensors on disk: safetensors, written whole, trusted with nothing.

A safetensors file is a header of names, types, shapes and offsets, and raw numbers: reading one
runs no code. What it holds is compared with what the model has before any of it is used.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor, nn

from corpora.errors import InputError, is_present, regular_file
from corpora.files import written_whole
from scaling.flops import BltShape
from scaling.model.blt import ByteLatentTransformer
from scaling.model.transformer import SubwordTransformer
from scaling.spec import RunSpec

WEIGHTS = "model.safetensors"
_MOST_HEADER = 8 << 20  # bytes, of a hundred thousand tensors; the library takes seconds for them
_ROOM = 16 << 20  # bytes of a file for all that is no weight

# The format's names of types, those of wide numbers first: so the library lays out a file.
_TYPES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> None:
    """Write tensors and notes as one file, whole or not at all; the same ones as the same bytes.

    One tensor at a time is held besides `tensors`, and that only if it lies elsewhere or not in
    order: the library would make two copies of all, and write notes in another order every time.

    Raises:
        InputError: the folder cannot be written, or the disk is full; an older file survives.
    """
    widths = list(_TYPES)
    ordered = sorted(tensors.items(), key=lambda item: (widths.index(item[1].dtype), item[0]))
    with written_whole(path) as temporary, temporary.open("wb") as file:
        file.write(_header(ordered, notes))
        for _, tensor in ordered:
            flat = tensor.detach().cpu().contiguous().flatten()
            file.write(flat.view(torch.uint8).numpy().data)


def _header(ordered: Sequence[tuple[str, Tensor]], notes: Mapping[str, str]) -> bytes:
    fields: dict[str, Any] = {"__metadata__": dict(sorted(notes.items()))} if notes else {}
    begin = 0
    for name, tensor in ordered:
        end = begin + tensor.numel() * tensor.element_size()
        kind, shape = _TYPES[tensor.dtype], list(tensor.shape)
        fields[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(fields, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers are aligned
    return len(text).to_bytes(8, "little") + text


def read_tensors(
    path: Path, numbers: float | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors, onto the CPU, and notes.

    Args:
        numbers: parameters of the model that they are of, of which each has some numbers at most;
            None for any size.

    Raises:
        InputError: the file is missing, truncated, no safetensors file, or too large for the model.
    """
    if not is_present(path) and not path.is_symlink():
        raise InputError(f"{path}: there is no such file; name a run's folder")
    regular_file(path, "delete it and train again")
    try:
        with path.open("rb") as raw:
            header, size = int.from_bytes(raw.read(8), "little"), raw.seek(0, 2)
        if _MOST_HEADER < header <= size:
            raise ValueError(f"a header of {header:,} bytes")
        if numbers is not None and size > header + 16 * numbers + _ROOM:
            raise InputError(
                f"{path}: has {size:,} bytes, too many for a model of {numbers:,.0f} parameters;"
                " delete it and train again"
            )
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            notes = dict(file.metadata() or {})
            return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118
    except InputError:
        raise
    except (OSError, ValueError, TypeError, MemoryError, safetensors.SafetensorError) as error:
        # A TypeError: a size in the header is past the integers. Torch adds a trace.
        why = str(error).partition("\n")[0]
        raise InputError(
            f"{path}: cannot be read as safetensors ({why}); it is truncated or another kind of"
            " file; delete it and train again"
        ) from error


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put `tensors` into `model`: exactly its names, shapes and types, and finite numbers.

    Raises:
        InputError: they are not this model's; the model is as it was.
    """
    parameters = dict(model.named_parameters())  # all the state there is; tied ones stand once
    for name in sorted({*parameters, *tensors}):
        if name not in tensors or name not in parameters:
            what = "lacks" if name not in tensors else "holds, beside the model's,"
            raise InputError(f"{path}: {what} {name}; these are another model's weights")
        check_like(tensors[name], parameters[name], name, path)
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{path}: {name} holds numbers that are not finite; train again")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])


def check_like(tensor: Tensor, model_tensor: Tensor, name: str, path: Path) -> None:
    """Require the shape and type of `model_tensor`.

    Raises:
        InputError: they differ.
    """
    if tensor.shape != model_tensor.shape or tensor.dtype != model_tensor.dtype:
        raise InputError(
            f"{path}: {name} is {tensor.dtype} {list(tensor.shape)}, where this model has"
            f" {model_tensor.dtype} {list(model_tensor.shape)}; these are another model's weights"
        )


def weights_sha256(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights, names and shapes included."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.named_parameters()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


AnyModel = ByteLatentTransformer | SubwordTransformer


def build_model(spec: RunSpec) -> AnyModel:
    """Return the model of `spec` on the CPU in float32, its weights drawn from `spec.seed`.

    The generator that others use is left as it was.
    """
    model, shape = spec.model, spec.model.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        if isinstance(shape, BltShape):
            fills = model.diffusion_block is not None
            return ByteLatentTransformer(shape, spec.window_bytes, model.heads, fills_blocks=fills)
        return SubwordTransformer(shape, model.heads, model.tied_head)


def parameter_counts(model: AnyModel) -> dict[str, int]:
    """Return parameter counts by convention.

    `global`, `local` (each local module's, or the embedding) and `total` as the shape counts them;
    `built`, all that is trained; of those `embedding` (BOS included), `head`, and `pooling`, the
    projection of pooled bytes that no convention counts. Embeddings of blocks are `built` alone.
    """
    shape = model.shape
    pooling = model.pooling.pool.numel() if isinstance(model, ByteLatentTransformer) else 0
    bos = model.bos.numel() if isinstance(model, SubwordTransformer) else 0
    return {
        "global": shape.global_params,
        "local": shape.local_params,
        "total": shape.total_params,
        "built": sum(parameter.numel() for parameter in model.parameters()),
        "embedding": model.embedding.numel() + bos,
        "head": model.head.numel(),
        "pooling": pooling,
    }
