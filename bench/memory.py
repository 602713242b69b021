"""Peak memory and CPU of `tokenize-lab measure`, over all its processes.

    python bench/memory.py                            a gigabyte of jsonl, made on the spot
    python bench/memory.py CORPUS -t SPEC [-t SPEC]   any corpus

Memory is the sum of every process's proportional set size, sampled 20 times a second.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from corpora.open import open_corpus


def gigabyte(path: Path, size: int) -> None:
    """Write `size` bytes of text as jsonl: the embedded corpus's lines, shuffled, never alike."""
    lines = [text for batch in open_corpus("embedded").batches() for text in batch.texts]
    random = np.random.default_rng(0)
    written = 0
    with path.open("w", encoding="utf-8") as out:
        while written < size:
            text = "\n".join(lines[i] for i in random.integers(0, len(lines), 40))
            out.write(json.dumps({"id": written, "text": text}, ensure_ascii=False) + "\n")
            written += len(text.encode())


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("-t", "--tokenizer", action="append")
    parser.add_argument("--size", type=int, default=10**9, help="bytes of text to make")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = arguments.corpus
        if corpus is None:
            corpus = str(Path(folder) / "text.jsonl")
            gigabyte(Path(corpus), arguments.size)
        command = [sys.executable, "-m", "tokenize_lab", "measure", corpus, "--json"]
        command += ["--no-cache", "--out", f"{folder}/out"]
        for spec in arguments.tokenizer or ["mistral:v3", "mistral:tekken"]:
            command += ["-t", spec]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(psutil.Process(process.pid)))
            time.sleep(0.05)
        seconds = time.perf_counter() - begin
        if process.returncode:
            sys.exit(process.returncode)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        print(f"peak {peak / 1e6:.0f} MB, {cpu:.1f} CPU seconds, {seconds:.1f} seconds")


def resident(process: psutil.Process) -> int:
    """Return the proportional set size of a process and its children, bytes."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


if __name__ == "__main__":
    main()
