"""Training speed of our byte latent transformer, beside that of the `transformers` library.

    python bench/train_blt.py [--case NAME ...] [--rounds N] [--steps N]
    python bench/train_blt.py --device cuda [--compile]

Both models have one shape, random weights and one seed of text; they read the same bytes in the
same patches (static, T = 4, given, so that neither runs an entropy model), and take the same step:
loss of every byte in float32, gradients clipped, fused AdamW. Rounds alternate between them, after
steps that warm them up. Seconds are of the CPU, one thread, on a CPU; of the clock on a GPU, where
both run under bfloat16 autocast. On the CPU the library is timed with each of its attention
implementations that can train, and compared by its fastest.

What is not equal: the library adds the residual of each cross-attention twice, rounds SwiGLU's
hidden width down, has no projection into its global module where d = k h, predicts BOS too, and
runs one latent per row that is never read. Its hash n-gram embeddings are switched off (no hash
functions; an empty table stays) and its entropy model is not made (`patch_in_forward`).

How far this can go shows the floor: the matrix products of one of our steps, forward and backward,
of the same sizes and layouts, timed alone, in the same rounds, from operands that are warm. No step
that takes these products is faster, however little it does besides.

On a GPU the bench also prints utilisation: our count of training FLOPs (`scaling.flops`, `full`)
over what one large bfloat16 matrix product reaches in the same run. It has not been run on one yet.

`transformers` is no dependency; for this bench: pip install transformers==5.23
"""

import argparse
import statistics
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from scaling.data.windows import TokenBatch
from scaling.flops import (
    BYTE_VOCABULARY,
    BltShape,
    CostContext,
    micro_blt,
    paper_blt,
    training_flops_per_byte,
)
from scaling.model.blocks import heads_for
from scaling.model.blt import ByteLatentTransformer
from scaling.spec import Training
from scaling.train.adamw import Optimizer
from scaling.train.optimiser import optimiser_of
from scaling.train.step import loss_of

RATE = 4  # T, bytes per patch
BATCHES = 4  # different batches, taken in turn
WARM_UP = 5  # steps
TRAINING = Training(steps=1, batch_bytes=1, learning_rate=1e-3)  # for its AdamW and clipping
# What the library offers this model; eager attention's scores are too large for the GPU's contexts.
ATTENTION = {"cpu": ("sdpa", "eager"), "cuda": ("sdpa",)}


class Case(NamedTuple):
    """A shape and its batch: `rows` windows of `context` bytes; local modules see `window`."""

    shape: BltShape
    context: int
    window: int
    rows: int


CASES = {
    "micro": Case(micro_blt(2, 32, 1, 32, 1), 512, 64, 8),
    "mid": Case(micro_blt(3, 192, 1, 128, 2), 512, 64, 8),
    "long": Case(micro_blt(3, 192, 1, 128, 2), 4096, 256, 1),
    "d384": Case(micro_blt(6, 384, 1, 128, 2), 4096, 256, 16),
    "100m": Case(paper_blt(7), 4096, 512, 16),  # 93 million parameters (`total_params`)
}
DEFAULT_CASES = {"cpu": ("micro", "mid", "long"), "cuda": ("d384", "100m")}


class Contender(NamedTuple):
    """A model in training. `loss` maps a batch to its mean nats per byte, in float32."""

    name: str
    model: nn.Module
    loss: Callable[[TokenBatch], Tensor]
    optimizer: Optimizer | torch.optim.Optimizer


def batches(case: Case) -> list[TokenBatch]:
    """Return batches of the standard library's sources, each row one segment."""
    size = case.rows * case.context
    text = b""
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        text += file.read_bytes()
        if len(text) >= BATCHES * size:
            break
    stream: NDArray[np.int64] = np.frombuffer(text, dtype=np.uint8).astype(np.int64)
    stream = np.resize(stream, (BATCHES, case.rows, case.context))
    starts = np.tile(np.arange(case.context) % RATE == 0, (case.rows, 1))
    segments = np.zeros((case.rows, case.context), dtype=np.int32)
    out = []
    for targets in stream:
        inputs = np.roll(targets, 1, axis=1)
        inputs[:, 0] = BYTE_VOCABULARY
        out.append(TokenBatch(inputs, targets, segments, starts, size))
    return out


