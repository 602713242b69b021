"""How fast a run trains here, by real steps of it."""

import time

import torch

from scaling.data.shards import Shards
from scaling.data.starts import patches_of
from scaling.data.windows import Windows
from scaling.model.build import build_model
from scaling.spec import RunSpec
from scaling.train.distributed import World
from scaling.train.machine import Machine, synchronize
from scaling.train.memory import rows_that_fit
from scaling.train.optimizer import adamw
from scaling.train.step import Stepper

_WARM_UP = 2  # steps


def seconds_per_byte(spec: RunSpec, shards: Shards, machine: Machine, seconds: float) -> float:
    """Return the seconds that training takes for a byte of text, over at least one step.

    Args:
        seconds: to go on for.

    Raises:
        InputError: there is too little text or memory, or no such device.
    """
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    device = machine.torch_device()
    rows = rows_that_fit(spec, machine, device, World())
    model = build_model(spec).to(device)
    stepper = Stepper(
        model,
        adamw(model, spec.training),
        Windows(shards.train, spec.window_units, spec.seed, patches_of(spec)),
        rows=spec.rows,
        clip=spec.training.clip,
        device=device,
        autocast=machine.autocast(device),
        world=World(),
        micro_rows=rows,
    )
    for step in range(_WARM_UP):
        stepper.step(step)
    synchronize(device)
    begun, steps, taken = time.perf_counter(), 0, 0.0
    while not steps or taken < seconds:
        stepper.step(_WARM_UP + steps)
        synchronize(device)
        steps += 1
        taken = time.perf_counter() - begun
    return taken / (steps * spec.training.batch_bytes)
