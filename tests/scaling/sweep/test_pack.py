"""A sweep that is packed, trained elsewhere and fetched ends as one that was trained here."""

import gzip
import hashlib
import io
import json
import os
import signal
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.locks import is_locked
from scaling.record import RECORD, SPEC, read_spec, write_record
from scaling.sweep.__main__ import main
from scaling.sweep.folder import SWEEP, SweepFolder, read_sweep
from scaling.sweep.local import run_local
from scaling.sweep.pack import UnpackedSweep, pack_sweep, unpack_sweep
from scaling.sweep.run_folder import CHECKPOINT, LOCK, WEIGHTS
from scaling.train.metrics import METRICS
from tests.cli import answer, command
from tests.conftest import ROOT
from tests.scaling.sweep.sweeps import TRUNKS, all_remains, blt_arm, planned, statuses, tiny
from tests.scaling.sweep.test_kills import until
from tests.scaling.train.runs import CPU, ended, python, remains, run, started
from tests.scaling.train.test_bare_box import ABSENT, BLOCKER

# Two rates whose patches are cut in one text, by a byte model.
ENTROPY = blt_arm("[2, 3]", width=8, patching="entropy", bytes_seen=20_000)


def members(pack: Path) -> dict[str, bytes]:
    """Return what is in a pack, by name."""
    with tarfile.open(pack) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file is not None}


