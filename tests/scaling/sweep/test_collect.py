"""The rows of a sweep, and laws fitted to them: texts and tokenizations apart."""

import math
import resource
import signal
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from corpora.errors import InputError
from reports.build import build_report
from reports.laws.results import read_laws
from scaling.read_runs import read_runs
from scaling.record import RECORD, failed_record, read_record
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.worker import train_job
from scaling.train.progress import StopRequest
from tests.cli import answer, command, mistake
from tests.scaling.sweep.records import ended, reads, record_of, sized
from tests.scaling.sweep.sweeps import planned, tiny
from tests.scaling.train.runs import CPU

DIMS, BUDGETS, RATES = (16, 32, 48, 64, 96), (2e12, 4e12), (2.0, 4.0)


def trained(folder: SweepFolder, job: Job) -> None:
    train_job(folder, job, CPU, StopRequest(), set())


def bowl(dim: int, lowest: float) -> float:
    """Return bits per byte of an isoFLOP curve that is lowest at 48 channels."""
    return lowest + 0.05 * math.log(dim / 48) ** 2


def grid(folder: SweepFolder) -> None:
    """Write a sweep of two texts, two tokenizations, two budgets, two rates and five sizes."""
    jobs = []
    for number, (text, language) in enumerate((("novels", "eng_Latn"), ("laws", "deu_Latn"))):
        for label in ("static", "entropy"):
            seed = 2 * number + (label == "entropy")
            for budget in BUDGETS:
                for rate in RATES:
                    for dim in DIMS:
                        spec = sized(dim, budget, rate, seed)
                        record = record_of(spec, bowl(dim, 1 + seed))
                        jobs.append(
                            ended(folder, record, text=text, language=language, label=label)
                        )
    write_sweep(folder, Sweep("grid", tuple(jobs), {}))


def test_rows_of_real_runs(tmp_path: Path) -> None:
    specs = [tiny(0, 300), tiny(1, 301), tiny(2, 12), tiny(3, 40, learning_rate=1e9), tiny(4)]
    folder, jobs = planned(tmp_path, specs)
    marked = [replace(job, label="static", language="zxx", marks=("short", "new")) for job in jobs]
    write_sweep(folder, Sweep("tiny", tuple(marked), {}))
    for job in jobs[:4]:
        trained(folder, job)
    frame = load_runs(folder)
    assert frame["run_id"].to_list() == [job.run_id for job in jobs[:4]]
    assert frame["status"].to_list() == ["finished"] * 3 + ["diverged"]
    assert set(frame["dataset"]) == {"planted"} and set(frame["language"]) == {"zxx"}
    assert set(frame["tokenization"]) == {"static"} and set(frame["family"]) == {"blt"}
    assert set(frame["marks"]) == {"short; new"}
    record = read_record(folder.run(jobs[0].run_id))
    assert record is not None and record.validation_interval is not None
    first = frame.row(0, named=True)
    ours = ("tokenization",)
    assert {k: v for k, v in first.items() if k in record.row() and k not in ours} == {
        k: v for k, v in record.row().items() if k not in ours
    }
    assert (first["bits_per_byte_low"], first["bits_per_byte_high"]) == record.validation_interval
    assert first["seconds"] == record.seconds and first["spent_flops"] == first["compute_flops"]
    assert frame["bits_per_byte"].null_count() == 1
    # A table to fit: what diverged and what is too short is left out, and said to be.
    runs = read_runs(tmp_path)
    assert len(runs) == 2
    reasons = [one.reason for one in runs.excluded]
    assert reasons[0] == "too short: 12 steps, fewer than 300"
    assert reasons[1].startswith("diverged: ") and "not finite" in reasons[1]
    assert len(read_runs(tmp_path, keep_short=True)) == 3
    again = read_runs(tmp_path)
    assert again.sha256 == runs.sha256
    trained(folder, jobs[4])
    assert read_runs(tmp_path).sha256 != runs.sha256


def test_what_is_fitted_is_what_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SweepFolder(tmp_path)
    job = ended(folder, record_of(sized(16, 2e12, 4.0)))
    write_sweep(folder, Sweep("one", (job,), {}))
    counts = reads(monkeypatch)
    read_runs(tmp_path)
    # Read twice, they may have changed in between.
    assert counts == {"sweep.json": 1, RECORD: 1}


