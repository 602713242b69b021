"""The check of a grid's rates: what it trains, where, and what is said of it."""

from pathlib import Path

import pytest

from corpora.errors import InputError
from reports.sweep.curves import learning
from reports.sweep.results import read_sweep_results
from scaling.config.sweep_file import read_sweep_file
from scaling.record import SPEC, RunRecord, failed_record, read_spec, write_record
from scaling.sweep.cells import cells_of
from scaling.sweep.folder import Sweep, SweepFolder, check_folder, read_sweep, write_sweep
from scaling.tune.rates import FACTORS, check_file, check_rows, make_check_folder, rate_checks
from tests.cli import answer, command
from tests.scaling.config.test_sweep_file import BLT, SUBWORD, TRAINING
from tests.scaling.sweep.records import record_of
from tests.scaling.sweep.sweeps import planned, tiny

TEXT = '[texts.english]\ncorpus = ["embedded:eng_Latn"]\nheld_out_bytes = 1000\n'
GRID = f'name = "g"\ncompute_flops = [2e9, 1e9]\nseeds = [3, 4]\n{TEXT}{BLT}{SUBWORD}{TRAINING}'


def file_of(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def test_a_check_is_of_the_ends_of_the_grid_at_rates_around_their_own(tmp_path: Path) -> None:
    path = file_of(tmp_path, GRID.replace("[[1, 16], [2, 32]]", "[[2, 32], [1, 16], [1, 24]]"))
    asked = [cell.asked for cell in cells_of(check_file(read_sweep_file(path)), path)]
    assert {one.training.compute_flops for one in asked} == {1e9}
    assert {one.training.seed for one in asked} == {3}
    blt = [one for one in asked if one.model.family == "blt"]
    assert {(one.model.layers, one.model.dim) for one in blt} == {(1, 16), (2, 32)}
    assert {one.patching.compression_rate for one in blt if one.patching} == {4}
    rates = [one.build_training(one.model.build(), 4.0).learning_rate for one in blt]
    assert sorted(set(rates)) == pytest.approx([0.02 * factor for factor in FACTORS])
    assert len({one.data.tokenizer for one in asked if one.model.family == "subword"}) == 1


def test_rates_of_a_file_are_an_axis(tmp_path: Path) -> None:
    path = file_of(tmp_path, GRID + "rate_factors = [1, 3]\n")
    file = read_sweep_file(path)
    assert len(cells_of(file, path)) == 2 * len(
        cells_of(read_sweep_file(file_of(tmp_path, GRID)), path)
    )
    with pytest.raises(InputError, match="several `rate_factors`"):
        check_file(file)
    with pytest.raises(InputError, match="has 3 twice"):
        read_sweep_file(file_of(tmp_path, GRID + "rate_factors = [3, 3.0]\n"))


def checked(path: Path, losses: list[float | None]) -> SweepFolder:
    """Write a check of one end, whose runs came to these bits per byte."""
    folder, _ = planned(path / "grid", [tiny(0, 400)])
    inner = make_check_folder(folder)
    assert inner.shards.samefile(folder.shards)
    specs = [tiny(0, 400, learning_rate=3e-3 * factor) for factor in FACTORS]
    made, jobs = planned(path / "made", specs)
    write_sweep(inner, Sweep("grid, rates", tuple(jobs), {}))
    for job, loss in zip(jobs, losses, strict=True):
        spec = read_spec(made.run(job.run_id) / SPEC)
        record: RunRecord = record_of(spec)
        if loss is None:
            record = record_of(spec, status="diverged", validation_nats=None)
        else:
            nats = record.validation_bytes * loss * 0.6931471805599453
            record = record_of(spec, validation_nats=nats)
        write_record(inner.run(job.run_id), record)
    return folder


def test_what_came_of_it_is_told(tmp_path: Path) -> None:
    folder = checked(tmp_path, [2.6, 2.5, 2.45, 2.4, None])
    (check,) = rate_checks(check_folder(folder))
    assert list(check.bits) == list(FACTORS)
    assert check.bits[4.0] is None
    assert check.best == 2.0
    assert check.above_best == pytest.approx(0.05)
    assert check.spec.training.learning_rate == pytest.approx(3e-3)
    headings, (row,) = check_rows([check])
    assert headings[4:] == ["x 0.25", "x 0.5", "x 1", "x 2", "x 4", "above best"]
    assert row[3:] == ["0.003", "2.600", "2.500", "2.450", "2.400", "", "0.050"]
    body = learning(read_sweep_results(folder.path)).body
    assert "own rate is 0.050 bits per byte above the best, at 2 times it" in body
    assert "the end of the check" in body  # 4 times it diverged


def test_the_end_of_the_check_is_said_to_be_one(tmp_path: Path) -> None:
    folder = checked(tmp_path, [2.3, 2.4, 2.5, 2.6, 2.7])
    (check,) = rate_checks(check_folder(folder))
    assert check_rows([check])[1][0][-1] == "0.200 or more"


def test_the_command_checks_before_it_trains_the_grid(tmp_path: Path) -> None:
    small = GRID.replace("[2e9, 1e9]", "[3e7, 2e7]").replace("seeds = [3, 4]\n", "")
    arm = BLT.replace("[[1, 16], [2, 32]]", "[[1, 16]]").replace("[2, 4.0, 8]", "[4]")
    path = file_of(tmp_path, small.replace(BLT, arm).replace(SUBWORD, ""))
    words = f"scaling sweep {path} --out {tmp_path}/out --tune --workers 1 --device cpu"
    value = answer(f"{words} --no-calibration")
    assert value["finished"] == 2
    (check,) = value["rates"]
    assert list(check["bits_per_byte"]) == ["0.25", "0.5", "1", "2", "4"]
    assert check["above_best"] >= 0 and check["learning_rate"] == 0.02
    assert len(read_sweep(SweepFolder(tmp_path / "out")).jobs) == 2
    assert len(read_sweep(check_folder(SweepFolder(tmp_path / "out"))).jobs) == 5
    done = command(f"{words} --no-calibration")  # nothing is trained again
    assert done.exit_code == 0 and "above best" in done.stdout
    beside = check_folder(SweepFolder(tmp_path / "out"))
    run = beside.run(read_sweep(beside).jobs[1].run_id)
    write_record(run, failed_record(read_spec(run / SPEC), "planted"))
    done = command(f"{words} --no-calibration")  # the grid is there, a part of its check is not
    assert done.exit_code == 1 and f"{run}: failed: planted" in done.stderr
    assert command(f"{words} --no-calibration --retry-failed").exit_code == 0
