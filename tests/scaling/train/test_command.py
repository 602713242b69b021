"""`python -m scaling.train`: what a person can get wrong is one line, and exit code 2."""

import json
from pathlib import Path

import pytest

from scaling.record import write_spec
from scaling.train.__main__ import main
from tests.scaling.train.runs import blt_spec, small_shards


class Box:
    """A specification and its shards."""

    def __init__(self, folder: Path) -> None:
        self.shards = small_shards(folder / "shards")
        self.spec = blt_spec(self.shards, 3)
        write_spec(folder, self.spec)
        self.spec_file = folder / "spec.json"

    def called(self, out: Path, *more: str) -> int:
        return main([str(self.spec_file), str(self.shards), "--out", str(out), *more])


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "box")


def sanitize(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1, err
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    "device", ["cuda", "cuda:0", "cuda:99", "tpu", "mps", "meta", "cuda:-1", ""]
)
def test_devices_that_are_not_there(
    box: Box, tmp_path: Path, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available() and device in ("cuda", "cuda:0"):
        pytest.skip("there is one here")
    assert box.called(tmp_path / "run", "--device", device) == 2
    sanitize(capsys, repr(device))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--micro-rows", "0"),
        ("--micro-rows", "-1"),
        ("--shortcuts", "turbo"),
        ("--threads", "0"),
        ("--threads", "-2"),
        ("--patching-flops", "nan"),
        ("--patching-flops", "inf"),
        ("--patching-flops", "-1"),
        ("--precision", "float16"),
    ],
    ids=" ".join,
)
def test_settings_out_of_range(
    box: Box, tmp_path: Path, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        box.called(tmp_path / "run", "--device", "cpu", *wrong)
    assert refused.value.code == 2
    assert wrong[0] in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_spec_that_was_altered(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = json.loads(box.spec_file.read_text())
    value["training"]["steps"] = 4
    box.spec_file.write_text(json.dumps(value))
    assert box.called(tmp_path / "run") == 2
    sanitize(capsys, "spec.json", "its run_id says")


def test_shards_that_were_altered_or_cut(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = box.shards / "train" / "bytes.u8"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1])
    assert box.called(tmp_path / "run", "--device", "cpu") == 2
    sanitize(capsys, "bytes.u8", f"{len(whole) - 1} bytes, should be {len(whole)}")
    path.write_bytes(b"h" + whole[1:] if whole[:1] != b"h" else b"a" + whole[1:])
    assert box.called(tmp_path / "run", "--device", "cpu") == 2
    sanitize(capsys, "bytes.u8", "has changed")
    path.unlink()
    assert box.called(tmp_path / "run", "--device", "cpu") == 2
    sanitize(capsys, "bytes.u8")
    assert not (tmp_path / "run").exists()


def test_missing_things(box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "run"), "--device", "cpu"]
    assert main([str(tmp_path / "no.json"), str(box.shards), *out]) == 2
    sanitize(capsys, "no.json")
    assert main([str(box.spec_file), str(tmp_path / "none"), *out]) == 2
    sanitize(capsys, "none", "name a folder of shards")


def test_a_folder_that_cannot_be_written(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert box.called(tmp_path / "file" / "run", "--device", "cpu") == 2
    sanitize(capsys, "file")


def test_a_record_that_cannot_be_read_is_no_reason_to_train_again(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text('{"version": 1, "st')
    assert box.called(tmp_path / "run", "--device", "cpu") == 2
    sanitize(capsys, "record.json", "delete it")
