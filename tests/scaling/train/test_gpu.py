"""On a GPU, where there is one: the same run as on the CPU, within the rounding of bfloat16."""

from pathlib import Path

import pytest
import torch

from corpora.synthetic import MarkovSource, SyntheticCorpus
from scaling.data.build_text import build_text
from scaling.data.shards import open_shards
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.train.device import peak_flops
from scaling.train.machine import MachineSettings, shortcuts_of
from scaling.train.run import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


@pytest.mark.parametrize(
    ("compiled", "shortcuts"),
    [
        (False, "none"),
        (False, "graphs,text"),
        (True, "none"),
        (True, "flex"),
        (True, "stream"),
        (True, "flex,stream,graphs,text"),
    ],
)
def test_a_gpu_reaches_what_the_cpu_reaches(tmp_path: Path, compiled: bool, shortcuts: str) -> None:
    corpus = SyntheticCorpus("markov", MarkovSource(order=1, alphabet="abcdefgh"), 400)
    shards = open_shards(build_text([corpus], tmp_path / "shards", held_out_bytes=20_000))
    spec = RunSpec(
        model=Model(family="blt", layers=1, dim=32, local_layers=1, local_dim=32, cross_factor=1),
        patching=Patching(kind="static", compression_rate=4),
        training=Training(steps=150, batch_bytes=2048, learning_rate=6e-3),
        shards=shards.manifest.key,
        compression_rate=4,
        context_bytes=256,
        window_bytes=64,
    )
    cpu = train(spec, shards, tmp_path / "cpu", MachineSettings(device="cpu", threads=1))
    taken = shortcuts_of(shortcuts)
    machine = MachineSettings(device="cuda", compile=compiled, shortcuts=taken)
    gpu = train(spec, shards, tmp_path / "gpu", machine)
    assert cpu.bits_per_byte is not None and gpu.bits_per_byte is not None
    assert gpu.status == "finished" and "cpu" not in gpu.device
    assert gpu.bits_per_byte == pytest.approx(cpu.bits_per_byte, rel=0.01)


def test_the_measured_peak_is_that_of_matrix_products() -> None:
    assert peak_flops(torch.device("cuda"), torch.bfloat16) > 1e13
