"""What memory a run needs, computed before anything is made, and how much there is.

An operating system may promise memory that it does not have, and kills the process that uses it: on
a CPU nothing fails that could be caught. So the weights, gradients and moments, which are
known to the byte, are compared with what there is, and so many rows are computed at once as
leave some of it. What a row needs is an estimate, from the tensors that a block keeps: 1.03 to 1.5
times the peak resident memory of real steps of 24 shapes, and about twice that of windows without
the end of a document or without the longest patches (`bench/step_memory.py`). A GPU's allocator
fails honestly, and `scaling.train.step` then halves the rows.
"""

import math
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from corpora.errors import InputError
from scaling.flops import BYTE_VOCABULARY, BltShape
from scaling.model.blocks import heads_for
from scaling.spec import RunSpec
from scaling.train.device import World
from scaling.train.machine import MachineSettings
from scaling.train.progress import size_text

_GROUPS = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> float:
    """Return the bytes that can still be had on `device`; infinity where nobody says.

    On a CPU the machine's, or what a control group's limit (that of a container or of a batch job)
    leaves, if that is less.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(free + cached)
    return min([_of_the_machine(), *_of_groups()])


def _of_the_machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _of_groups() -> Iterator[float]:
    """Yield what is left of the limits of this process's group and of those around it."""
    try:
        groups = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in groups:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            folder, limit, usage = _GROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            folder = _GROUPS / "memory"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # In a container the group at the top is its own, and `path` leads nowhere.
        for part in ["", *path.split("/")]:
            folder /= part
            yield _left(folder, limit, usage)


def _left(folder: Path, limit: str, usage: str) -> float:
    try:
        most = float((folder / limit).read_text("ascii"))  # `max` is no number
        used = float((folder / usage).read_text("ascii"))
        stat = (folder / "memory.stat").read_text("ascii").splitlines()
    except (OSError, ValueError):
        return math.inf
    numbers = dict(line.split()[:2] for line in stat)
    # Files that were read are dropped when memory is wanted.
    cached = numbers.get("total_inactive_file") or numbers.get("inactive_file", "0")
    return max(0.0, most - used + float(cached))


STATE_BYTES = 16  # a parameter: weight, gradient, Adam's two moments (Muon's one), each a float32
_ORTHOGONAL_BYTES = 24  # a number in matrices: those that Muon works through, and what they become
_PASSING_BYTES = 7  # a parameter: weights times gains, gradients of a part of the batch
_MOST_OF_IT = 0.7  # of what is available: other programs want some, and estimates err
_FLOAT = 4
_MOST_KEYS_BY_HAND = 512  # as in `scaling.model.attention`
_PLAIN = 2  # the forms without gradients by hand keep so many times as much
_LOGIT_BYTES = 12  # of their logits: float32, its gradient, and both in bfloat16


def matrix_parameters(spec: RunSpec) -> int:
    """Return how many numbers stand in matrices between embeddings and head."""
    shape = spec.model.shape
    if isinstance(shape, BltShape):
        h, d, slots = shape.local_dim, shape.global_dim, shape.cross_factor
        blocks = 12 * (2 * shape.local_layers * h**2 + shape.global_layers * d**2)
        return blocks + 4 * (1 + shape.local_layers) * h**2 + slots * (h**2 + 2 * h * d)
    return 12 * shape.layers * shape.dim**2


def built_parameters(spec: RunSpec) -> int:
    """Return how many numbers are trained, without making any."""
    shape, model = spec.model.shape, spec.model
    if isinstance(shape, BltShape):
        h, layers = shape.local_dim, shape.local_layers
        gains = (6 * layers + 3) * h + 2 * shape.global_layers * shape.global_dim
        cells = (BYTE_VOCABULARY + 1) * h if model.diffusion_block else 0
        return matrix_parameters(spec) + gains + (2 * BYTE_VOCABULARY + 1) * h + cells
    vocabularies = (1 if model.tied_head else 2) * shape.vocabulary_size
    return matrix_parameters(spec) + (vocabularies + 2 + 2 * shape.layers) * shape.dim


def state_bytes(spec: RunSpec) -> int:
    """Return bytes of weights, gradients and moments."""
    unkept = matrix_parameters(spec) if spec.training.optimiser == "muon" else 0
    return STATE_BYTES * built_parameters(spec) - _FLOAT * unkept


