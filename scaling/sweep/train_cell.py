"""One run of a sweep, in its folder, by one process at a time."""

from collections.abc import Callable

from corpora.errors import InputError
from scaling.data.shards import open_shards
from scaling.record import RunRecord
from scaling.spec_json import SPEC, read_spec
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.leftovers import LOCK, remove_torn
from scaling.sweep.locks import lock
from scaling.train.machine import Machine
from scaling.train.report import Report
from scaling.train.run import train
from scaling.train.stop import StopRequest


def train_cell(
    folder: SweepFolder,
    job: Job,
    machine: Machine,
    *,
    verified: set[str],
    watch: Callable[[Report], object] | None,
    stop: StopRequest,
) -> RunRecord | None:
    """Train the run of `job`, or go on with it; None if told to stop while another process had it.

    Args:
        verified: texts whose every byte was compared before; this one is added.

    Raises:
        InputError: the run's folder or its text is not what was planned, or as `train` does.
    """
    run = folder.run(job.run_id)
    if not run.is_dir():
        raise InputError(f"{run}: there is no such folder; plan the sweep again")
    with lock(run / LOCK, lambda: stop.signal is not None) as held:
        if not held:
            return None
        remove_torn(run)
        spec = read_spec(run / SPEC)
        if spec.run_id != job.run_id:
            raise InputError(f"{run}: holds run {spec.run_id}; plan the sweep again")
        shards = open_shards(folder.shards / job.shards, verify=job.shards not in verified)
        verified.add(job.shards)
        return train(spec, shards, run, machine, watch, job.patching_flops, stop)
