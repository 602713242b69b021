"""What SuperBPE gains over BPE at one vocabulary size, and the memory that training it takes.

    python bench/superbpe.py [CORPUS] [--vocab-size V] [--stage-split T] [--bytes N]

Each is trained by `tokenize-lab tokenizers train` in a process of its own, and measured on the text
it was trained on. Without CORPUS the text is the standard library's sources; --bytes takes whole
documents from its beginning, until there are so many.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from corpora.open import open_corpus


def beginning(corpus: str, size: int) -> Iterator[str]:
    """Yield whole documents until they hold `size` bytes."""
    for batch in open_corpus(corpus).batches():
        for text in batch.texts:
            if size <= 0:
                return
            size -= len(text.encode())
            yield text


def trained(command: list[str], answer: Connection) -> None:
    """Send the card, and the peak resident memory of the process, bytes."""
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer.send((json.loads(done.stdout), usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime))


def in_own_process(command: list[str]) -> tuple[dict[str, Any], int, float]:
    """Return what `trained` sends; peaks of children are only told apart by their parents."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=trained, args=(command, theirs))
    process.start()
    theirs.close()
    result: tuple[dict[str, Any], int, float] = ours.recv()
    process.join()
    return result


def main() -> None:
    """Print a line for each tokenizer, and the gain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", nargs="?", default="stdlib")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--stage-split", default="0")
    parser.add_argument("--bytes", type=int, default=20_000_000)
    arguments = parser.parse_args()
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.jsonl"
        with text.open("w", encoding="utf-8") as out:
            for document in beginning(arguments.corpus, arguments.bytes):
                out.write(json.dumps({"text": document}) + "\n")
        for kind, more in (("bpe", []), ("superbpe", ["--stage-split", arguments.stage_split])):
            command = [sys.executable, "-m", "tokenize_lab", "tokenizers", "train", str(text)]
            command += ["--kind", kind, "--vocab-size", str(arguments.vocab_size), "--json"]
            card, peak, seconds = in_own_process([*command, "--out", f"{folder}/{kind}", *more])
            rates[kind] = card["on_training_text"]["bytes_per_token"]
            print(
                f"{kind:9} {card['corpus']['bytes'] / 1e6:.1f} MB, "
                f"{card['tokenizer']['vocabulary_size']} ids: {rates[kind]:.3f} bytes per token, "
                f"peak {peak / 1e6:.0f} MB, {seconds:.0f} CPU seconds"
            )
    print(f"superbpe over bpe: {rates['superbpe'] / rates['bpe'] - 1:+.1%}")


if __name__ == "__main__":
    main()