def step_bytes(spec: RunSpec, rows: int, by_hand: bool = True) -> float:
    """Return an estimate of the bytes that a step on a CPU takes besides the state.

    Args:
        spec: what is trained; its windows are assumed to hold ends of documents.
        rows: windows computed at once.
        by_hand: whether gradients are those of `scaling.model.fused`: in float32, not compiled.
    """
    shape, width = spec.model.shape, spec.window_units
    if isinstance(shape, BltShape):
        row = _blt_row(spec, shape)
    else:
        heads = spec.model.heads or heads_for(shape.dim)
        row = _stack(shape.layers, shape.dim, heads, width) + 3 * _FLOAT * width * shape.dim
    logits = width * spec.model.vocabulary_size
    if not by_hand:
        row = _PLAIN * row + _LOGIT_BYTES * logits
    # Held-out text is scored by whole rows of logits and their logarithms.
    scoring = 2 * _FLOAT * logits
    muon = spec.training.optimiser == "muon"
    orthogonal = _ORTHOGONAL_BYTES * matrix_parameters(spec) if muon else 0
    return _PASSING_BYTES * built_parameters(spec) + max(rows * row, scoring, orthogonal)


def rows_that_fit(
    spec: RunSpec, machine: MachineSettings, device: torch.device, world: World
) -> int:
    """Return how many of a process's rows to compute at once: all of them, if memory allows it.

    The number that the user asks for is obeyed; on a GPU it is all.

    Raises:
        InputError: the state does not fit, or not one row beside it.
    """
    state, rows = state_bytes(spec), spec.rows // world.size
    free = available_bytes(device) / machine.processes
    if device.type == "cpu":
        free /= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if state > free:
        raise InputError(
            f"a model of {built_parameters(spec):,} parameters takes {size_text(state)} to train"
            f" ({state / built_parameters(spec):.3g} bytes each), and {device} has"
            f" {size_text(free)} available; make it smaller, or train it where there is more memory"
        )
    if machine.micro_rows is not None or device.type != "cpu":
        return machine.micro_rows or rows
    by_hand = machine.autocast(device) is None and not machine.compiles(device)
    single, double, whole = (state + step_bytes(spec, n, by_hand) for n in (1, 2, rows))
    if whole <= _MOST_OF_IT * free:
        return rows
    if single > free:
        raise InputError(
            f"one window of {spec.window_units:,} units takes some {size_text(single)} with this"
            f" model, and {device} has {size_text(free)} available; shorten context_bytes, make the"
            " model smaller, or try it all the same with `micro_rows=1`"
        )
    more = (_MOST_OF_IT * free - single) / (double - single) if double > single else rows
    return max(1, min(rows, 1 + math.floor(more)))


def refuse_what_does_not_fit(
    specs: Collection[RunSpec], machine: MachineSettings, devices: Iterable[str], workers: int
) -> None:
    """See that every run can be trained on each device, before any is.

    Args:
        workers: at once on each device, whose memory they share.

    Raises:
        InputError: one does not fit, or there is no such device.
    """
    for name in devices:
        settings = replace(machine, device=name, processes=workers)
        device = settings.torch_device()
        for spec in specs:
            try:
                rows_that_fit(spec, settings, device, World())
            except InputError as error:
                shared = f" (for each of {workers} `workers`)" if workers > 1 else ""
                raise InputError(f"run {spec.run_id}: {error}{shared}") from error


def _blt_row(spec: RunSpec, shape: BltShape) -> float:
    width, h, slots = spec.window_units, shape.local_dim, shape.cross_factor
    rate = max(1.0, spec.compression_rate)
    latents = min(width, math.ceil(1.1 * width / rate) + 8)  # a document's end costs one more
    patching = spec.patching
    regular = patching is None or patching.kind == "static"
    longest = min(width, math.ceil(rate) if regular or patching is None else patching.most_bytes)
    between = 9 * latents * longest * h + (10 + 2 * slots) * width * h + 8 * latents * slots * h
    heads = spec.model.heads or heads_for(shape.global_dim)
    block = spec.model.diffusion_block or 0
    seen = spec.window_bytes if block else 0
    # Of each block's rows, and of the keys and values that it takes from before it.
    between += latents * h * shape.local_layers * (26 * block + 6 * seen)
    return (
        _stack(2 * shape.local_layers, h, heads_for(h), width, spec.window_bytes)
        + _stack(shape.global_layers, shape.global_dim, heads, latents)
        + _FLOAT * (between + 2 * latents * shape.global_dim)
    )


def _stack(layers: int, width: int, heads: int, units: int, window: int | None = None) -> float:
    """Return bytes of a row of `units` in blocks of which each sees a window, or all, of them."""
    whole = window is None or units <= window
    keys = units if window is None or whole else 1.5 * window
    if keys <= _MOST_KEYS_BY_HAND:
        kept = layers * units * (13.4 * width + heads * keys)
        return _FLOAT * kept + 8 * units * keys
    if window is None or whole:
        mask = (2 + _FLOAT * layers) * units**2
    else:
        mask = (3 + 5 * heads * layers) * units * 2 * window
    return _FLOAT * layers * units * 26 * width + mask
