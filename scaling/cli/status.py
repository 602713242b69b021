"""`tokenize-lab scaling status` and `collect`: what has become of a sweep's runs so far."""

import io
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from corpora.cli import JsonOption
from corpora.errors import InputError
from corpora.output import drawn, emit
from scaling.cli.options import output_option, print_json

SweepDir = Annotated[Path, typer.Argument(metavar="DIR", help="folder of a sweep")]
_HOME_AND_CLEAR = "\x1b[H\x1b[J"


def status(
    sweep: SweepDir,
    watch: Annotated[
        bool, typer.Option("--watch", help="on a terminal, until all runs have ended")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.1, help="seconds between two looks, under --watch")
    ] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Show how the runs of a sweep stand: steps, bits per byte, cost, and the time left.

    It reads files and nothing else, so it works while the sweep runs, from any machine that shares
    the folder.

    \b
    tokenize-lab scaling status sweeps/first
    tokenize-lab scaling status sweeps/first --watch
    """
    from scaling.sweep.folder import SweepFolder
    from scaling.sweep.status import sweep_status
    from scaling.sweep.text import status_text

    folder = SweepFolder(sweep)
    if not watch:
        found = sweep_status(folder)
        if as_json:
            print_json(found.to_json())
        else:
            emit(drawn(status_text(found)))
        return
    if as_json or sys.stdout is None or not sys.stdout.isatty():
        raise InputError("--watch is for a terminal; leave it out to print once")
    try:
        while True:
            found = sweep_status(folder)
            emit([_HOME_AND_CLEAR, *drawn(status_text(found))])
            if found.ended:
                return
            time.sleep(every)
    except KeyboardInterrupt:  # how one stops watching
        return


def collect(
    sweep: SweepDir,
    out: Annotated[
        Path | None, output_option(help=".parquet or .csv", show_default="DIR/runs.parquet")
    ] = None,
    tensorboard: Annotated[
        Path | None,
        output_option(
            help="folder for every run's metrics as TensorBoard events, those under way too"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one table of all runs that have ended, for `scaling fit` and for other programs.

    `scaling fit DIR` reads the sweep as it is; the table is for when its folder stays behind.

    \b
    tokenize-lab scaling collect sweeps/first --out runs.parquet
    tokenize-lab scaling collect sweeps/first --tensorboard out/events
    """
    from corpora.files import written_whole
    from scaling.sweep.collect import read_records, runs_table, write_events
    from scaling.sweep.folder import SweepFolder

    target = out or sweep / "runs.parquet"
    if target.suffix.lower() not in (".parquet", ".csv"):
        raise InputError(f"--out {target}: name a .parquet or .csv file")
    folder = SweepFolder(sweep)
    records = read_records(folder)
    frame = runs_table(records)
    content = io.BytesIO()  # polars has an error of its own for a full disk
    if target.suffix.lower() == ".csv":
        frame.write_csv(content)
    else:
        frame.write_parquet(content)
    with written_whole(target) as temporary:
        temporary.write_bytes(content.getvalue())
    events = None if tensorboard is None else write_events(folder, records, tensorboard)
    statuses: dict[str, int] = dict(frame["status"].value_counts(sort=True).iter_rows())
    missing = len(records.jobs) - frame.height
    if as_json:
        of_events = {} if events is None else {"events": str(tensorboard), "runs_of_events": events}
        print_json({"file": str(target), "runs": statuses, "not_ended": missing, **of_events})
        return
    found = ", ".join(f"{count:,} {status}" for status, count in statuses.items()) or "no run"
    more = f"; {missing:,} have not ended and are left out" if missing else ""
    emit([f"{target}: {found}{more}\n"])
    if events is not None:
        runs = f"{events:,} run{'' if events == 1 else 's'}"
        emit([f"{tensorboard}: events of {runs} (then: tensorboard --logdir {tensorboard})\n"])
