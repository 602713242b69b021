"""A plan's prices are those of the runs it becomes."""

import json
import os
import re
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpora.locks import lock
from scaling.config.sweep_file import read_sweep_file
from scaling.data.shards import open_shards
from scaling.evaluate.trained_run import open_run
from scaling.prepare import PreparedText
from scaling.record import read_record
from scaling.spec import RunSpec
from scaling.sweep.cells import cells_of, prepare_texts
from scaling.sweep.folder import SweepFolder, read_sweep
from scaling.sweep.plan import SweepPlan, isoflops
from scaling.sweep.price import planned
from scaling.sweep.queue import driver_lock
from scaling.sweep.run_folder import LOCK
from scaling.train.memory import state_bytes, step_bytes
from scaling.train.timing import seconds_per_byte
from tests.cli import answer, command, mistake
from tests.scaling.config.test_sweep_file import BLT, TRAINING
from tests.scaling.sweep.sweeps import blt_arm
from tests.scaling.train.runs import CPU, blt_spec, rows_tried, small_shards

QUICK = "--no-calibration --device cpu"
TEXT = '[texts.english]\ncorpus = ["embedded:eng_Latn"]\nheld_out_bytes = 1000\n'
SMALL = 'name = "small"\ncompute_flops = [2e7]\n' + TEXT
SUBWORD = '[[arms]]\nfamily = "subword"\nsizes = [[1, 16]]\ntokenizers = ["byte", "bpe:300"]\n'
ENTROPY = blt_arm("[3]", patching="entropy", bytes_seen=512)
GRID = SMALL + BLT.replace("[2, 4.0, 8]", "[4]") + SUBWORD + ENTROPY + TRAINING


