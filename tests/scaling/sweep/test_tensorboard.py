"""Events are read back by TensorBoard itself, and are what the metrics say."""

import importlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import InputError
from scaling.record import RECORD, SPEC, read_record, read_spec, write_record
from scaling.sweep.collect import HELD_OUT, STEP_TAGS, read_records, run_name
from scaling.sweep.collect import write_events as write_events_of
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.local import run_local
from scaling.train.metrics import METRICS
from tests.cli import command
from tests.scaling.sweep.records import reads, record_of
from tests.scaling.sweep.sweeps import planned, tiny

pytest.importorskip("tensorboard", reason="TensorBoard is not installed")


def write_events(folder: SweepFolder, out: Path) -> int:
    return write_events_of(folder, read_records(folder), out)


def read_back(path: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Return every scalar of a run's folder: step, wall time, value."""
    module: Any = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(str(path), size_guidance={module.SCALARS: 0})
    found.Reload()
    return {
        tag: [(one.step, one.wall_time, one.value) for one in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_it_reads_back_what_the_metrics_say(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path / "sweep", [tiny(0, 20), tiny(1, 30), tiny(2, 10)])
    renamed(folder, *jobs[:2])
    run_local(folder)
    renamed(folder, *jobs)
    out = tmp_path / "events"
    assert write_events(folder, out) == 2
    paths = sorted(out.iterdir())
    assert len(paths) == 2
    for path in paths:
        run = folder.run(path.name.rpartition("_")[2])
        metrics = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
        scalars = read_back(path)
        record = read_record(run)
        assert record is not None and record.bits_per_byte is not None
        assert set(scalars) == {*STEP_TAGS, HELD_OUT}
        assert scalars[HELD_OUT][0][2] == pytest.approx(record.bits_per_byte, rel=1e-6)
        for tag, name in STEP_TAGS.items():
            assert [step for step, _, _ in scalars[tag]] == [line["step"] for line in metrics]
            assert [value for _, _, value in scalars[tag]] == pytest.approx(
                [line[name] for line in metrics], rel=1e-6
            )
    before = {path: path.read_bytes() for path in out.rglob("events*")}
    write_events(folder, out)
    assert {path: path.read_bytes() for path in out.rglob("events*")} == before


def test_torn_lines_and_numbers_that_are_not_finite_are_passed_over(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path / "sweep", [tiny(0, 20)])
    lines = [
        {"step": 1, "bits_per_byte": 8.0, "learning_rate": 1e-3, "seconds": 0.5},
        {"step": 2, "bits_per_byte": None, "learning_rate": 2e-3, "seconds": 0.75},
        {"step": 3, "bits_per_byte": "much", "learning_rate": math.inf, "seconds": 1.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '[1]\n{"step": 4, "bits'
    (folder.run(job.run_id) / METRICS).write_text(text)
    write_events(folder, tmp_path / "events")
    (path,) = (tmp_path / "events").iterdir()
    assert read_back(path) == {
        "train/bits_per_byte": [(1, 0.5, 8.0)],
        "train/learning_rate": [(1, 0.5, pytest.approx(1e-3)), (2, 0.75, pytest.approx(2e-3))],
    }


def test_lines_that_no_event_can_hold_are_passed_over(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path / "sweep", [tiny(0, 20)])
    lines = [
        '{"step": 9223372036854775808, "seconds": 1}',
        '{"step": 1e999, "seconds": 1}',
        '{"step": 1, "seconds": "1"}',
        '{"step": 2, "seconds": 2, "bits_per_byte": 1e300, "train_bytes": -1e999}',
        '{"step": 3, "seconds": 3, "bits_per_byte": 4, "train_bytes": 512}',
    ]
    (folder.run(job.run_id) / METRICS).write_text("\n".join(lines) + "\n")
    write_events(folder, tmp_path / "events")
    (path,) = (tmp_path / "events").iterdir()
    assert read_back(path) == {"train/bits_per_byte": [(3, 3, 4)], "train/bytes": [(3, 3, 512)]}


def measured(folder: SweepFolder, job: Job) -> Path:
    """Write metrics of one step and return their file."""
    path = folder.run(job.run_id) / METRICS
    path.write_text('{"step": 1, "seconds": 1}\n')
    return path


def renamed(folder: SweepFolder, *jobs: Job) -> None:
    write_sweep(folder, Sweep("tiny", jobs, {}))


def test_long_names_are_cut_between_letters_and_the_run_is_named_whole(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path / "sweep", [tiny(0, 20)])
    renamed(folder, replace(job, text="é" * 200, label="x" + "日" * 200))
    measured(folder, job)
    assert write_events(folder, tmp_path / "events") == 1
    (path,) = (tmp_path / "events").iterdir()
    assert path.name.startswith("é" * 30 + "_x" + "日" * 19 + "_T=")
    assert path.name.endswith(f"_{job.run_id}")


def test_a_run_that_ended_needs_no_specification_beside_its_record(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path / "sweep", [tiny(0), tiny(1)])
    for job in jobs:
        measured(folder, job)
    run = folder.run(jobs[0].run_id)
    write_record(run, record_of(read_spec(run / SPEC)))
    (run / SPEC).unlink()
    assert write_events(folder, tmp_path / "events") == 2


def test_a_target_that_is_a_file_is_refused_by_its_option(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path / "sweep", [tiny(0)])
    measured(folder, job)
    (tmp_path / "events").write_text("mine")
    with pytest.raises(InputError, match=r"cannot be written.*; name another `tensorboard`"):
        write_events(folder, tmp_path / "events")
    assert (tmp_path / "events").read_text() == "mine"


def test_a_renamed_run_is_shown_once_and_nothing_else_is_removed(tmp_path: Path) -> None:
    folder, (first, second) = planned(tmp_path / "sweep", [tiny(0), tiny(1)])
    out = tmp_path / "events"
    for job in (first, second):
        measured(folder, job)
    write_events(folder, out)
    old = {path.name.rpartition("_")[2]: path for path in out.iterdir()}
    (old[second.run_id] / "notes.txt").write_text("mine")
    (out / "other").mkdir()
    (out / "other" / "events.out.tfevents.0123456789abcdef").write_text("another's")
    (out / "other" / "deeper").mkdir()
    (out / "other" / "deeper" / f"events.out.tfevents.{first.run_id}").write_text("mine")
    renamed(folder, replace(first, text="new"), replace(second, label="new"))
    write_events(folder, out)
    kept = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert not old[first.run_id].exists()
    specs = [read_spec(folder.run(job.run_id) / SPEC) for job in (first, second)]
    names = [
        run_name(replace(first, text="new"), specs[0]),
        run_name(replace(second, label="new"), specs[1]),
    ]
    assert kept == {
        f"{names[0]}/events.out.tfevents.{first.run_id}",
        f"{names[1]}/events.out.tfevents.{second.run_id}",
        f"{old[second.run_id].name}/notes.txt",
        "other/events.out.tfevents.0123456789abcdef",
        f"other/deeper/events.out.tfevents.{first.run_id}",
    }


def test_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder, (job,) = planned(tmp_path / "sweep", [tiny(0, 20)])
    hostile = replace(job, text="../../../out", label="/etc/passwd\n<b>")
    name = run_name(hostile, read_spec(folder.run(job.run_id) / SPEC))
    assert "/" not in name and not name.startswith(".") and name.endswith(f"_{job.run_id}")
    write_sweep(folder, Sweep("tiny", (hostile,), {}))
    (folder.run(job.run_id) / METRICS).write_text('{"step": 1, "seconds": 1}\n')
    write_events(folder, tmp_path / "events")
    assert [path.name for path in (tmp_path / "events").iterdir()] == [name]


def test_the_command_writes_them_and_reads_every_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = planned(tmp_path / "sweep", [tiny(0, 5), tiny(1, 5)])
    run_local(folder)
    counts = reads(monkeypatch)
    events = tmp_path / "events"
    done = command(f"scaling collect {folder.path} --tensorboard {events}")
    assert f"{events}: events of 2 runs (then: tensorboard --logdir {events})" in done.stdout
    assert len(list(events.rglob("events*"))) == 2
    assert counts == {"sweep.json": 1, RECORD: 2}


@pytest.mark.usefixtures("no_extras")
def test_without_tensorboard_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    with pytest.raises(InputError, match=r"pip install '\.\[tensorboard\]'"):
        write_events(folder, tmp_path / "events")
