"""Weights come back as they were, or are refused in one line, whatever the file holds."""

import json
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from corpora.errors import InputError
from scaling.flops import SubwordShape
from scaling.model.transformer import SubwordTransformer
from scaling.model.weights import (
    WEIGHTS,
    check_like,
    load_weights,
    read_tensors,
    weights_sha256,
    write_tensors,
)
from tests.conftest import ROOT
from tests.scaling.model.support import latent_model, token_model

MODELS: dict[str, Callable[[], nn.Module]] = {
    "blt": lambda: latent_model().float(),
    "subword": lambda: token_model().float(),
    "tied": lambda: SubwordTransformer(SubwordShape(1, 8, 300), tied_head=True),
}


def own(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's tensors, copied."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def refusal(path: Path) -> str:
    """Return why the file is refused; a model's loading must not have been begun."""
    model = small()
    before = own(model)
    with pytest.raises(InputError) as caught:
        load_weights(model, read_tensors(path)[0], path)
    for name, value in model.named_parameters():
        assert torch.equal(value, before[name])
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert r"\n" not in message.replace(r"a\nb", "")  # lines put into one are no line for a person
    return message


def file_of(header: dict[str, Any], body: bytes) -> bytes:
    """Return a safetensors file of a hand-made header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("name", MODELS)
def test_weights_come_back_to_the_bit(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run" / WEIGHTS
    model = MODELS[name]()
    write_tensors(path, own(model), {"run": "0123", "naïve": "ह\n"})
    with torch.no_grad():
        other = MODELS[name]()
        for parameter in other.parameters():
            parameter.zero_()
    assert weights_sha256(other) != weights_sha256(model)
    tensors, notes = read_tensors(path)
    load_weights(other, tensors, path)
    assert notes == {"run": "0123", "naïve": "ह\n"}
    assert weights_sha256(other) == weights_sha256(model)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [file.name for file in path.parent.iterdir()] == [WEIGHTS]  # no temporary is left


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    notes = {name: name * 3 for name in "ocean"}
    for number in range(20):
        path = tmp_path / str(number)
        ordered = dict(sorted(notes.items())) if number % 2 else notes
        write_tensors(path, own(small()), ordered)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert (int.from_bytes(path.read_bytes()[:8], "little")) % 8 == 0  # so numbers are aligned


def test_weights_of_any_layout_are_written_as_they_read(tmp_path: Path) -> None:
    turned = torch.arange(6.0).view(2, 3).T
    write_tensors(tmp_path / WEIGHTS, {"turned": turned, "none": torch.zeros(0)}, {})
    tensors, notes = read_tensors(tmp_path / WEIGHTS)
    assert torch.equal(tensors["turned"], turned)
    assert tensors["none"].shape == (0,)
    assert notes == {}


def test_files_are_laid_out_as_the_library_does(tmp_path: Path) -> None:
    kinds = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
    kinds += [torch.int64, torch.int32, torch.uint8, torch.bool]
    tensors = {f"{n}{kind}": torch.arange(n).to(kind) for kind in kinds for n in (3, 1)}
    tensors["scalar"] = torch.tensor(2.5)
    write_tensors(tmp_path / WEIGHTS, tensors, {"a": "b"})
    assert (tmp_path / WEIGHTS).read_bytes() == safetensors.torch.save(tensors, {"a": "b"})
    again = safetensors.torch.load_file(tmp_path / WEIGHTS)
    for name, tensor in tensors.items():
        assert again[name].dtype == tensor.dtype and torch.equal(again[name], tensor)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read in /proc"
)
def test_writing_takes_no_copy_of_the_weights(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / WEIGHTS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / WEIGHTS).stat().st_size > 200e6
    assert int(done.stdout) < 20e6


PEAK = """
import sys
from pathlib import Path
import torch
from scaling.model.weights import write_tensors
def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
tensors = {str(n): torch.ones(5000000) for n in range(10)}
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
before = status("VmRSS")
write_tensors(Path(sys.argv[1]), tensors, {"a": "b"})
print(status("VmHWM") - before)
"""


def test_the_digest_tells_names_shapes_and_one_bit_apart() -> None:
    class Named(nn.Module):
        def __init__(self, **tensors: Tensor) -> None:
            super().__init__()
            for name, tensor in tensors.items():
                self.register_parameter(name, nn.Parameter(tensor))

    one = torch.arange(6.0)
    other = one.clone()
    other[3] = torch.nextafter(other[3], torch.tensor(9.0))
    models = [
        Named(a=one), Named(b=one), Named(a=one.view(2, 3)), Named(a=one.double()), Named(a=other),
    ]  # fmt: skip
    assert len({weights_sha256(model) for model in models}) == len(models)
    assert weights_sha256(Named(a=one, b=other)) == weights_sha256(Named(b=other, a=one))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t.pop("bias"), "lacks bias; these are another model's"),
        (lambda t: t.update(extra=torch.ones(1)), "holds, beside the model's, extra"),
        (lambda t: t.update({"a\nb": torch.ones(1)}), r"beside the model's, a\nb"),
        (lambda t: t.update(bias=torch.ones(3)), "[3], where this model has torch.float32 [2]"),
        (lambda t: t.update(weight=t["weight"].T.contiguous()), "[3, 2], where this model has"),
        (lambda t: t.update(bias=t["bias"].bfloat16()), "torch.bfloat16 [2], where"),
        (lambda t: t.update(bias=t["bias"].double()), "torch.float64 [2], where"),
        (lambda t: t.update(bias=torch.ones(2, dtype=torch.int32)), "torch.int32 [2], where"),
        (lambda t: t["weight"].fill_(float("nan")), "weight holds numbers that are not finite"),
        (lambda t: t["weight"][1, 2:].fill_(float("-inf")), "numbers that are not finite"),
    ],
)
def test_weights_of_another_model_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], why: str
) -> None:
    tensors = own(small())
    change(tensors)
    write_tensors(tmp_path / WEIGHTS, tensors, {})
    assert why in refusal(tmp_path / WEIGHTS)


def test_one_familys_weights_are_refused_by_the_other(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    write_tensors(path, own(MODELS["blt"]()), {})
    with pytest.raises(InputError, match="another model's weights"):
        load_weights(MODELS["subword"](), read_tensors(path)[0], path)
    with pytest.raises(InputError, match=r"\[300, 8\], where this model has .* \[256, 8\]"):
        check_like(torch.zeros(300, 8), torch.zeros(256, 8), "head", path)


F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HOSTILE = {
    "empty": b"",
    "text": b"these are no weights, but a sentence",
    "a header of a terabyte": struct.pack("<Q", 1 << 40) + b"{}",
    "a header of 2^64 bytes": struct.pack("<Q", (1 << 64) - 1) + b"{}",
    "a header that is no JSON": struct.pack("<Q", 4) + b"{,,}",
    "beyond the end": file_of({"bias": {**F32, "data_offsets": [0, 400]}}, b"\0" * 4),
    "before the beginning": file_of({"bias": {**F32, "data_offsets": [-4, 0]}}, b"\0" * 4),
    "overlapping": file_of({"bias": F32, "weight": F32}, b"\0" * 4),
    "too many numbers": file_of({"bias": {**F32, "shape": [1 << 62]}}, b"\0" * 4),
    "sizes past the integers": file_of(
        {"bias": {**F32, "shape": [0, 1 << 63], "data_offsets": [0, 0]}}, b""
    ),
    "an unknown type": file_of({"bias": {**F32, "dtype": "F31"}}, b"\0" * 4),
    "notes that are no text": file_of({"__metadata__": {"a": 1}, "bias": F32}, b"\0" * 4),
    "numbers nobody names": file_of({"bias": F32}, b"\0" * 8),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / WEIGHTS
    path.write_bytes(HOSTILE[name])
    assert "cannot be read as safetensors" in refusal(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.sprung,)


def test_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    path, sprung = tmp_path / WEIGHTS, tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    pickle.loads(trap)  # it does what it is for
    sprung.unlink()
    path.write_bytes(trap)
    assert "cannot be read as safetensors" in refusal(path)
    torch.save(own(small()), path)
    assert "another kind of file" in refusal(path)
    assert not sprung.exists()


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / WEIGHTS)
    (tmp_path / "folder").mkdir()
    assert "not a regular file but a folder" in refusal(tmp_path / "folder")


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = safetensors.torch.save(own(small()), metadata={"a": "b"})
    for size in range(len(whole)):
        (tmp_path / WEIGHTS).write_bytes(whole[:size])
        assert "truncated" in refusal(tmp_path / WEIGHTS)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4))
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    data = bytearray(safetensors.torch.save(own(small()), metadata={"a": "b"}))
    for place, value in flips:
        data[place % len(data)] = value
    path = tmp_path / WEIGHTS
    path.write_bytes(data)
    model = small()
    try:
        load_weights(model, read_tensors(path)[0], path)
    except InputError:
        return
    assert all(np.isfinite(value.detach().numpy()).all() for value in model.parameters())


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from corpora.errors import InputError
from scaling.model.weights import write_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a longer file cannot be written
try:
    write_tensors(Path(sys.argv[1]), {"a": torch.ones(5000)}, {})
except InputError as error:
    sys.exit(f"refused: {error}")
"""


def test_a_disk_that_fills_up_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    write_tensors(path, {"a": torch.zeros(3)}, {})
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"refused: {path}: could not be written")
    assert done.stderr.count("\n") == 1
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [WEIGHTS]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write_tensors(tmp_path / "file" / WEIGHTS, own(small()), {})
