"""The settings of the machine, and what a record says of it."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from corpora.errors import InputError
from scaling.train.device import commit
from scaling.train.machine import MachineSettings, shortcuts_of
from tests.conftest import ROOT
from tests.scaling.train.runs import blt_spec, run, small_shards


@pytest.mark.parametrize(
    "settings",
    [
        MachineSettings(),
        MachineSettings(device="cuda:3", precision="float32", micro_rows=7, threads=2),
        MachineSettings(checkpoint_seconds=0.05, processes=4),
        MachineSettings(compile=True),
        MachineSettings(compile=False, threads=1),
        MachineSettings(shortcuts=("flex", "graphs")),
        MachineSettings(shortcuts=()),
    ],
)
def test_words_say_the_settings(settings: MachineSettings) -> None:
    parser = argparse.ArgumentParser()
    MachineSettings.add_options(parser)
    assert MachineSettings.parsed(parser.parse_args(settings.words())) == settings


def test_a_shortcut_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"`shortcuts` 'turbo'.*flex, stream, graphs, text"):
        shortcuts_of("flex,turbo")


def test_shortcuts_are_taken_on_a_gpu_unless_told_otherwise() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert not MachineSettings().takes("text", cpu) and MachineSettings().takes("text", gpu)
    some = MachineSettings(shortcuts=shortcuts_of("text"))
    assert some.takes("text", cpu) and not some.takes("graphs", gpu)


def test_a_gpu_is_never_left_to_cudnns_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        MachineSettings(device="cpu").torch_device()
        assert torch.backends.cuda.cudnn_sdp_enabled()
        MachineSettings(device="cuda").torch_device()
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def test_settings_are_made_without_torch() -> None:
    script = (
        "import sys; from scaling.train.machine import MachineSettings; MachineSettings();"
        " sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(InputError, match=device):
        MachineSettings(device=device).checked()


def test_a_source_tree_where_there_is_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    monkeypatch.setattr("scaling.train.device.__file__", str(tmp_path / "tree" / "a" / "b" / "c"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""
    shards = small_shards(tmp_path / "shards")
    record = run(blt_spec(shards, 2), shards, tmp_path / "run")
    assert (record.status, record.commit) == ("finished", "")
