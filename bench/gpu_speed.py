"""How fast a GPU takes a run's steps: with each shortcut and without, and beside others' models."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.gpu_box import Box, Trainer, spec_of, text
from bench.train_blt import ATTENTION, Case, Contender, library, race
from scaling.data.windows import StaticPatches, TokenBatch
from scaling.flops import CostContext, SubwordShape, training_flops_per_byte
from scaling.model.blocks import heads_for
from scaling.train.counted import ALL, without_each
from scaling.train.device import device_name, peak_flops


def shortcuts(box: Box) -> dict[str, Any]:
    """Seconds of a step with all shortcuts, without each, and with none."""
    found: dict[str, Any] = {}
    for number, size in enumerate(box.sizes.grid):
        spec, stream = spec_of(box.sizes, size), text(1, 4_000_000 if not box.small else 40_000)
        ways = without_each() if number == 0 else {"all shortcuts": ALL, "no shortcuts": ()}
        flops = training_flops_per_byte(spec.model.shape, spec.cost_context)
        flops *= spec.training.batch_bytes
        for name, taken in ways.items():
            if box.left < 40:
                break
            trainer = Trainer(spec, box.machine(taken, read_every=16), stream, StaticPatches(4))
            seconds = trainer.seconds(box.sizes.seconds)
            found[f"{size}, {name}"] = {"seconds": seconds, "flops_per_second": flops / seconds}
    return {**found, "ok": bool(found)}


class PlainGpt(nn.Module):
    """PyTorch's own encoder layers, causal: what one would write first."""

    def __init__(self, shape: SubwordShape, context: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary_size + 1, shape.dim)
        self.position = nn.Embedding(context, shape.dim)
        sizes = shape.dim, heads_for(shape.dim), 4 * shape.dim
        how: dict[str, Any] = {"activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(*sizes, dropout=0.0, **how) for _ in range(shape.layers)
        )
        self.head = nn.Linear(shape.dim, shape.vocabulary_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        width = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(width, device=ids.device)
        x = self.embedding(ids) + self.position.weight[:width]
        for layer in self.layers:
            x = layer(x, src_mask=mask, is_causal=True)
        logits: Tensor = self.head(x)
        return logits


def gpt(case: Case, device: torch.device, called: Callable[[nn.Module], Any]) -> Contender:
    """Return a plain GPT over bytes, of the case's global shape."""
    torch.manual_seed(0)
    shape = SubwordShape(case.shape.global_layers, case.shape.global_dim, 256)
    model = PlainGpt(shape, case.context).to(device)
    call = called(model)

    def loss(batch: TokenBatch) -> Tensor:
        logits = call(torch.from_numpy(batch.inputs).to(device))
        targets = torch.from_numpy(batch.targets).to(device)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    return Contender("plain GPT", model, loss, torch.optim.AdamW(model.parameters(), fused=True))


def utilisation(box: Box) -> dict[str, Any]:
    """Share of the measured peak: ours, a plain GPT, transformers' BLT where there is one."""
    kind = torch.bfloat16 if box.device.type == "cuda" else torch.float32
    peak = peak_flops(box.device, kind)
    found: dict[str, Any] = {"peak_flops": peak, "device": device_name(box.device)}

    def called(model: nn.Module) -> Any:
        return model if box.small else torch.compile(model, dynamic=False)

    for name, case in box.sizes.cases.items():
        shape, rounds = case.shape, 1 if box.small else 3
        sizes = box.sizes._replace(context=case.context, window=case.window, rows=case.rows)
        spec = spec_of(sizes, (shape.global_layers, shape.global_dim))
        model = replace(
            spec.model,
            local_layers=shape.local_layers,
            local_dim=shape.local_dim,
            cross_factor=shape.cross_factor,
        )
        spec = replace(spec, model=model, training=replace(spec.training, optimiser="adamw"))
        stream = text(1, 4_000_000 if not box.small else 40_000)
        ours = Trainer(spec, box.machine(read_every=16), stream, StaticPatches(4))
        size = spec.training.batch_bytes
        latent = CostContext(4, case.context, case.window)
        counts = {"ours": (size / ours.seconds(box.sizes.seconds), shape, latent)}
        del ours
        others: dict[str, Callable[[], Contender]] = {
            "plain GPT": lambda case=case: gpt(case, box.device, called)  # type: ignore[misc]
        }
        if find_spec("transformers"):
            way = ATTENTION[box.device.type][0]
            others["transformers"] = lambda case=case, way=way: library(  # type: ignore[misc]
                case, box.device, not box.small, way
            )
        for other, make in others.items():
            try:
                speed = float(np.median(race(case, [make()], box.device, rounds, 3)))
            except Exception as error:  # another library's
                found[f"{name}, {other}"] = f"{type(error).__name__}: {str(error)[:300]}"
                continue
            plain: Any = shape, latent
            if other == "plain GPT":
                bytes_alone = CostContext(1, case.context)
                plain = SubwordShape(shape.global_layers, shape.global_dim, 256), bytes_alone
            counts[other] = (speed, *plain)
        for who, (speed, counted, context) in counts.items():
            flops = training_flops_per_byte(counted, context) * speed
            found[f"{name}, {who}"] = {"bytes_per_second": speed, "of_peak": flops / peak}
    return {**found, "ok": True}
