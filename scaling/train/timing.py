"""How fast a run trains here: real steps of it, timed.

Steps are those that a run would take on this machine with these settings, compiled, recorded and
read as its own are. The first ones, which compile and make what is kept, are taken before the clock
begins; a GPU is waited for at either end.
"""

import time

import torch

from scaling.data.order import windows_of
from scaling.data.shards import Shards
from scaling.model.weights import build_model
from scaling.spec import RunSpec
from scaling.train.device import World, synchronize
from scaling.train.machine import MachineSettings
from scaling.train.memory import rows_that_fit
from scaling.train.optimiser import optimiser_of
from scaling.train.recorded import WARM_UP
from scaling.train.step import stepper_of

_WARM_UP = 2  # steps of a CPU


def seconds_per_byte(
    spec: RunSpec, shards: Shards, machine: MachineSettings, seconds: float
) -> float:
    """Return the seconds that training takes here for a byte of text, over at least one real step.

    Args:
        spec: of the run; its model is made, and trained for as long as that takes.
        shards: the text that it reads.
        machine: where it would run, and how; nothing is written there.
        seconds: to spend, after the first steps.

    Raises:
        InputError: there is too little text or memory, or no such device.
    """
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    device = machine.torch_device()
    rows = rows_that_fit(spec, machine, device, World())
    model = build_model(spec).to(device)
    optimizer = optimiser_of(model, spec.training)
    stepper = stepper_of(
        spec, model, optimizer, windows_of(spec, shards), machine, device, World(), rows
    )
    every = machine.reads_every(device)
    warm_up = _WARM_UP if every == 1 else 1 + WARM_UP  # the last of them is recorded
    for step in range(warm_up):
        stepper.ask(step, checked=every == 1)
    synchronize(device)
    begun, steps, taken = time.perf_counter(), 0, 0.0
    while not steps or taken < seconds:
        for _ in range(every):
            stepper.ask(warm_up + steps, checked=every == 1)
            steps += 1
        synchronize(device)
        taken = time.perf_counter() - begun
    return taken / (steps * spec.training.batch_bytes)
