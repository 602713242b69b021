"""A long stream of jsonl, made as it is read, measured in bounded memory.

    python bench/stream.py                      10 GB of text
    python bench/stream.py --size 1e9 -t SPEC   less, with other tokenizers

The text is the embedded corpus's lines, shuffled, with words that never come again strewn in (a
stretch of hexadecimal digits to a document), so that tables of distinct pieces fill up and are
emptied. It is written as jsonl, 64 MB at a time, read as any jsonl is, and removed. Memory is the
sum of every process's proportional set size, ten times a second: the most in the first tenth of the
run, while tables fill, beside the most in all of it.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from corpora.document import Batch
from corpora.open import open_corpus
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.measurement import count_corpora
from tokenize_lab.tokenizer_spec import load_tokenizers

PART = 64 << 20


@dataclass
class Stream:
    """A corpus that is made while it is read."""

    folder: Path
    size: int
    read: Callable[[int], None]  # told how many bytes so far
    name: str = "stream"
    size_bytes: int | None = None
    parallel: bool = False

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of one part after another."""
        lines = [text for batch in open_corpus("embedded").batches() for text in batch.texts]
        random = np.random.default_rng(0)
        left = self.size
        while left > 0:
            path = self.folder / "part.jsonl"
            left -= write(path, min(PART, left), lines, random)
            yield from open_corpus(str(path)).batches()
            self.read(self.size - left)


def write(path: Path, size: int, lines: list[str], random: np.random.Generator) -> int:
    """Write about `size` bytes of text as jsonl; return how many it is."""
    written = 0
    with path.open("w", encoding="utf-8") as out:
        while written < size:
            chosen = [lines[i] for i in random.integers(0, len(lines), 80)]
            text = "\n".join([*chosen, random.bytes(400).hex(" ", 4)])
            out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            written += len(text.encode())
    return written


def resident(process: psutil.Process) -> int:
    """Return the proportional set size of a process and its children, bytes."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=lambda text: int(float(text)), default=10**10)
    parser.add_argument("-t", "--tokenizer", action="append")
    arguments = parser.parse_args()
    specs = arguments.tokenizer or ["mistral:tekken", "mistral:tekken-240718"]
    counting = CountJob(load_tokenizers(specs), TextSettings(), None)
    samples: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            samples.append(resident(psutil.Process()) / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    begin = time.perf_counter()
    shown = 0

    def read(size: int) -> None:
        nonlocal shown
        if size // 10**9 > shown:  # a run that is cut off has said something
            shown = size // 10**9
            seconds, peak = time.perf_counter() - begin, max(samples)
            print(f"{shown} GB after {seconds:.0f} s, peak {peak:.0f} MB", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(Path(folder), arguments.size, read)
        speed = count_corpora([stream], counting, jobs=0).throughput
    seconds, times = time.perf_counter() - begin, os.times()
    done.set()
    thread.join()
    early = samples[: max(1, len(samples) // 10)]
    cpu = sum(times[:4])
    print(
        f"{speed.bytes / 1e9:.2f} GB in {seconds:.0f} s, {cpu:.0f} CPU s with the writing;"
        f" peak {max(early):.0f} MB in the first tenth, {max(samples):.0f} MB in all"
    )


if __name__ == "__main__":
    main()
