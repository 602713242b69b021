"""Train one run where there is only Python, NumPy, PyTorch and safetensors.

    python -m scaling.train SPEC.json SHARDS --out RUN
    torchrun --nproc-per-node 8 -m scaling.train SPEC.json SHARDS --out RUN

SPEC.json and the folder of shards come from `tokenize-lab scaling train SPEC.toml --prepare`.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from corpora.errors import InputError, as_options
from scaling.data.shards import open_shards
from scaling.record import read_spec
from scaling.train.machine import MachineSettings
from scaling.train.progress import ProgressPrinter, report_line, stop_on_signal
from scaling.train.run import train


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 for a run that diverged, 2 for bad input, 130 or 143 stopped."""
    parser = argparse.ArgumentParser(prog="python -m scaling.train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("spec", type=Path, help="spec.json of the run")
    parser.add_argument("shards", type=Path, help="folder of its shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    MachineSettings.add_options(parser, without=("together",))
    parser.add_argument("--patching-flops", type=_flops, default=0.0, help="for the record")
    asked = parser.parse_args(arguments)
    try:
        with stop_on_signal() as stop, ProgressPrinter(report_line) as watch:
            record = train(
                read_spec(asked.spec),
                open_shards(asked.shards, verify=True),  # they may have come a long way
                asked.out,
                MachineSettings.parsed(asked),
                watch,
                asked.patching_flops,
                stop,
            )
    except InputError as error:
        sys.stderr.write(f"{as_options(str(error), MachineSettings.options())}\n")
        return 2
    if stop.signal is not None and record.status == "interrupted":
        sys.stderr.write(f"{asked.out}: saved at step {record.steps:,}; run again to go on\n")
        return stop.exit_code
    sys.stdout.write(json.dumps(record.to_json()["derived"], allow_nan=False) + "\n")
    return 0 if record.status == "finished" else 1


def _flops(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