def patch_lengths(starts: NDArray[np.bool_]) -> Tensor:
    """Return the library's lengths of patches, [rows, P + 1], of rows patched alike.

    It counts over inputs: BOS is a patch of its own, and input p + 1 is target p. Position p then
    reads the latent before the patch of its target, as ours does; the last one is read by nobody.
    """
    opened = np.append(np.flatnonzero(starts[0]) + 1, starts.shape[1])
    lengths = np.diff(opened[opened <= starts.shape[1]], prepend=0)
    return torch.from_numpy(np.tile(lengths[lengths > 0], (len(starts), 1)))


def ours(case: Case, device: torch.device, compiled: bool) -> Contender:
    """Return our model."""
    torch.manual_seed(0)
    model = ByteLatentTransformer(case.shape, case.window).to(device)
    call = torch.compile(model) if compiled else model

    def loss(batch: TokenBatch) -> Tensor:
        nats, count = loss_of(call, batch, device)
        return nats / count

    return Contender("ours", model, loss, optimiser_of(model, TRAINING))


def library_config(case: Case, attention: str) -> Any:
    """Return the library's configuration of the same shape."""
    from transformers.models.blt import BltConfig

    shape = case.shape
    common = {"vocab_size": BYTE_VOCABULARY + 1, "max_position_embeddings": case.context}
    local = common | {
        "hidden_size": shape.local_dim,
        "num_hidden_layers": shape.local_layers,
        "num_attention_heads": heads_for(shape.local_dim),
        "intermediate_size": 8 * shape.local_dim // 3,
        "cross_attn_k": shape.cross_factor,
        "hidden_size_global": shape.global_dim,
    }
    return BltConfig(
        **common,
        encoder_config=local | {"cross_attn_all_layers": False},
        decoder_config=local | {"cross_attn_all_layers": True},
        global_config={
            "hidden_size": shape.global_dim,
            "num_hidden_layers": shape.global_layers,
            "num_attention_heads": heads_for(shape.global_dim),
            "intermediate_size": 8 * shape.global_dim // 3,
            "max_position_embeddings": case.context,
        },
        cross_attn_k=shape.cross_factor,
        local_attention_window_len=case.window,
        patch_in_forward=False,
        encoder_hash_byte_group_nb_functions=0,
        encoder_hash_byte_group_vocab=1,
        use_cache=False,
        attn_implementation=attention,
    )


def library(case: Case, device: torch.device, compiled: bool, attention: str) -> Contender:
    """Return the library's model."""
    from transformers.models.blt import BltForCausalLM

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")  # the hash table
        model = BltForCausalLM(library_config(case, attention)).to(device)
    model.train()
    call = torch.compile(model) if compiled else model

    def loss(batch: TokenBatch) -> Tensor:
        assert batch.starts is not None
        ids = torch.from_numpy(batch.inputs).to(device)
        lengths = patch_lengths(batch.starts).to(device)
        logits = call(input_ids=ids, patch_lengths=lengths).logits
        targets = torch.from_numpy(batch.targets).to(device)
        return cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    return Contender(f"transformers, {attention}", model, loss, optimiser_of(model, TRAINING))


def step(contender: Contender, batch: TokenBatch, device: torch.device) -> Tensor:
    """Take one training step and return its loss, nats per byte."""
    contender.optimizer.zero_grad()
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        loss = contender.loss(batch)
    loss.backward()
    nn.utils.clip_grad_norm_(contender.model.parameters(), TRAINING.clip)
    contender.optimizer.step()
    return loss.detach()


