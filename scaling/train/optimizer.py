"""AdamW (Loshchilov and Hutter 2019), decaying matrices only."""

import torch
from torch import nn

from scaling.spec import Training

_NOT_DECAYED = ("gain", "embedding", "bos")


def adamw(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """Return the optimiser of a run; embeddings and gains are not decayed."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (free if name.rpartition(".")[2] in _NOT_DECAYED else decayed).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": training.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=training.learning_rate,
        betas=(training.beta1, training.beta2),
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
