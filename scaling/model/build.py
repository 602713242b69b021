"""From a specification to a model with its initial weights."""

import torch

from scaling.model.blt import ByteLatentTransformer
from scaling.model.transformer import SubwordTransformer
from scaling.shapes import BltShape
from scaling.spec import RunSpec

AnyModel = ByteLatentTransformer | SubwordTransformer


def build_model(spec: RunSpec) -> AnyModel:
    """Return the model of `spec` on the CPU in float32, its weights drawn from `spec.seed`.

    The generator that others use is left as it was.
    """
    model, shape = spec.model, spec.model.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        if isinstance(shape, BltShape):
            return ByteLatentTransformer(shape, spec.window_bytes, model.heads)
        return SubwordTransformer(shape, model.heads, model.tied_head)


def parameter_counts(model: AnyModel) -> dict[str, int]:
    """Return parameter counts by convention.

    `global`, `local` (each local module's, or the embedding) and `total` as the shape counts them;
    `built`, all that is trained; of those `embedding` (BOS included), `head`, and `pooling`, the
    projection of pooled bytes that no convention counts.
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
