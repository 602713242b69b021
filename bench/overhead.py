"""What measuring costs beside the bare engine call on the same text, in one run.

    python bench/overhead.py [CORPUS] [--rounds N] [-t SPEC ...]

For each tokenizer: CPU seconds of the plain loop a user would write around the library, over texts
already in memory, and of the whole measurement (reading, encoding, every count, rows and their
intervals), one process each, no cache. The least of N rounds, alternating. Without CORPUS the text
is the standard library's own sources, one document a file.
"""

import argparse
import importlib.util
import json
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from corpora.corpus import Corpus
from corpora.open import open_corpus
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.schema import merged
from tokenize_lab.measurement import count_corpora
from tokenize_lab.rows import RowSettings, measure_rows
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

_MISTRAL = Path(importlib.util.find_spec("mistral_common").origin or "").parent / "data"  # type: ignore[union-attr]  # it is a dependency


def library_sources(folder: Path) -> str:
    """Write the standard library's sources as jsonl and return its path."""
    path = folder / "stdlib.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for file in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
            if "site-packages" not in file.parts:
                text = file.read_bytes().decode("utf-8", errors="ignore")
                out.write(json.dumps({"text": text}) + "\n")
    return str(path)


def bare_call(spec: str) -> Callable[[list[str]], int]:
    """Return the plain loop around the library: texts to number of tokens."""
    if spec == "mistral:tekken":
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        encoding = Tekkenizer.from_file(sorted(_MISTRAL.glob("tekken_*.json"))[-1])._model
        return lambda texts: sum(len(encoding.encode_ordinary(text)) for text in texts)
    if spec == "mistral:v3":
        import sentencepiece

        (file,) = _MISTRAL.glob("*.model.v3")
        model = sentencepiece.SentencePieceProcessor(model_file=str(file))
        return lambda texts: sum(map(len, model.encode(texts, num_threads=1)))
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(spec)
    return lambda texts: sum(
        len(e.ids) for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    )


def measured(corpus: Corpus, tokenizer: Tokenizer) -> int:
    """Measure the whole corpus and return its number of tokens."""
    measurement = count_corpora([corpus], CountJob([tokenizer], TextSettings(), None), jobs=1)
    settings = RowSettings({tokenizer.name: tokenizer.vocabulary_size}, "whitespace")
    rows = measure_rows(merged(measurement.counts, ["language"]), settings)
    return sum(row["tokens"] for row in rows)


def cpu_seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of this process during the work, and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def main() -> None:
    """Print one line for each tokenizer."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread on both sides
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-t", "--tokenizer", action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = open_corpus(arguments.corpus or library_sources(Path(folder)))
        texts = [text for batch in corpus.batches() for text in batch.texts]
        size = sum(len(text.encode()) for text in texts) / 1e6
        print(f"{size:.1f} MB, {len(texts):,} documents; CPU seconds, least of {arguments.rounds}")
        trained = train_tokenizer(
            corpus, TrainSettings(kind="bpe", vocab_size=8192), Path(folder) / "bpe"
        )
        specs = arguments.tokenizer or ["mistral:v3", "mistral:tekken", str(trained.path)]
        for spec in specs:
            call, tokenizer = bare_call(spec), load_tokenizer(spec)
            times: list[tuple[float, float]] = []
            for _ in range(arguments.rounds):
                bare, tokens = cpu_seconds(lambda call=call: call(texts))  # type: ignore[misc]  # bound now
                ours, again = cpu_seconds(lambda t=tokenizer: measured(corpus, t))  # type: ignore[misc]  # bound now
                if tokens != again:
                    sys.exit(f"{spec}: {again} tokens, the library says {tokens}")
                times.append((bare, ours))
            bare, ours = (min(column) for column in zip(*times, strict=True))
            print(
                f"{tokenizer.name:24} bare {bare:6.2f}  measured {ours:6.2f}  x {ours / bare:.2f}"
            )


if __name__ == "__main__":
    main()
