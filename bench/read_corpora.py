"""How fast corpora are read, and in how much memory, beside the plain loop everyone writes first.

    python bench/read_corpora.py [--megabytes 200] [--kind jsonl] [--kind txt]

Makes files of real sentences (of the embedded corpus: English alone, and every language mixed) in a
temporary folder and reads each in fresh processes, so that a peak of resident memory is one
reader's own. The time includes encoding every text once, to count its bytes.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from corpora.open import open_corpus

SENTENCES_PER_DOCUMENT = 10
TEXTS = {"English": "embedded:eng_Latn", "mixed": "embedded"}


def read_plainly(path: str) -> int:
    """Read as most scripts do; return the bytes of text."""
    total = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"] if path.endswith(".jsonl") else line.rstrip("\n")
            total += len(text.encode("utf-8"))
    return total


def read_here(path: str) -> int:
    """Read as a corpus; return the bytes of text."""
    total = 0
    for batch in open_corpus(path).batches():
        total += sum(len(text.encode("utf-8")) for text in batch.texts)
    return total


READERS = {"plain loop": read_plainly, "open_corpus": read_here}


def write_file(path: Path, megabytes: int, spec: str) -> None:
    """Write about that many megabytes of documents, the same ones every time."""
    corpus = open_corpus(spec)
    sentences = [text for batch in corpus.batches() for text in batch.texts]
    draw = random.Random(0)
    size = number = 0
    with path.open("wb") as file:
        while size < megabytes * 1_000_000:
            text = " ".join(draw.choices(sentences, k=SENTENCES_PER_DOCUMENT))
            if path.suffix == ".jsonl":
                text = json.dumps({"id": f"d{number}", "text": text}, ensure_ascii=False)
            size += file.write(text.encode("utf-8") + b"\n")
            number += 1


def measure(reader: str, path: str) -> None:
    """Read once in this process and print what it cost, as JSON."""
    start = time.process_time()
    total = READERS[reader](path)
    seconds = time.process_time() - start
    print(json.dumps({"bytes": total, "cpu_seconds": seconds, "peak_bytes": peak_bytes()}))


def peak_bytes() -> int:
    """Return this process's peak of resident memory (Linux)."""
    # Not getrusage: its peak is at least that of the process this one was started from.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Compare the readers on each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--kind", action="append", choices=["jsonl", "txt"])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(*chosen.measure)
        return
    print(
        f"{'kind':6} {'text':8} {'reader':12}"
        f" {'MB of text':>10} {'MB per CPU s':>13} {'peak RSS, MB':>13}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind, text in itertools.product(chosen.kind or ["jsonl", "txt"], TEXTS):
            path = Path(folder) / f"sample.{kind}"
            write_file(path, chosen.megabytes, TEXTS[text])
            for reader in READERS:
                command = [sys.executable, __file__, "--measure", reader, str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                cost = json.loads(done.stdout)
                rate = cost["bytes"] / 1e6 / cost["cpu_seconds"]
                print(
                    f"{kind:6} {text:8} {reader:12} {cost['bytes'] / 1e6:10.1f} {rate:13.0f}"
                    f" {cost['peak_bytes'] / 1e6:13.0f}"
                )


if __name__ == "__main__":
    main()