def test_texts_and_tokenizations_are_fitted_apart(tmp_path: Path) -> None:
    grid(SweepFolder(tmp_path))
    fits = answer(f"scaling fit {tmp_path} --law isoflop --draws 0")
    results = fits["entries"]
    assert len(results) == 2 * 2 * len(BUDGETS) * len(RATES)
    for one in results:
        seed = 2 * (one["dataset"] == "laws") + (one["tokenization"] == "entropy")
        assert one["language"] == ("deu_Latn" if seed > 1 else "eng_Latn")
        assert one["compute_flops"] in BUDGETS and one["compression_rate"] in RATES
        assert one["bits_per_byte_opt"] == pytest.approx(1 + seed, abs=0.02)
    # By way of a file, the same.
    table = tmp_path / "table.parquet"
    assert "80 finished" in command(f"scaling collect {tmp_path} --out {table}").stdout
    again = answer(f"scaling fit {table} --law isoflop --draws 0")
    for value in (fits, again):
        for one in value["entries"]:
            del one["data"], one["data_sha256"]
    assert again == fits


def test_a_sweep_and_its_laws_are_one_report(tmp_path: Path) -> None:
    grid(SweepFolder(tmp_path))
    done = command(f"scaling fit {tmp_path} --law isoflop --draws 0 --out {tmp_path}")
    assert done.exit_code == 0, done.stderr
    laws = read_laws(tmp_path)
    assert laws is not None and len(laws.fits) == 2 * 2 * len(BUDGETS) * len(RATES)
    # The table is kept beside the fits, and known by its hash: their points can be drawn.
    for one in laws.fits:
        runs = laws.runs_of(one)
        assert runs is not None and len(runs) == one.n
    text = build_report(tmp_path).read_text("utf-8")
    assert 'id="sweep-isoflop"' in text and 'id="laws-isoflop"' in text


def test_a_budget_is_what_was_planned(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    spec = sized(16, 2e12, 4.0)
    far = replace(sized(32, 2e12, 4.0), compute_flops=4e12)
    none = replace(sized(48, 2e12, 4.0), compute_flops=None)
    jobs = [ended(folder, record_of(one)) for one in (spec, far, none)]
    write_sweep(folder, Sweep("budgets", tuple(jobs), {}))
    frame = load_runs(folder)
    budgets, spent = frame["compute_flops"].to_list(), frame["spent_flops"].to_list()
    assert budgets[0] == 2e12 != spent[0] and spent[0] == pytest.approx(2e12, rel=0.05)
    assert budgets[1:] == spent[1:]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_collect_writes_a_table(tmp_path: Path, suffix: str) -> None:
    folder, jobs = planned(tmp_path / "sweep", [tiny(0), tiny(1)])
    trained(folder, jobs[0])
    out = tmp_path / f"runs.{suffix}"
    line = f"scaling collect {folder.path} --out {out}"
    assert answer(line) == {"file": str(out), "runs": {"finished": 1}, "not_ended": 1}
    frame = pl.read_parquet(out) if suffix == "parquet" else pl.read_csv(out)
    assert frame["bits_per_byte"][0] == load_runs(folder)["bits_per_byte"][0]
    assert "1 finished; 1 have not ended and are left out" in command(line).stdout


def test_collect_beside_the_sweep(tmp_path: Path) -> None:
    planned(tmp_path, [tiny(0)])
    assert "no run; 1 have not ended" in command(f"scaling collect {tmp_path}").stdout
    frame = pl.read_parquet(tmp_path / "runs.parquet")
    assert frame.height == 0 and frame.schema["bits_per_byte"] == pl.Float64
    assert "name a .parquet or .csv file" in mistake(f"scaling collect {tmp_path} --out x.xls")


def test_nothing_to_fit(tmp_path: Path) -> None:
    folder, jobs = planned(tmp_path, [tiny(0), tiny(1)])
    with pytest.raises(InputError, match="no run of this sweep has ended yet"):
        read_runs(tmp_path)
    spec = replace(tiny(0), shards=jobs[0].shards)
    ended(folder, failed_record(spec, "its worker was killed"))
    with pytest.raises(InputError, match="no finished run; 1 was left out"):
        read_runs(tmp_path)
    path = folder.run(jobs[0].run_id) / RECORD
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="version 2"):
        read_runs(tmp_path)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    folder, _ = planned(tmp_path, [tiny(0)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as when full
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        said = {
            name: mistake(f"scaling collect {folder.path} --out {tmp_path}/{name}")
            for name in ("runs.parquet", "runs.csv")
        }
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    for name, message in said.items():
        assert f"{tmp_path}/{name}: could not be written (File too large)" in message
        assert not (tmp_path / name).exists()