class Products(TorchDispatchMode):
    """Notes the operands of all matrix products that are taken while it is entered.

    Attributes:
        pairs: operands of the same shapes and layouts, one pair for all products of one kind.
    """

    _PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        self._made: dict[object, tuple[Tensor, Tensor, Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func._schema.name in self._PRODUCTS:
            operands = [x for x in args if isinstance(x, Tensor)][-2:]
            key = tuple((x.shape, x.stride(), x.dtype) for x in operands)
            if key not in self._made:
                a, b = (torch.empty_strided(x.shape, x.stride()).normal_() for x in operands)
                self._made[key] = a, b, torch.matmul(a, b)
            self.pairs.append(self._made[key])
        return func(*args, **(kwargs or {}))

    def take(self) -> None:
        """Take all of them again, and do nothing else."""
        for a, b, out in self.pairs:
            torch.matmul(a, b, out=out)


def products_of(contender: Contender, batch: TokenBatch, device: torch.device) -> Products:
    """Return the products of one training step."""
    products = Products()
    with products:
        step(contender, batch, device)
    return products


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return seconds of the CPU, or of the clock until a GPU has done the work."""
    if device.type == "cpu":
        begin = time.process_time()
        work()
        return time.process_time() - begin
    torch.cuda.synchronize(device)
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def peak_flops(device: torch.device, size: int = 8192) -> float:
    """Return FLOPs per second of a large bfloat16 matrix product, the best of 20."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    best = min(seconds(lambda: a @ a, device) for _ in range(20))
    return 2 * size**3 / best


def race(
    case: Case, contenders: list[Contender], device: torch.device, rounds: int, steps: int
) -> NDArray[np.float64]:
    """Return bytes per second, [rounds, contenders and, on a CPU, the first one's products]; the
    order turns from round to round."""
    data = batches(case)
    bare = products_of(contenders[0], data[0], device) if device.type == "cpu" else None
    runners = len(contenders) + (bare is not None)

    def run(runner: int, count: int) -> None:
        for i in range(count):
            if runner == len(contenders):
                assert bare is not None
                bare.take()
            else:
                step(contenders[runner], data[i % BATCHES], device)

    for j in range(runners):
        run(j, WARM_UP)
    speeds = np.zeros((rounds, runners))
    for i in range(rounds):
        for j in np.roll(np.arange(runners), i):
            taken = seconds(lambda j=j: run(j, steps), device)  # type: ignore[misc]  # bound now
            speeds[i, j] = steps * case.rows * case.context / taken
    return speeds


def report(
    name: str,
    case: Case,
    contenders: list[Contender],
    speeds: NDArray[np.float64],
    losses: list[float],
    peak: float | None,
) -> None:
    """Print one line for each contender and the ratio to the library's fastest."""
    shape = case.shape
    print(
        f"{name}: L {shape.global_layers} d {shape.global_dim} l {shape.local_layers}"
        f" h {shape.local_dim} k {shape.cross_factor}, T {RATE}, {case.rows} rows of"
        f" {case.context} bytes, window {case.window}"
    )
    flops = training_flops_per_byte(shape, CostContext(RATE, case.context, case.window))
    for contender, column, loss in zip(contenders, speeds.T, losses, strict=False):
        params = sum(p.numel() for p in contender.model.parameters())
        speed = statistics.median(column)
        used = f"  {100 * flops * speed / peak:5.1f} % of peak" if peak else ""
        print(
            f"  {contender.name:<20}{params:>12,} parameters {speed:>12,.0f} bytes/s"
            f" ({column.min():,.0f} to {column.max():,.0f})  loss {loss:.3f}{used}"
        )
    fastest = 1 + int(np.median(speeds[:, 1 : len(contenders)], axis=0).argmax())
    ratios = speeds[:, 0] / speeds[:, fastest]
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    print(
        f"  ours over {contenders[fastest].name}: x {middle:.2f}"
        f" (quartiles {low:.2f} to {high:.2f}, all {ratios.min():.2f} to {ratios.max():.2f})"
    )
    if speeds.shape[1] > len(contenders):
        bound = np.median(speeds[:, -1] / speeds[:, fastest])
        share = np.median(speeds[:, 0] / speeds[:, -1])
        print(
            f"  our matrix products alone over it: x {bound:.2f}, which no step with them exceeds;"
            f" they take {100 * share:.0f} % of our step"
        )


def main() -> None:
    """Print a block for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--device", choices=DEFAULT_CASES, default="cpu")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5, help="per round")
    parser.add_argument("--compile", action="store_true", help="torch.compile both")
    arguments = parser.parse_args()
    try:
        import transformers
    except ImportError:
        sys.exit("this bench needs the transformers library: pip install transformers==5.23")
    device = torch.device(arguments.device)
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {device}")
    peak = None
    if device.type == "cuda":
        peak = peak_flops(device)
        print(
            f"{torch.cuda.get_device_name(device)}, {peak / 1e12:.0f} TFLOP/s in a matrix product"
        )
    for name in arguments.case or DEFAULT_CASES[arguments.device]:
        case = CASES[name]
        contenders = [ours(case, device, arguments.compile)]
        contenders += [
            library(case, device, arguments.compile, kind) for kind in ATTENTION[device.type]
        ]
        speeds = race(case, contenders, device, arguments.rounds, arguments.steps)
        # As many steps on the same text: two that learn alike have done like work.
        losses = [float(step(contender, batches(case)[0], device)) for contender in contenders]
        report(name, case, contenders, speeds, losses, peak)


if __name__ == "__main__":
    main()