def file_of(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def plan_of(file: Path, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = answer(f"scaling plan {file} --out {folder} {QUICK}")
    return rows


def sweep(file: Path, folder: Path) -> Any:
    return answer(f"scaling sweep {file} --out {folder} {QUICK} --workers 1")


def refused(file: Path, folder: Path) -> str:
    return mistake(f"scaling sweep {file} --out {folder} {QUICK} --workers 1")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep that has ended: its plan is in plan.json beside it."""
    folder = tmp_path_factory.mktemp("swept")
    file = file_of(folder, GRID)
    (folder / "plan.json").write_text(json.dumps(plan_of(file, folder / "out")))
    assert sweep(file, folder / "out")["finished"] == 5
    return folder / "out"


def test_runs_cost_what_was_planned(swept: Path) -> None:
    rows = json.loads((swept.parent / "plan.json").read_text())
    jobs = read_sweep(SweepFolder(swept)).jobs
    assert [(row["text"], row["label"]) for row in rows] == [(job.text, job.label) for job in jobs]
    for row, job in zip(rows, jobs, strict=True):
        record = read_record(swept / "runs" / job.run_id)
        assert record is not None and record.status == "finished"
        found = record.row()
        if row["run_id"] is None:  # its patches were yet to be found
            assert job.label == "entropy" and job.patching_flops > 0
            assert row["compression_rate"] == 3
            assert found["compression_rate"] == pytest.approx(3, rel=0.15)
            continue
        assert row["run_id"] == job.run_id
        for name in ("compression_rate", "steps", "global_params"):
            assert row[name] == found[name], name
        # Windows of tokens hold as many bytes as they should on average alone.
        exact = 0 if record.spec.model.family == "blt" or job.label == "byte" else 0.1
        for name in ("compute_flops", "train_bytes"):
            assert row[name] == pytest.approx(found[name], rel=exact), name
        assert row["epochs"] == pytest.approx(row["train_bytes"] / record.unique_bytes)
        half_a_step = 0.5 * row["compute_flops"] / row["steps"]
        assert abs(row["compute_flops"] - row["budget_flops"]) <= half_a_step
        assert any(mark.startswith("too short") for mark in row["marks"])


def test_a_swept_folder_is_swept_again_at_once(swept: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in swept.glob("runs/*/record.json")}
    torn = swept / ".sweep.json.ab12cd34"
    torn.write_text("{")
    assert sweep(swept.parent / "sweep.toml", swept)["finished"] == 5
    assert {path: path.stat().st_mtime_ns for path in swept.glob("runs/*/record.json")} == before
    assert not torn.exists()


def test_a_trained_tokenizer_saw_no_text_that_is_held_out(swept: Path) -> None:
    (card,) = swept.glob("tokenizers/*/card.json")
    text = card.parent.name.partition("-")[0]
    assert json.loads(card.read_text())["corpus"]["bytes"] == (
        open_shards(swept / "shards" / text).train.byte_count
    )


def test_a_masked_vocabulary_costs_as_much_and_compresses_less(tmp_path: Path) -> None:
    specs = '"mine=bpe:300", "masked:.1:bpe:300"'
    file = file_of(tmp_path, SMALL + SUBWORD.replace('"byte", "bpe:300"', specs) + TRAINING)
    whole, masked = plan_of(file, tmp_path / "out")
    assert (whole["label"], masked["label"]) == ("mine", "masked:.1:bpe:300")
    assert whole["compression_rate"] > masked["compression_rate"] > 1
    assert whole["total_params"] == masked["total_params"]
    # One training serves both.
    assert len(list((tmp_path / "out").glob("tokenizers/*/card.json"))) == 1
    assert sweep(file, tmp_path / "out")["finished"] == 2
    (run,) = (run for run in (tmp_path / "out" / "runs").iterdir() if masked["run_id"] in run.name)
    kept = open_run(run).tokenizer
    assert kept is not None and kept.name.startswith("masked:0.1:")


def test_a_byte_model_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    file = file_of(tmp_path, SMALL + ENTROPY + TRAINING)
    trained: list[Path] = []

    def train(_: RunSpec, __: PreparedText, out: Path) -> None:
        with lock(out / LOCK, lambda: True) as held:
            assert not held
        trained.append(out)
        raise KeyboardInterrupt

    cells = cells_of(read_sweep_file(file), file)
    with pytest.raises(KeyboardInterrupt):
        prepare_texts(cells, SweepFolder(tmp_path), lambda *_: lambda _: 0, train)
    (out,) = trained
    assert not (out / LOCK).exists()


def test_a_signal_while_a_byte_model_trains_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_to_stop(*_: object, **__: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return SimpleNamespace(status="interrupted")

    monkeypatch.setattr("scaling.sweep.plan.train", told_to_stop)
    file = file_of(tmp_path, SMALL + ENTROPY + TRAINING)
    done = command(f"scaling sweep {file} --out {tmp_path}/out {QUICK} --workers 1")
    assert (done.exit_code, done.stdout) == (143, "")
    assert done.stderr == "training the byte model of english\n"


def test_another_budget_adds_runs_and_another_sweep_is_refused(swept: Path, tmp_path: Path) -> None:
    other = file_of(tmp_path, GRID.replace('"small"', '"other"'))
    assert "holds the sweep 'small'" in refused(other, swept)


def test_a_sweep_that_runs_is_not_planned_anew(swept: Path, tmp_path: Path) -> None:
    folder = SweepFolder(swept)
    before = folder.file.read_bytes(), {path.name for path in folder.runs.iterdir()}
    more = file_of(tmp_path, GRID.replace("[2e7]", "[3e7]"))
    with driver_lock(folder):
        assert "is running this sweep" in refused(more, swept)
    assert (folder.file.read_bytes(), {path.name for path in folder.runs.iterdir()}) == before


@pytest.mark.parametrize("verb", ["plan", "sweep"])
def test_one_run_twice_is_refused_before_text_is_read(tmp_path: Path, verb: str) -> None:
    arm = BLT.replace("[[1, 16], [2, 32]]", "[[1, 16]]").replace("[2, 4.0, 8]", "[4]")
    file = file_of(tmp_path, SMALL + arm + arm + TRAINING)
    message = mistake(f"scaling {verb} {file} {QUICK} --out {tmp_path}/out")
    assert f"{file}:14: [[arms]] number 2: size [1, 16] of static 4 on english is in" in message
    assert not (tmp_path / "out").exists()


def test_one_text_asked_for_in_two_ways_is_one_run(tmp_path: Path) -> None:
    again = TEXT.replace("english", "again") + 'language = "eng_Latn"\n'
    arm = BLT.replace("[[1, 16], [2, 32]]", "[[1, 16]]").replace("[2, 4.0, 8]", "[4]")
    file = file_of(tmp_path, SMALL + again + arm + TRAINING)
    assert "two cells are one run" in refused(file, tmp_path / "out")


def test_a_tokenizer_that_changed_since_the_plan(tmp_path: Path, swept: Path) -> None:
    (made,) = swept.glob("tokenizers/*/tokenizer.json")
    own = tmp_path / "own.json"
    own.write_bytes(made.read_bytes())
    arm = SUBWORD.replace('["byte", "bpe:300"]', '["own.json"]')
    file = file_of(tmp_path, SMALL + arm + TRAINING)
    sweep(file, tmp_path / "out")
    value = json.loads(own.read_text())
    value["model"]["merges"].pop()
    value["model"]["vocab"].popitem()
    own.write_text(json.dumps(value))
    assert "not the tokenizer that" in refused(file, tmp_path / "out")


def test_a_machine_is_timed_and_hours_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling.sweep.plan.CALIBRATION_SECONDS", 0.5)
    file = file_of(tmp_path, SMALL + BLT + TRAINING)
    line = f"scaling plan {file} --device cpu --workers 2 --out {tmp_path}/out"
    assert all(row["seconds"] > 0 for row in answer(line))
    found = answer(f"{line} --suggest .1")
    assert found["seconds"] == pytest.approx(360, rel=0.1)
    assert found["compute_flops"][0] > 2e7


def test_what_does_not_fit_is_marked(tmp_path: Path) -> None:
    file = file_of(tmp_path, SMALL + BLT.replace("[2, 32]", "[60, 60000]") + TRAINING)
    rows = plan_of(file, tmp_path / "out")
    unfit = {any(mark.startswith("does not fit") for mark in row["marks"]) for row in rows[1::2]}
    assert unfit == {True}
    assert not any("does not fit" in mark for row in rows[::2] for mark in row["marks"])
    # Nor is anything trained of a sweep that has it; prepared for another machine it may be.
    said = refused(file, tmp_path / "out")
    assert re.search(r"run [0-9a-f]{16}: a model of .* parameters takes .* available; make", said)
    assert not list((tmp_path / "out").glob("runs/*/record.json"))
    line = f"scaling sweep {file} --prepare-only --device cpu --out {tmp_path}/out"
    assert answer(line)["runs"] == len(rows)
    jobs = json.loads((tmp_path / "out" / "sweep.json").read_text())["jobs"]
    assert not [mark for job in jobs for mark in job["marks"] if "does not fit" in mark]


def test_what_does_not_fit_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling.sweep.plan.CALIBRATION_SECONDS", 0.2)
    file = file_of(tmp_path, SMALL + BLT.replace("[2, 32]", "[60, 60000]") + TRAINING)
    line = f"scaling plan {file} --device cpu --out {tmp_path}/out"
    rows = answer(line)
    assert all(row["seconds"] > 0 for row in rows[::2])
    assert all(row["seconds"] is None for row in rows[1::2])
    found = answer(f"{line} --suggest .1")
    assert found["seconds"] == pytest.approx(360, rel=0.1)
    file.write_text(file.read_text().replace("[1, 16]", "[50, 60000]"))
    assert {row["seconds"] for row in answer(line)} == {None}
    message = mistake(f"{line} --suggest .1")
    assert message.startswith("--suggest: no run of this sweep fits into the memory")
    assert "leave out --no-calibration" in mistake(f"{line} --suggest .1 --no-calibration")


def test_patches_of_two_lengths_at_most_are_two_tokenizations(tmp_path: Path) -> None:
    arm = BLT.replace("[[1, 16], [2, 32]]", "[[1, 16]]").replace("[2, 4.0, 8]", "[4]")
    file = file_of(tmp_path, SMALL + arm + arm + "most_bytes = 6\n" + TRAINING)
    rows = plan_of(file, tmp_path / "out")
    assert len({row["run_id"] for row in rows}) == 2


def test_as_many_rows_are_timed_at_once_as_a_run_would_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = small_shards(tmp_path)
    spec = blt_spec(shards)
    free = (state_bytes(spec) + step_bytes(spec, 2)) / 0.7 + 1
    monkeypatch.setattr("scaling.train.memory.available_bytes", lambda device: free)
    tried = rows_tried(monkeypatch)
    assert seconds_per_byte(spec, open_shards(shards), CPU, 0) > 0
    assert set(tried) == {2}


def test_a_gpu_that_is_not_here_is_counted(tmp_path: Path) -> None:
    file = file_of(tmp_path, SMALL + BLT.replace("[2, 4.0, 8]", "[4]") + TRAINING)
    line = f"scaling plan {file} --out {tmp_path / 'out'} {QUICK} --count"
    rows = answer(f"{line} h200")
    names = ["all shortcuts", *(f"without {n}" for n in ("flex", "stream", "graphs", "text"))]
    assert [*rows[0]["counted_seconds"]] == [*names, "no shortcuts"]
    told = command(f"{line} H200").stdout
    assert "One H200" in told and all(name in told for name in names)
    assert "`--count` tpu" in mistake(f"{line} tpu").replace("--count tpu", "`--count` tpu")


def test_where_law_one_expects_the_minimum(tmp_path: Path) -> None:
    text = SMALL + BLT.replace("[[1, 16], [2, 32]]", "[[1, 16], [2, 32], [3, 96]]") + TRAINING
    file = file_of(tmp_path, text.replace("2e7", "1e12"))
    cells = cells_of(read_sweep_file(file), file)
    texts = prepare_texts(cells, SweepFolder(tmp_path), lambda *_: lambda _: 0, None)
    groups = list(isoflops(planned(cells, texts)))
    assert len(groups) == 3 and all(len(group.runs) == 3 for group in groups)
    for group in groups:
        ratios = [run.spec.bytes_per_param for run in group.runs]
        assert group.brackets == (min(ratios) < group.expected < max(ratios))
        # Some 280 at a trillion FLOPs, by a law whose ratio grows as compute shrinks.
        assert 200 < group.expected < 400


def test_ten_thousand_cells_are_planned_in_no_time(tmp_path: Path) -> None:
    other = BLT.replace("local_layers = 1", "local_layers = 2")
    budgets = ", ".join(f"{1e7 + i:.0f}" for i in range(834))
    file = file_of(tmp_path, SMALL.replace("2e7", budgets) + BLT + other + TRAINING)
    begun = time.process_time()
    cells = cells_of(read_sweep_file(file), file)
    assert len(cells) == 2 * 834 * 6 > 10_000
    texts = prepare_texts(cells, SweepFolder(tmp_path), lambda *_: lambda _: 0, None)
    runs = planned(cells, texts)
    assert {run.spec.run_id for run in runs} and list(isoflops(runs))
    # Five seconds are asked for; a machine that is ten times as slow has not gone wrong.
    assert time.process_time() - begun < 50


def test_a_plan_explains_its_columns_and_marks(tmp_path: Path) -> None:
    file = file_of(tmp_path, SMALL + BLT + TRAINING)
    lines = command(f"scaling plan {file} {QUICK} --out {tmp_path}/out").stdout.splitlines()
    assert "Law I: bytes/param at the minimum by the published law of far larger models" in lines
    (short,) = (line for line in lines if "too short" in line)
    assert re.fullmatch(
        r"\d+ of \d+ runs: too short \(the first: \d+ steps, fits leave out those below 300\)",
        short,
    )


def test_a_plan_says_what_is_trained_together(tmp_path: Path) -> None:
    file = file_of(tmp_path, SMALL.replace("2e7", "2e7, 3e7, 4e7") + BLT + TRAINING)
    words = f"scaling plan {file} {QUICK} --out {tmp_path}/out --together 2 --workers 1"
    rows = answer(words)
    pairs = 2 * len(rows) // 3  # of each three budgets two, and one by itself
    assert [sum(row["together"] == size for row in rows) for size in (1, 2)] == [pairs // 2, pairs]
    said = f"{pairs} of {len(rows)} runs are trained together, in {pairs // 2} groups of 2"
    assert any(line.startswith(said) for line in command(words).stdout.splitlines())
    alone = command(words.replace("--together 2", "--together 1")).stdout
    assert "trained together" not in alone


def test_an_arm_that_fills_blocks_beside_one_that_does_not(tmp_path: Path) -> None:
    """Arms of their own, whose price in compute is that of the blocks."""
    blocks = BLT.replace("[2, 4.0, 8]", "[4]").replace('family = "blt"', 'family = "blt"\n{}')
    text = (
        SMALL.replace("2e7", "2e9")
        + blocks.format("")
        + blocks.format("diffusion_block = 4")
        + TRAINING
    )
    rows = plan_of(file_of(tmp_path, text), tmp_path / "out")
    by_arm = {row["label"]: row for row in rows}
    assert set(by_arm) == {"static", "static, D-4"}
    assert by_arm["static"]["steps"] > by_arm["static, D-4"]["steps"]
    wrong = text.replace("diffusion_block = 4", "diffusion_block = 1")
    assert "no block" in mistake(f"scaling plan {file_of(tmp_path, wrong)} {QUICK}")


@pytest.mark.parametrize(
    ("devices", "at_once"), [(["cpu"], 4), (["cuda:0"], 1), (["cuda:0", "cuda:1"], 2)]
)
def test_workers_that_share_a_gpu_do_not_make_it_faster(
    devices: list[str], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling.sweep.plan.device_names", lambda _: devices)
    path = Path("micro")
    file = read_sweep_file(path)
    plan = SweepPlan(file=file, path=path, runs=[], speed=None, machine=CPU, workers=4)
    assert plan.at_once == at_once
