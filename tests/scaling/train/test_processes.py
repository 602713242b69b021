"""Two processes train what one would."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from scaling.model.weights import WEIGHTS
from scaling.record import RECORD, write_spec
from scaling.spec import RunSpec
from scaling.train.checkpoint import CHECKPOINT
from scaling.train.metrics import METRICS
from tests.scaling.train.runs import (
    blt_spec,
    close,
    ended,
    python,
    remains,
    run,
    small_shards,
    started,
)

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this PyTorch is built without distributed"
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


def by_two(spec: RunSpec, shards: Path, folder: Path, *more: str) -> list[str]:
    """Return the command that trains in two processes of this machine."""
    write_spec(folder, spec)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    names = (str(folder / "spec.json"), str(shards), "--out", str(folder))
    settings = ("--device", "cpu", "--threads", "1", *more)
    return python(*torchrun, "-m", "scaling.train", *names, *settings)


def test_two_processes_equal_one(shards: Path, tmp_path: Path) -> None:
    # Steps are small, so that Adam does not blow rounding up where a gradient is near nought.
    spec = blt_spec(shards, 6, learning_rate=1e-3)
    done = ended(by_two(spec, shards, tmp_path / "two", "--micro-rows", "1"))
    assert done.returncode == 0, done.stderr
    one = run(spec, shards, tmp_path / "one")
    close(tmp_path / "one", tmp_path / "two", 1e-5)
    record, alone = remains(tmp_path / "two")[2], remains(tmp_path / "one")[2]
    for name in ("train_bytes", "train_tokens", "steps", "status", "params", "validation_bytes"):
        assert record[name] == alone[name], name
    assert record["validation_nats"] == pytest.approx(one.validation_nats, rel=1e-5)
    assert not (tmp_path / "two" / CHECKPOINT).exists()


@pytest.mark.slow
def test_rows_that_cannot_be_shared(shards: Path, tmp_path: Path) -> None:
    done = ended(by_two(blt_spec(shards, 3, batch_bytes=192), shards, tmp_path))
    assert done.returncode != 0
    assert "batches of 3 rows cannot be shared by 2 processes" in done.stderr
    assert "exitcode  : 2" in done.stderr
    assert not (tmp_path / METRICS).exists()


# The run, one of whose processes is told to stop: 1 is the one that does not write.
TOLD = """
import os, signal, sys
import scaling.train.__main__ as bare
import scaling.train.step as steps
whole = steps.Stepper.ask
def ask(self, number, **how):
    result = whole(self, number, **how)
    if number == 3 and os.environ["RANK"] == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGTERM)
    return result
steps.Stepper.ask = ask
code = bare.main(sys.argv[2:])
with open(sys.argv[-1] + "/code" + os.environ["RANK"], "w") as file:
    file.write(str(code))
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", [0, 1])
def test_both_stop_where_one_is_told_to(shards: Path, tmp_path: Path, told: int) -> None:
    spec = blt_spec(shards, 8, learning_rate=1e-3)
    write_spec(tmp_path, spec)
    script = tmp_path / "told.py"
    script.write_text(TOLD)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    names = (str(tmp_path / "spec.json"), str(shards), "--device", "cpu", "--threads", "1")
    done = ended(
        python(*torchrun, str(script), str(told), *names, "--out", str(tmp_path), PYTHONPATH=".")
    )
    assert done.returncode != 0
    assert (tmp_path / CHECKPOINT).exists() and not (tmp_path / WEIGHTS).exists()
    assert (tmp_path / f"code{told}").read_text() == "143", done.stderr
    assert '"status": "interrupted"' in (tmp_path / RECORD).read_text()
    # It goes on in one process as well, from step 4.
    record = run(spec, shards, tmp_path)
    assert (record.status, record.steps) == ("finished", 8)
    run(spec, shards, tmp_path / "one")
    close(tmp_path / "one", tmp_path, 1e-5)


@pytest.mark.slow
def test_the_launcher_is_told_to_stop(shards: Path, tmp_path: Path) -> None:
    spec = blt_spec(shards, 300)
    process = started(by_two(spec, shards, tmp_path))
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / METRICS).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert (tmp_path / CHECKPOINT).exists() and not (tmp_path / WEIGHTS).exists()
    # Nobody is left behind.
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(tmp_path).encode() not in entry.read_bytes() or entry.parent.name == str(
                os.getpid()
            )
        except (FileNotFoundError, ProcessLookupError):
            continue
