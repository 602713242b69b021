"""The optimisers of a run, AdamW or Muon, and their rate over its steps.

Muon (Jordan et al. 2024) moves a matrix along the orthogonal factor of its momentum, so that a step
changes what the matrix does by as much in every direction. Embeddings, gains and the head, whose
rows are looked up or read one by one, stay with AdamW (Loshchilov and Hutter 2019).

A parameter that holds several matrices, as that of queries, keys and values does, is orthogonalised
matrix by matrix; those of one shape are worked through together. `torch.optim.Muon` takes one
parameter after the other in bfloat16, which costs models as small as these several times as much
(LOG.md), and PyTorch before 2.9 has none. What is done to every matrix by itself is one launch of a
GPU for all of them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scaling.spec import Training
from scaling.train.adamw import AdamW, Optimizer

MOMENTUM = 0.95
MATRIX_SHARE = 0.5  # of the rate, the rest's being the whole; found on English novels (LOG.md)
# Of a Newton-Schulz iteration: steep at 0, and after five of them near 1 (Jordan et al. 2024).
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
_EPS = 1e-7
_STACK_FLOATS = 1 << 24  # of matrices worked through together; more at once would be no faster
_NOT_DECAYED = ("gain", "embedding", "bos")
_ADAMS = ("head", *_NOT_DECAYED)  # whatever the optimiser of the others


def optimiser_of(model: nn.Module, training: Training) -> Optimizer:
    """Return the optimiser of a run. Matrices are decayed; embeddings and gains are not."""
    named = dict(model.named_parameters())
    if training.optimiser == "adamw":
        return _adamw(named, training)
    rest = {name: weight for name, weight in named.items() if _kind(name) in _ADAMS}
    matrices = [matrix for module in model.modules() for matrix in _matrices(module)]
    return Muon(matrices, _adamw(rest, training), training)


def _adamw(named: dict[str, nn.Parameter], training: Training) -> AdamW:
    free = [weight for name, weight in named.items() if _kind(name) in _NOT_DECAYED]
    decayed = [weight for name, weight in named.items() if _kind(name) not in _NOT_DECAYED]
    groups = [
        {"params": weights, "lr": training.learning_rate, "weight_decay": decay}
        for weights, decay in ((decayed, training.weight_decay), (free, 0.0))
    ]
    betas = (training.beta1, training.beta2)
    # Steps of a GPU may be recorded.
    recorded = any(weight.is_cuda for weight in named.values())
    return AdamW(groups, betas, recorded)


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


class StackedMatrix(NamedTuple):
    """A parameter, and the rows of each matrix that it holds, one below the other."""

    weight: nn.Parameter
    rows: tuple[int, ...]


def _matrices(module: nn.Module) -> Iterator[StackedMatrix]:
    stacked: dict[str, tuple[int, ...]] = getattr(module, "stacked", {})
    for name, weight in module.named_parameters(recurse=False):
        if name not in _ADAMS:
            yield StackedMatrix(weight, stacked.get(name, (len(weight),)))


class Muon(Optimizer):
    """Muon for matrices, in the first group of parameters, and AdamW for the rest.

    A matrix [m, n] moves by half the rate times sqrt(max(1, m / n)) times the orthogonal factor:
    what that adds to outputs is then of one size whatever the widths, and one rate does for all.
    """

    def __init__(self, matrices: list[StackedMatrix], rest: AdamW, training: Training) -> None:
        own = {
            "params": [weight for weight, _ in matrices],
            "lr": MATRIX_SHARE * training.learning_rate,
            "share": MATRIX_SHARE,
            "weight_decay": training.weight_decay,
        }
        super().__init__([own, *rest.param_groups])
        self.matrices, self.rest = matrices, rest
        self.rest.state = self.state

    @torch.no_grad()
    def step(self) -> None:
        """Take a step; a parameter without a gradient stays as it is."""
        step_together([self])

    def begun(self) -> "list[_Move]":
        """Take the step of all but the matrices, and return where those that have a gradient are
        to go."""
        self.rest.step()
        moved, weights, gradients = [], [], []
        for matrix in self.matrices:
            if matrix.weight.grad is not None:
                moved.append(matrix)
                weights.append(matrix.weight.data)
                gradients.append(matrix.weight.grad)
        if not moved:
            return []
        rate, decay = self.param_groups[0]["lr"], self.param_groups[0]["weight_decay"]
        momenta = [self._momentum(weight) for weight, _ in moved]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # after Nesterov
        torch._foreach_mul_(weights, 1 - rate * decay)
        moves = []
        for (weight, rows), update_of_all in zip(moved, ahead, strict=True):
            for matrix, update in zip(weight.split(rows), update_of_all.split(rows), strict=True):
                outputs, inputs = matrix.shape
                if outputs > inputs:  # on its side it is of the shape of more of the others
                    update = update.mT
                moves.append(_Move(matrix, update, math.sqrt(max(1, outputs / inputs)), rate))
        return moves

    def _momentum(self, weight: nn.Parameter) -> Tensor:
        if weight not in self.state:
            self.state[weight] = {"momentum": torch.zeros_like(weight)}
        return self.state[weight]["momentum"]


@torch.no_grad()
def step_together(optimizers: Sequence[Optimizer]) -> None:
    """Take a step of each; matrices of one shape, whosever, are worked through at once."""
    waiting: dict[torch.Size, list[_Move]] = {}
    for optimizer in optimizers:
        if not isinstance(optimizer, Muon):
            optimizer.step()
            continue
        for move in optimizer.begun():
            moves = waiting.setdefault(move.update.shape, [])
            moves.append(move)
            if len(moves) * move.update.numel() >= _STACK_FLOATS:
                _make(waiting.pop(move.update.shape))
    for moves in waiting.values():
        _make(moves)


class _Move(NamedTuple):
    """A matrix, its update, on its side where the matrix is high, how far it goes by it, and the
    rate."""

    matrix: Tensor
    update: Tensor
    far: float
    rate: "float | Tensor"


def _make(moves: list[_Move]) -> None:
    """Move matrices of one shape, some of them on their sides."""
    factors = orthogonal(torch.stack([move.update for move in moves]))
    alike: dict[tuple[float, bool], list[int]] = {}  # one rate, and one way up
    for place, move in enumerate(moves):
        rate = id(move.rate) if isinstance(move.rate, Tensor) else move.rate
        alike.setdefault((rate, move.matrix.shape != move.update.shape), []).append(place)
    for (_, high), places in alike.items():
        some = [moves[place] for place in places]
        own = [factors[place] for place in places]
        if high:
            own = list(torch.stack(own).mT.contiguous())
        matrices, step, rate_of_all = [move.matrix for move in some], -some[0].far, some[0].rate
        if isinstance(rate_of_all, Tensor):
            torch._foreach_mul_(own, rate_of_all * step)
            torch._foreach_add_(matrices, own)
        else:
            torch._foreach_add_(matrices, own, alpha=rate_of_all * step)


def orthogonal(x_NAB: Tensor) -> Tensor:
    """Return matrices [N, A, B] whose singular values are all near 1: between .68 and 1.14 unless
    they began below a hundredth of the matrix's norm.

    On a GPU products are taken in bfloat16.
    """
    x = x_NAB.bfloat16() if x_NAB.device.type == "cuda" else x_NAB
    if x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=_EPS)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if x_NAB.shape[1] > x_NAB.shape[2] else x).to(x_NAB)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the rate of the next step."""
    for group in optimizer.param_groups:
        of_group = rate * group.get("share", 1.0)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(of_group)
        else:
            group["lr"] = of_group


def keep_rates_on(optimizer: Optimizer, device: torch.device) -> None:
    """Keep the rates in float32 where the model is, so that a step that is recorded once reads the
    rate of the day at each replay."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)


def kept_of(optimizer: Optimizer) -> dict[nn.Parameter, tuple[str, ...]]:
    """Return the names of the states that the optimiser keeps of each parameter."""
    kept: dict[nn.Parameter, tuple[str, ...]] = {}
    for number, group in enumerate(optimizer.param_groups):
        matrices = isinstance(optimizer, Muon) and number == 0
        for weight in group["params"]:
            kept[weight] = ("momentum",) if matrices else ("exp_avg", "exp_avg_sq")
    return kept


def wsd(training: Training, step: int) -> float:
    """Return the factor of the learning rate at `step`, counted from 0: warmup, stable, decay.

    It rises linearly over the first steps, is 1, and over the last ones falls linearly to 0, which
    the step after the last would have. No step has a rate of 0.
    """
    steps, rising, falling = training.steps, training.rising_steps, training.falling_steps
    up = (step + 1) / rising if step < rising else 1.0
    down = (steps - step) / (falling + 1) if steps - step <= falling else 1.0
    return min(up, down)
