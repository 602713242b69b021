"""A disk that fills up, for real: files may grow to so many bytes and no further."""

import json
from pathlib import Path

import pytest

from scaling.model.weights import WEIGHTS
from scaling.record import RECORD, write_spec
from scaling.spec import RunSpec
from scaling.train.checkpoint import CHECKPOINT
from tests.scaling.train.runs import (
    blt_spec,
    byte_tokens,
    ended,
    python,
    remains,
    run,
    small_shards,
    subword_spec,
)

# Arguments: the most bytes of a file, from which step on, and those of the command.
LIMITED = """
import resource, signal, sys
import scaling.train.__main__ as bare
from scaling.train.step import Stepper
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
bytes_, first, *arguments = sys.argv[1:]
whole = Stepper.ask
def ask(self, number, **how):
    if number == int(first):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(bytes_), resource.RLIM_INFINITY))
    return whole(self, number, **how)
Stepper.ask = ask
sys.exit(bare.main(arguments))
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


def filled(
    spec: RunSpec, shards: Path, folder: Path, size: int, step: int, seconds: float = 0
) -> tuple[int, str, list[str]]:
    write_spec(folder, spec)
    names = (str(folder / "spec.json"), str(shards), "--out", str(folder))
    settings = ("--threads", "1", "--device", "cpu", "--checkpoint-seconds", str(seconds))
    done = ended(python("-c", LIMITED, str(size), str(step), *names, *settings))
    # How a run stands is told now and then; that is no fault.
    err = [line for line in done.stderr.splitlines() if not line.startswith(("step ", "scoring "))]
    return done.returncode, done.stdout, err


def test_the_checkpoint_before_survives(shards: Path, tmp_path: Path) -> None:
    spec = blt_spec(shards, 8)
    code, out, err = filled(spec, shards, tmp_path, 4096, 5)
    assert code == 2 and out == ""
    assert len(err) == 1 and CHECKPOINT in err[0] and "File too large" in err[0]
    # Nothing is left of the file that did not fit, and the one of step 5 is whole.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        CHECKPOINT,
        "metrics.jsonl",
        "spec.json",
    ]
    run(spec, shards, tmp_path / "whole")
    run(spec, shards, tmp_path)
    assert remains(tmp_path) == remains(tmp_path / "whole")


def test_metrics_that_do_not_fit_are_one_line_too(shards: Path, tmp_path: Path) -> None:
    tokens = byte_tokens(shards, tmp_path / "shards")
    spec = subword_spec(tokens, 120)
    # Lines are held back until there are several kilobytes of them, or a checkpoint.
    code, out, err = filled(spec, tokens, tmp_path / "run", 300, 0, 1e9)
    assert code == 2 and out == ""
    assert len(err) == 1 and "metrics.jsonl" in err[0] and "File too large" in err[0]
    assert "run again" in err[0]
    run(spec, tokens, tmp_path / "whole")
    run(spec, tokens, tmp_path / "run")
    assert remains(tmp_path / "run") == remains(tmp_path / "whole")


def test_the_last_weights_do_not_fit(shards: Path, tmp_path: Path) -> None:
    spec = blt_spec(shards, 2)
    code, out, err = filled(spec, shards, tmp_path, 30_000, 1)
    assert code == 2 and out == "" and len(err) == 1
    assert not (tmp_path / WEIGHTS).exists() and not (tmp_path / RECORD).exists()
    assert "null" not in json.dumps(err)
    run(spec, shards, tmp_path / "whole")
    run(spec, shards, tmp_path)
    assert remains(tmp_path) == remains(tmp_path / "whole")
