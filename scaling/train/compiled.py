"""Compiled models: each batch shape has its graph, and no model goes uncompiled without a word.

A process compiles the code of a forward pass a limited number of times, eight unless told
otherwise, for all the models together that it trains; at the next shape torch goes on without
compiling, and says so in a log alone. So what was compiled for the runs before is forgotten when a
run begins, the limit is one that a run does not come to, and whatever cannot be compiled ends the
run with a line.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo
from torch import nn

from corpora.errors import InputError
from scaling.model.blt import ByteLatentTransformer
from scaling.model.flex import FlexBlocks, is_there
from scaling.model.transformer import SubwordTransformer

BACKEND: str | Callable[..., Any] = "inductor"
MOST_GRAPHS = 64  # of a run; `scaling.model.cross_attention` keeps its shapes few


def compiled(model: nn.Module, flex: bool = False) -> Any:
    """Return the model so that its first pass over each shape compiles a graph of its own.

    What was compiled in this process before is forgotten. A byte latent model's inputs come in few
    shapes from here on.

    Args:
        model: on its device, where it stays.
        flex: whether its attention is FlexAttention's, where torch and that have a kernel.
    """
    torch._dynamo.reset()
    if flex and is_there() and isinstance(model, ByteLatentTransformer | SubwordTransformer):
        model.flex = FlexBlocks()
    if isinstance(model, ByteLatentTransformer):
        model.few_shapes = True
    # No graph for sizes in general: it would be slower, and have other kernels.
    return torch.compile(model, backend=BACKEND, dynamic=False, fullgraph=True)


@contextmanager
def compiling() -> Iterator[None]:
    """Call a compiled model within this.

    Raises:
        InputError: the model's batches come in too many shapes, or some part cannot be compiled.
    """
    try:
        with (
            torch._dynamo.config.patch(recompile_limit=MOST_GRAPHS),
            warnings.catch_warnings(),
        ):
            # Torch's tracer does so itself.
            warnings.filterwarnings("ignore", ".*should not be instantiated", DeprecationWarning)
            yield
    except torch._dynamo.exc.FailOnRecompileLimitHit as error:
        raise InputError(
            f"the batches of this run came in more than {MOST_GRAPHS} shapes, each of which is"
            " compiled; go on without, as with `compile=False`"
        ) from error
    except torch._dynamo.exc.TorchDynamoException as error:
        why = " ".join(str(error).split("\n")[:2])
        raise InputError(
            f"the model could not be compiled ({why}); train without, as with `compile=False`"
        ) from error
