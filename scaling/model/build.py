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


def matrix_parameters(model: torch.nn.Module) -> int:
    """Return how many parameters the model has in all: matrices, embeddings and gains."""
    return sum(parameter.numel() for parameter in model.parameters())
