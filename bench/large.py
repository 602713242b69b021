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
from bench.sweep_status import make

from scaling.sweep.folder import SweepFolder
from tokenize_lab.counts.cache import LIMIT, CountsCache

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


def records(folder: Path, count: int) -> None:
    """Make up a sweep whose runs have all ended."""
    make(SweepFolder(folder / "sweep"), count, 1.0)


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
