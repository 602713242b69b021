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

from corpora.errors import InputError
from corpora.files import written_whole
from scaling.flops import BltShape
from scaling.model.blt import ByteLatentTransformer
from scaling.model.transformer import SubwordTransformer
from scaling.spec import RunSpec

WEIGHTS = "model.safetensors"

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


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors, onto the CPU, and notes.

    Raises:
        InputError: the file is missing, truncated, or no safetensors file.
    """
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            notes = dict(file.metadata() or {})
            return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; name a run's folder") from error
    except (OSError, ValueError, TypeError, safetensors.SafetensorError) as error:
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
