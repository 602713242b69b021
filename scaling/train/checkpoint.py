"""A run's state between two steps: weights, optimiser, place in the data, random numbers.

The order of the text follows from seed and step, so its place is the step itself.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

import torch
from torch import Tensor, nn

from corpora.errors import InputError
from scaling.model.weights import check_like, load_weights, read_tensors, write_tensors
from scaling.train.adamw import Optimizer
from scaling.train.optimiser import kept_of

CHECKPOINT = "checkpoint.safetensors"
_REMEDY = "delete it to start the run again"
_MODEL, _RANDOM = "model.", "random"
# Of what an optimiser keeps.
_PREFIXES = {"exp_avg": "mean.", "exp_avg_sq": "square.", "momentum": "momentum."}


@dataclass
class RunProgress:
    """What a run has behind it.

    Attributes:
        step: steps taken. train_bytes, train_tokens: what they read.
        seconds: spent, over all interruptions.
        smoothed: the loss, smoothed, in nats per target. micro_rows: rows computed at once.
    """

    step: int = 0
    train_bytes: int = 0
    train_tokens: int = 0
    seconds: float = 0.0
    smoothed: float = 0.0
    micro_rows: int = 0


def save_checkpoint(
    path: Path,
    run_id: str,
    model: nn.Module,
    optimizer: Optimizer,
    progress: RunProgress,
) -> None:
    """Write the state; until it is whole, the one before stays.

    Raises:
        InputError: it cannot be written, as when the disk is full.
    """
    tensors = {_RANDOM: torch.get_rng_state()}
    for name, parameter in model.named_parameters():
        tensors[_MODEL + name] = parameter
        for key, kept in optimizer.state.get(parameter, {}).items():
            if key in _PREFIXES:  # Adam counts steps, too
                tensors[_PREFIXES[key] + name] = kept
    notes = {name: repr(value) for name, value in asdict(progress).items()}
    write_tensors(path, tensors, {"run_id": run_id, **notes})


def load_checkpoint(
    path: Path, run_id: str, steps: int, model: nn.Module, optimizer: Optimizer
) -> RunProgress:
    """Put a run of `steps` steps back into the state that was saved, on the model's device.

    Raises:
        InputError: the file is truncated, another run's, or not what a checkpoint can be; nothing
            was changed.
    """
    numbers = sum(parameter.numel() for parameter in model.parameters())
    tensors, notes = read_tensors(path, numbers)
    if notes.get("run_id") != run_id:
        other = notes.get("run_id", "(unnamed)")
        raise InputError(f"{path}: a checkpoint of run {other}, not of {run_id}; {_REMEDY}")
    progress = _progress(notes, path, steps)
    random = _random(tensors.pop(_RANDOM, None), path)
    kept = _kept(tensors, model, optimizer, path)
    names = [name for name in tensors if name.startswith(_MODEL)]
    weights = {name.removeprefix(_MODEL): tensors[name] for name in names}
    known = {_PREFIXES[key] + name for name in weights for key in kept.get(name, ())}
    stray = set(tensors) - set(names) - known
    if stray:
        raise InputError(f"{path}: holds {min(stray)}, which no checkpoint does; {_REMEDY}")
    load_weights(model, weights, path)
    # All that can be wrong has been looked for: from here on nothing fails.
    for name, parameter in model.named_parameters():
        state = {key: tensor.to(parameter.device) for key, tensor in kept[name].items()}
        if "exp_avg" in state:
            state["step"] = torch.tensor(float(progress.step), device=parameter.device)
        optimizer.state[parameter] = state
    torch.set_rng_state(random)
    return progress


def _random(state: Tensor | None, path: Path) -> Tensor:
    if state is None:
        raise InputError(f"{path}: lacks the state of the random numbers; {_REMEDY}")
    check_like(state, torch.get_rng_state(), _RANDOM, path)
    try:
        torch.Generator().set_state(state)
    except RuntimeError as error:
        raise InputError(f"{path}: {_RANDOM} is no state of random numbers; {_REMEDY}") from error
    return state


def _kept(
    tensors: dict[str, Tensor], model: nn.Module, optimizer: Optimizer, path: Path
) -> dict[str, dict[str, Tensor]]:
    """Return what the optimiser is to keep of each parameter, by name."""
    keys_of = kept_of(optimizer)
    kept: dict[str, dict[str, Tensor]] = {}
    for name, parameter in model.named_parameters():
        kept[name] = {}
        for key in keys_of[parameter]:
            stored = _PREFIXES[key] + name
            tensor = tensors.get(stored)
            if tensor is None:
                raise InputError(f"{path}: lacks {stored}; {_REMEDY}")
            check_like(tensor, parameter, stored, path)
            negative = key == "exp_avg_sq" and (tensor < 0).any()
            if negative or not torch.isfinite(tensor).all():
                raise InputError(f"{path}: {stored} holds impossible numbers; {_REMEDY}")
            kept[name][key] = tensor
    return kept


def _progress(notes: dict[str, str], path: Path, steps: int) -> RunProgress:
    try:
        values = {name: kind(notes[name]) for name, kind in get_type_hints(RunProgress).items()}
    except (KeyError, ValueError) as error:
        why = f"says nothing of where the run stood ({error}); {_REMEDY}"
        raise InputError(f"{path}: {why}") from error
    progress = RunProgress(**values)
    if not all(0 <= value < math.inf for value in values.values()):
        raise InputError(f"{path}: says impossible numbers of where the run stood; {_REMEDY}")
    if not 1 <= progress.step <= steps:
        where = f"step {progress.step:,} of a run of {steps:,}"
        raise InputError(f"{path}: stands at {where}; {_REMEDY}")
    return progress
