"""AdamW, and what every optimiser of a run is.

The arithmetic is PyTorch's own. Its classes are not used: whoever makes one of them loads the
tracer behind `torch.compile`, and without that a run starts in half the time (LOG.md).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

_EPS = 1e-8  # as PyTorch has it


class Optimizer:
    """Moves parameters by their gradients.

    Attributes:
        param_groups: parameters ("params") that are moved alike, and how: their rate ("lr"), a
            float or a scalar on their device, and decay ("weight_decay").
        state: what is kept of each parameter from step to step, by name.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None

    def step(self) -> None:
        """Take a step; a parameter without a gradient stays as it is."""
        raise NotImplementedError


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter 2019), one launch of a GPU for a group of parameters.

    Args:
        groups: as in `param_groups`.
        betas: how much of the means of gradients and of their squares lasts from step to step.
        recorded: whether steps may be recorded, as graphs of a GPU.
    """

    def __init__(
        self, groups: list[dict[str, Any]], betas: tuple[float, float], recorded: bool
    ) -> None:
        super().__init__(groups)
        self.betas, self.recorded = betas, recorded

    @torch.no_grad()
    def step(self) -> None:
        """Take a step; a parameter without a gradient stays as it is."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            states = [self._state(weight) for weight in weights]
            adamw(
                weights,
                [weight.grad for weight in weights],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                capturable=self.recorded,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=_EPS,
                maximize=False,
            )

    def _state(self, weight: nn.Parameter) -> dict[str, Tensor]:
        if weight not in self.state:
            self.state[weight] = {
                "step": torch.zeros((), dtype=torch.float32, device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        return self.state[weight]
