"""Long and large jobs: memory, and how cost grows with size.

    python -m bench.large                       every case, at three sizes
    python -m bench.large cache sweep --scale .1

Each case is run at a sixteenth, a quarter and the whole of its size, each time by the command in a
process of its own: its CPU seconds and the most memory it held. With times a + b size^p the three
give p = log4((t3 - t1) / (t2 - t1) - 1): 1 is linear, more grows faster than the work. What a case
reads is made up first, and is not timed.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling.record import RECORD, SPEC, RunRecord
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.train.metrics import METRICS
from tokenize_lab.counts.cache import LIMIT, CountsCache

TEXT = "0" * 16  # the key of a text
STEPS = 2000
ROOT = Path(__file__).resolve().parent.parent
WORDS = [f"{a}{b}{c}" for a in "btkmrs" for b in "aeiou" for c in ("", "n", "st", "ra")]


@dataclass(frozen=True)
class Case:
    """A job of some size.

    Attributes:
        size: of the whole. unit: what is counted.
        prepare: makes what a job of a size reads, in a folder. command: the words then run there.
        environment: variables of it. piped: whether text of that many bytes is piped in.
    """

    size: float
    unit: str
    prepare: Callable[[Path, int], None]
    command: str
    environment: tuple[tuple[str, str], ...] = ()
    piped: bool = False


def documents(folder: Path, count: int) -> None:
    """Write a document a line, in one language."""
    draw = random.Random(0)
    with (folder / "text.jsonl").open("w") as file:
        for _ in range(count):
            file.write(json.dumps({"text": " ".join(draw.choices(WORDS, k=12))}) + "\n")


def languages(folder: Path, count: int) -> None:
    """Write parallel text, a file of 500 lines for each language."""
    text = folder / "text"
    text.mkdir()
    for number in range(count):
        draw = random.Random(number)
        name = f"q{'abcdefghijklmnopqrst'[number // 26]}{chr(97 + number % 26)}_Latn"
        lines = (" ".join(draw.choices(WORDS, k=8 + number % 7)) for _ in range(500))
        (text / f"{name}.txt").write_text("\n".join(lines) + "\n")


def spec(seed: int) -> RunSpec:
    """Return one run of many."""
    model = Model(family="blt", layers=2, dim=32, local_layers=1, local_dim=32, cross_factor=1)
    return RunSpec(
        model=model,
        patching=Patching(kind="static", compression_rate=4),
        training=Training(steps=STEPS, batch_bytes=4096, learning_rate=3e-3),
        shards=TEXT,
        compression_rate=4,
        context_bytes=512,
        window_bytes=64,
        seed=seed,
    )


def record(run: RunSpec) -> RunRecord:
    """Return what became of it."""
    shape = run.model.shape
    return RunRecord(
        spec=run,
        status="finished",
        reason="",
        params={
            "global": shape.global_params,
            "local": shape.local_params,
            "total": shape.total_params,
        },
        steps=STEPS,
        train_bytes=STEPS * 4096,
        train_tokens=STEPS * 1024,
        unique_bytes=10**7,
        epochs=0.8,
        validation_nats=1e5 + run.seed,
        validation_bytes=10**5,
        validation_tokens=25_000,
        validation_interval=(1.4, 1.5),
        patching_flops=0.0,
        seconds=100.0,
        device="cpu",
        versions={},
        commit="",
        host="",
    )


def records(folder: Path, count: int) -> None:
    """Make up a sweep: half of its runs have ended, the others are under way or wait."""
    sweep = SweepFolder(folder / "sweep")
    jobs = []
    line = '{{"step": {0}, "train_bytes": 4096, "bits_per_byte": 2.5, "seconds": {0}.5}}\n'
    metrics = "".join(line.format(step) for step in range(1, 1001))
    for seed in range(count):
        one = spec(seed)
        jobs.append(Job(run_id=one.run_id, shards=TEXT, text=f"text {seed % 3}", seconds=90.0))
        place = sweep.run(one.run_id)
        place.mkdir(parents=True)
        (place / SPEC).write_text(json.dumps(one.to_json(), indent=1))
        if seed < count // 2:
            (place / RECORD).write_text(json.dumps(record(one).to_json(), indent=1))
        elif seed % 2:
            (place / METRICS).write_text(metrics)
    write_sweep(sweep, Sweep("bench", tuple(jobs), {}))


def entries(folder: Path, count: int) -> None:
    """Fill a cache, and write the text whose counts push the first of them out."""
    cache = CountsCache(folder / "cache")
    os.environ[LIMIT] = "1e18"
    for number in range(count):
        cache.put([np.arange(200) + number % 256], str(number))
    documents(folder, 100)


def nothing(folder: Path, count: int) -> None:
    """What is read comes by a pipe."""


PIPED = "measure - -t byte --no-cache --jobs 1"
COMMAND = "measure text.jsonl -t byte --no-cache --jobs 1 --replicates 100"
CASES = {
    "stream": Case(10e9, "bytes piped", nothing, PIPED, piped=True),
    "documents": Case(1e6, "documents", documents, f"{COMMAND} --group-by document --csv"),
    "languages": Case(200, "languages", languages, COMMAND.replace("text.jsonl", "text")),
    "sweep": Case(20_000, "records", records, "scaling collect sweep --out runs.csv"),
    "status": Case(20_000, "records", records, "scaling status sweep --json"),
    "cache": Case(100_000, "entries", entries, "cache show --cache cache --json"),
    "full-cache": Case(
        100_000, "entries", entries, "measure text.jsonl -t byte --cache cache --jobs 1",
        ((LIMIT, "1e6"),),
    ),
}  # fmt: skip


def ran(case: Case, size: int) -> tuple[float, float, float]:
    """Return the CPU seconds, the seconds and the most megabytes of a case of a size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case.prepare(folder, size)
        words = [sys.executable, "-m", "tokenize_lab", *case.command.split()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment = {**environment, "TMPDIR": name, **dict(case.environment)}
        begun = time.perf_counter()
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                words, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT,
                stdin=subprocess.PIPE if case.piped else subprocess.DEVNULL,
            )  # fmt: skip
            if process.stdin is not None:
                block = "".join(f"{' '.join(WORDS[n:] + WORDS[:n])}\n" for n in range(len(WORDS)))
                with process.stdin as pipe:
                    for _ in range(math.ceil(size / len(block))):
                        pipe.write(block.encode())
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{case.command}: {(folder / 'said').read_text()[-2000:]}")
        seconds = time.perf_counter() - begun
        return used.ru_utime + used.ru_stime, seconds, used.ru_maxrss / 1000


def main() -> None:
    """Print a line for each case and size, and the power for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--scale", type=float, default=1.0, help="of every size")
    asked = parser.parse_args()
    for name in asked.cases or CASES:
        case = CASES[name]
        times = []
        for share in (1 / 16, 1 / 4, 1):
            size = math.ceil(case.size * asked.scale * share)
            cpu, seconds, megabytes = ran(case, size)
            times.append(cpu)
            print(
                f"{name:12} {size:16,} {case.unit:12} {cpu:8.1f} s of CPU {seconds:8.1f} s"
                f" {megabytes:8,.0f} MB",
                flush=True,
            )
        first, second, third = times
        ratio = (third - first) / max(second - first, 1e-9) - 1
        told = f"power {math.log(ratio, 4):.2f}" if ratio > 0 and third > 2 * first else "too quick"
        print(f"{name:12} {told}", flush=True)


if __name__ == "__main__":
    main()
