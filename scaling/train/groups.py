"""Which runs of a sweep are trained together, as one model with a member for each, and how many.

Runs are alike if they differ only in what a member keeps to itself: seed, learning rate and its
schedule, steps, shares of a mixture. All else decides shapes: model, patches, text, context, rows
of a batch, optimiser.

How many pay depends on the device. A GPU is filled by some number of operations at once, whatever
they are of: as many members are taken as do `FILLING_FLOPS` in a step, `MOST_MEMBERS` at most, so
that a larger model trains by itself. On one thread of a CPU a step of a small model is bound by its
arithmetic and its memory, and members save little of either (`bench/together.py`).

This module needs the standard library alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from scaling.flops import training_flops_per_byte
from scaling.spec import RunSpec

# A few milliseconds of a large GPU that reaches a fifth of its peak; by count, not yet measured.
FILLING_FLOPS = 1e12
MOST_MEMBERS = 16


def alike(spec: RunSpec) -> RunSpec:
    """Return what a run has in common with those that it can be trained together with."""
    own = {"steps": 0, "learning_rate": 0.0, "warmup": 0.0, "decay": 0.0, "warmup_steps": None}
    return replace(
        spec,
        training=replace(spec.training, **own),  # type: ignore[arg-type]
        seed=0,
        compute_flops=None,
        shares={},
        compression_rate=float(spec.window_units),  # that of a mixture is its own
        name="",
    )


def most_members(spec: RunSpec, device: str, asked: int | None = None) -> int:
    """Return how many runs like this one are to be trained together at most.

    Args:
        device: `cpu`, `cuda`, `cuda:0`. asked: by the user, who may know better; None for the rule.
    """
    if spec.model.diffusion_block:  # its blocks are scored row by row
        return 1
    if asked is not None:
        return asked
    if device == "cpu":
        return 1
    flops = training_flops_per_byte(spec.model.shape, spec.cost_context)
    return max(1, min(MOST_MEMBERS, int(FILLING_FLOPS / (flops * spec.training.batch_bytes))))


def groups_of(
    specs: Sequence[RunSpec], device: str, at_once: int, asked: int | None = None
) -> list[list[int]]:
    """Return the groups in which runs are trained, as their places; those alone are groups of one.

    Args:
        at_once: workers there are, none of which is to be left without a run.
    """
    most = max(1, -(-len(specs) // at_once))
    groups: dict[RunSpec, list[list[int]]] = {}
    for place, spec in enumerate(specs):
        found = groups.setdefault(alike(spec), [[]])
        if len(found[-1]) == min(most, most_members(spec, device, asked)):
            found.append([])
        found[-1].append(place)
    return [group for found in groups.values() for group in found]