def packed_again(pack: Path, files: dict[str, bytes]) -> Path:
    """Pack other files in its place."""
    with tarfile.open(pack, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return pack


def trained(folder: SweepFolder) -> None:
    """Train a sweep in this process."""
    for job in read_sweep(folder).jobs:
        path = folder.run(job.run_id)
        run(read_spec(path / SPEC), folder.shards / job.shards, path)


@pytest.fixture
def home(tmp_path: Path) -> SweepFolder:
    """Return a sweep of two runs of which none is trained."""
    folder, _ = planned(tmp_path / "home", [tiny(0), tiny(1)])
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine that has PyTorch, NumPy and safetensors alone."""
    (tmp_path / "site").mkdir()
    blocker = BLOCKER.replace("in ABSENT", f"in {ABSENT}")
    (tmp_path / "site" / "sitecustomize.py").write_text(blocker)
    return {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}


def box(there: SweepFolder, *words: str | Path) -> tuple[str, ...]:
    """Return the words of the command on a bare machine."""
    return "-m", "scaling.sweep", str(there.path), "--device", "cpu", *map(str, words)


def test_out_trained_on_a_bare_machine_and_back_it_has_the_bits_of_one_trained_here(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    file, home, there = (
        tmp_path / "sweep.toml",
        *(SweepFolder(tmp_path / name) for name in ("home", "there")),
    )
    text = TRUNKS.replace("[training]", f"{ENTROPY}[training]").replace("[0, 1]", "[0]")
    file.write_text(text.replace("[1e8, 2e8, 4e8]", "[1e8, 2e8]"))
    out, back = tmp_path / "out.tar.gz", tmp_path / "back.tar.gz"
    words = f"{file} --device cpu --out {home.path}"
    told = answer(f"scaling sweep {words} --pack {out}")
    assert told == {
        "folder": str(home.path),
        "runs": 6,
        "pack": str(out),
        "pack_bytes": out.stat().st_size,
    }
    assert not list(home.path.glob("runs/*/record.json"))
    # A text that is cut in two ways is packed once: one text is plain, and two have starts.
    assert len(list(home.shards.glob("*/train/bytes.u8"))) >= 3
    assert sum(name.endswith("train/bytes.u8") for name in members(out)) == 1

    done = ended(python(*box(there, "--unpack", out, "--pack", back, "--weights"), **bare))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"] == 6
    assert not [name for name in members(back) if "shards" in name]
    taken = answer(f"scaling sweep {words} --unpack {back}")
    assert (taken["finished"], taken["taken"], taken["kept"]) == (6, 6, 0)
    assert command(f"scaling collect {home.path}").exit_code == 0
    for job in read_sweep(home).jobs:
        alone = tmp_path / job.run_id
        record = run(read_spec(home.run(job.run_id) / SPEC), home.shards / job.shards, alone)
        write_record(alone, replace(record, patching_flops=job.patching_flops))
        assert remains(home.run(job.run_id)) == remains(alone)


@pytest.mark.slow
def test_stopped_and_killed_on_a_bare_machine_it_goes_on_there_or_here(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    home, jobs = planned(tmp_path / "home", [tiny(0, 600), tiny(1, 20)])
    there, back = SweepFolder(tmp_path / "there"), tmp_path / "back.tar.gz"
    pack_sweep(home, tmp_path / "out.tar.gz")
    unpack_sweep(tmp_path / "out.tar.gz", there)
    often = ("--checkpoint-seconds", "0.2", "--pack", back)
    long = there.run(jobs[0].run_id)

    def saved() -> float:
        return (long / CHECKPOINT).stat().st_mtime if (long / CHECKPOINT).exists() else 0.0

    for number in (signal.SIGKILL, signal.SIGTERM):
        until(lambda: not is_locked(long / LOCK))  # a killed driver's worker saves its run
        before = saved()
        box_run = started(python(*box(there, *often), **bare))
        until(lambda before=before: saved() > before)  # type: ignore[misc]
        box_run.send_signal(number)
        _, said = box_run.communicate(timeout=60)
    assert box_run.returncode == 143
    assert "left out is what has not ended, 2 of 2 runs; --weights packs" in said
    assert not [name for name in members(back) if name.endswith(CHECKPOINT)]
    pack_sweep(there, back, texts=False, weights=True)
    assert statuses(there, jobs)[jobs[0].run_id] == "interrupted"
    assert unpack_sweep(back, home).taken >= 1
    step = len((home.run(jobs[0].run_id) / METRICS).read_text().splitlines())
    assert 0 < step < 600
    run_local(home, settings=CPU)
    whole, _ = planned(tmp_path / "whole", [tiny(0, 600), tiny(1, 20)])
    run_local(whole, settings=CPU)
    assert all_remains(home, jobs) == all_remains(whole, jobs)


def test_the_same_sweep_is_packed_in_the_same_bytes(home: SweepFolder, tmp_path: Path) -> None:
    other, _ = planned(tmp_path / "other", [tiny(0), tiny(1)])
    one, two = (tmp_path / name for name in ("one.tar.gz", "two.tar.gz"))
    assert pack_sweep(home, one) == pack_sweep(other, two) == one.stat().st_size
    assert one.read_bytes() == two.read_bytes()
    assert {path.name for path in home.path.iterdir()} == {"runs", "shards", SWEEP}


def test_runs_that_have_ended_travel_as_their_records(home: SweepFolder, tmp_path: Path) -> None:
    trained(home)
    pack_sweep(home, tmp_path / "out.tar.gz")
    found = members(tmp_path / "out.tar.gz")
    assert not [name for name in found if "shards" in name or name.endswith(WEIGHTS)]
    assert sum(name.endswith(RECORD) for name in found) == 2
    there = SweepFolder(tmp_path / "there")
    assert unpack_sweep(tmp_path / "out.tar.gz", there) == UnpackedSweep(taken=2, kept=0)
    assert main([str(there.path), "--device", "cpu"]) == 0  # there is nothing left to do


def test_what_is_here_as_far_is_left_alone(home: SweepFolder, tmp_path: Path) -> None:
    there = SweepFolder(tmp_path / "there")
    pack_sweep(home, tmp_path / "out.tar.gz")
    assert unpack_sweep(tmp_path / "out.tar.gz", there) == UnpackedSweep(taken=0, kept=0)
    trained(there)
    pack_sweep(there, tmp_path / "back.tar.gz", texts=False)
    first = next(iter(home.runs.iterdir()))
    (first / RECORD).write_bytes((there.run(first.name) / RECORD).read_bytes())
    (first / METRICS).write_text("mine\n")
    assert unpack_sweep(tmp_path / "back.tar.gz", home) == UnpackedSweep(taken=1, kept=1)
    assert (first / METRICS).read_text() == "mine\n"
    assert unpack_sweep(tmp_path / "back.tar.gz", home) == UnpackedSweep(taken=0, kept=2)
    assert {path.name for path in home.path.iterdir()} == {"runs", "shards", SWEEP}


def _later(files: dict[str, bytes]) -> None:
    files["sweep/pack.json"] = files["sweep/pack.json"].replace(b'"version": 1', b'"version": 2')


def _no_list(files: dict[str, bytes]) -> None:
    del files["sweep/pack.json"]


def _altered(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.endswith("train/bytes.u8"))
    files[name] = files[name][::-1]


def _shorter(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.endswith("train/bytes.u8"))
    files[name] = files[name][1:]


def _lacking(files: dict[str, bytes]) -> None:
    del files[next(name for name in files if name.endswith("spec.json"))]


def _more(files: dict[str, bytes]) -> None:
    files["sweep/runs/0123456789abcdef/record.json"] = b"{}"


def _outside(files: dict[str, bytes]) -> None:
    files["sweep/../../outside"] = b"x"


def _listed(name: str) -> Callable[[dict[str, bytes]], None]:
    """Return what adds a file, and names it in the list."""

    def add(files: dict[str, bytes]) -> None:
        content, said = b"x", json.loads(files["sweep/pack.json"])
        sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        said["files"][name] = {"bytes": 1, "sha256": sha256}
        files |= {f"sweep/{name}": content, "sweep/pack.json": json.dumps(said).encode()}

    return add


def _huge(files: dict[str, bytes]) -> None:
    said = json.loads(files["sweep/pack.json"])
    name = next(name for name in said["files"] if name.endswith("train/bytes.u8"))
    for number in range(5):
        said["files"][f"shards/000000000000000{number}/train/bytes.u8"] = {
            **said["files"][name],
            "bytes": 1 << 30,
        }
    files["sweep/pack.json"] = json.dumps(said).encode()


def _long_list(files: dict[str, bytes]) -> None:
    files["sweep/pack.json"] += b" " * (1 << 26)


def _long_name(files: dict[str, bytes]) -> None:
    _listed(f"shards/0123456789abcdef/{'a' * 300}.u8")(files)


def _bomb(files: dict[str, bytes]) -> None:
    """Name what is not there: it is refused before any of it is unpacked."""
    said = json.loads(files["sweep/pack.json"])
    name = next(name for name in said["files"] if name.endswith("train/bytes.u8"))
    said["files"][name]["bytes"] = 1 << 30
    files["sweep/pack.json"] = json.dumps(said).encode()


def _twice_planned(files: dict[str, bytes]) -> None:
    sweep, said = (json.loads(files[f"sweep/{name}"]) for name in (SWEEP, "pack.json"))
    sweep["jobs"].append(sweep["jobs"][0])
    content = json.dumps(sweep).encode()
    digest = hashlib.sha256(content).hexdigest()
    said["files"][SWEEP] = {"bytes": len(content), "sha256": digest}
    files |= {f"sweep/{SWEEP}": content, "sweep/pack.json": json.dumps(said).encode()}


def _another_run(files: dict[str, bytes]) -> None:
    """Put one run's specification in the place of another's, with its sum."""
    one, two = [name for name in files if name.endswith("spec.json")]
    said = json.loads(files["sweep/pack.json"])
    said["files"][two[6:]] = said["files"][one[6:]]
    files["sweep/pack.json"] = json.dumps(said).encode()
    del files[two]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_later, "pack.json: version 2, where this program reads 1: a newer tokenize-lab wrote it"),
        (_no_list, "not a packed sweep: it does not begin with pack.json; name a file that"),
        (_altered, "train/bytes.u8 has another SHA-256; pack the sweep again"),
        (_shorter, "train/bytes.u8 has another SHA-256; pack the sweep again"),
        (_lacking, "damaged: it lacks 'runs/"),
        (_more, "damaged: pack.json does not name 'runs/0123456789abcdef/record.json'"),
        (_outside, "a path outside its folder, 'sweep/../../outside'"),
        (_listed("driver.lock"), "refused: 'driver.lock' is no file of a sweep"),
        (_listed("runs/0123456789abcdef/x.py"), "x.py' is no file of a sweep"),
        (_long_list, "refused: pack.json has 67.1 MB; pack the sweep again"),
        (_huge, "refused: it unpacks to more than 4 GiB"),
        (_another_run, "spec.json: is of run "),
        (_long_name, f"refused: 'shards/0123456789abcdef/{'a' * 56}...' is no file of a sweep"),
        (_bomb, "refused: it unpacks to more than 100 times its size, as no text does; copy the"),
        (_twice_planned, f"{SWEEP}: has run "),
    ],
)
def test_what_is_no_pack_is_refused_in_a_line_and_nothing_changes(
    home: SweepFolder, tmp_path: Path, damage: Callable[[dict[str, bytes]], None], why: str
) -> None:
    pack = tmp_path / "out.tar.gz"
    pack_sweep(home, pack)
    files = members(pack)
    damage(files)
    packed_again(pack, files)
    with pytest.raises(InputError) as refused:
        unpack_sweep(pack, SweepFolder(tmp_path / "there"))
    line = str(refused.value)
    assert why in line and str(pack) in line and "unpacking" not in line
    assert not (tmp_path / "there").exists() and not (tmp_path / "outside").exists()


def test_a_pack_is_unpacked_in_one_pass(
    home: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, opened, unzipped = tmp_path / "out.tar.gz", [], gzip.GzipFile
    pack_sweep(home, pack)

    def counted(archive: Path) -> gzip.GzipFile:
        opened.append(archive)
        return unzipped(archive)

    monkeypatch.setattr("corpora.archives.gzip.GzipFile", counted)
    unpack_sweep(pack, SweepFolder(tmp_path / "there"))
    assert opened == [pack]


def test_what_packs_as_no_text_does_is_not_packed(
    home: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaling.sweep.pack._HARMLESS_BYTES", 1 << 20)
    text = next(home.shards.iterdir())
    said = json.loads((text / "shards.json").read_text())
    said["files"]["train/bytes.u8"]["bytes"] = 8 << 20
    (text / "shards.json").write_text(json.dumps(said))
    os.truncate(text / "train/bytes.u8", 8 << 20)
    with pytest.raises(InputError, match="home packs to less than 1/100, as no text does; copy"):
        pack_sweep(home, tmp_path / "out.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_torn_pack_and_what_is_none_are_a_line(
    home: SweepFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, there = tmp_path / "out.tar.gz", str(tmp_path / "there")
    size = pack_sweep(home, pack)
    pack.write_bytes(pack.read_bytes()[: size // 2])
    plain = tmp_path / "plain.tar.gz"
    plain.write_bytes(gzip.compress(b"no archive"))
    for path, why in ((pack, "is not whole"), (plain, "is not whole"), (tmp_path, "a folder")):
        assert main([there, "--device", "cpu", "--unpack", str(path)]) == 2
        line = capsys.readouterr().err
        assert why in line and str(path) in line and line.count("\n") == 1
        assert not Path(there).exists()


def test_what_is_of_another_sweep_is_a_line(home: SweepFolder, tmp_path: Path) -> None:
    other, _ = planned(tmp_path / "other", [tiny(7)])
    pack_sweep(other, tmp_path / "out.tar.gz")
    with pytest.raises(InputError, match=r"has 1 runs that .*home does not plan, as [0-9a-f]{16}"):
        unpack_sweep(tmp_path / "out.tar.gz", home)
    other.file.write_text(other.file.read_text().replace('"tiny"', '"another"'))
    pack_sweep(other, tmp_path / "out.tar.gz")
    with pytest.raises(InputError, match=r"holds the sweep 'another', and .*the sweep 'tiny'"):
        unpack_sweep(tmp_path / "out.tar.gz", home)


def test_a_pack_over_its_limit_says_what_takes_the_room(home: SweepFolder, tmp_path: Path) -> None:
    pack = tmp_path / "out.tar.gz"
    with pytest.raises(InputError) as refused:
        pack_sweep(home, pack, limit=0.005)
    line = str(refused.value)
    assert "more than 0.005 MiB when packed; of the files text planted () 32.4 KB, runs" in line
    assert line.endswith("read less text, leave out weights, or raise `pack_limit`")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_grid_that_the_device_cannot_hold_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    huge = tiny(1)
    object.__setattr__(huge, "model", type(huge.model)(**{**vars(huge.model), "dim": 1 << 17}))
    folder, jobs = planned(tmp_path, [tiny(0), huge])
    assert main([str(tmp_path), "--device", "cpu"]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"run {jobs[1].run_id}: a model of 2") and line.count("\n") == 1
    assert "make it smaller" in line
    assert set(statuses(folder, jobs).values()) == {"none"}
