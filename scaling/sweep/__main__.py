"""Train a prepared sweep where there is only Python, NumPy, PyTorch and safetensors.

    python -m scaling.sweep SWEEP --unpack sweep.tar.gz --device cuda --workers 4
    python -m scaling.sweep SWEEP --device cuda --pack records.tar.gz

SWEEP is the folder of the sweep. What is packed comes from `tokenize-lab scaling sweep NAME --pack
sweep.tar.gz`, and `tokenize-lab scaling sweep NAME --unpack records.tar.gz` takes what was trained.
Stopped or killed, the same command goes on where it was. It ends with a line of JSON: how many runs
are in each phase.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from corpora.errors import InputError, as_options
from scaling.sweep.folder import SweepFolder
from scaling.sweep.local import run_local
from scaling.sweep.pack import PACK_LIMIT, pack_sweep, unpack_sweep
from scaling.sweep.queue import status_line
from scaling.sweep.status import StatusReader, SweepStatus
from scaling.train.device import device_names
from scaling.train.machine import MachineSettings
from scaling.train.memory import refuse_what_does_not_fit
from scaling.train.progress import ProgressPrinter, StopRequest, stop_on_signal

_OWN = {name: f"--{name.replace('_', '-')}" for name in ("workers", "pack", "pack_limit")}


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 if a run failed, 2 for bad input, 130 or 143 stopped."""
    parser = argparse.ArgumentParser(prog="python -m scaling.sweep", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("sweep", type=Path, help="folder of the sweep")
    parser.add_argument("--unpack", type=Path, help="first put this pack into the folder")
    parser.add_argument("--pack", type=Path, help="in the end pack what was trained, as .tar.gz")
    parser.add_argument("--pack-limit", type=float, default=PACK_LIMIT, help="MiB of that file")
    parser.add_argument("--weights", action="store_true", help="pack weights and checkpoints, too")
    parser.add_argument(
        "--retry-failed", action="store_true", help="take up again what failed before"
    )
    workers = parser.add_argument("--workers", type=int, default=1, help="for each device")
    MachineSettings.add_options(parser, without=("processes",))
    parser.set_defaults(threads=1)
    asked = parser.parse_args(arguments)
    if asked.workers < 1:
        parser.error(f"argument {workers.option_strings[0]}: {asked.workers} is none")
    try:
        with stop_on_signal() as stop:
            status = _train(asked, stop)
        if asked.pack is not None:
            folder, limit = SweepFolder(asked.sweep), asked.pack_limit
            pack_sweep(folder, asked.pack, limit=limit, texts=False, weights=asked.weights)
            left = len(status.runs) - sum(run.ended for run in status.runs)
            if left and not asked.weights:
                what = f"left out is what has not ended, {left:,} of {len(status.runs):,} runs"
                sys.stderr.write(f"{asked.pack}: {what}; --weights packs what they go on from\n")
    except InputError as error:
        options = {**MachineSettings.options(), **_OWN}
        sys.stderr.write(f"{as_options(str(error), options)}\n")
        return 2
    sys.stdout.write(json.dumps(status.counts) + "\n")
    for run in status.runs:
        if run.phase in ("failed", "diverged"):
            sys.stderr.write(f"{run.job.run_id}: {run.phase}: {run.reason}\n")
    if stop.signal is not None and not status.ended:
        sys.stderr.write(f"{asked.sweep}: saved; run again to go on\n")
        return stop.exit_code
    return 1 if status.counts["failed"] or not status.ended else 0


def _train(asked: argparse.Namespace, stop: StopRequest) -> SweepStatus:
    machine = MachineSettings.parsed(asked).checked()
    folder, begun = SweepFolder(asked.sweep), time.monotonic()
    if asked.unpack is not None:
        unpack_sweep(asked.unpack, folder)

    def line(status: SweepStatus) -> str:
        return status_line(status, time.monotonic() - begun)

    devices = device_names(machine.device)
    left = StatusReader(folder).specs_left()
    refuse_what_does_not_fit(left, machine, devices, asked.workers)
    with ProgressPrinter(line) as printer:
        status = run_local(
            folder,
            devices=devices,
            workers_per_device=asked.workers,
            settings=machine,
            retry_failed=asked.retry_failed,
            watch=printer,
            stop=stop,
        )
        printer.write(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
