"""What a vocabulary curve costs beside one plain encoding of the same text, in one run.

    python bench/vocab_curve.py [CORPUS] [--rounds N] [-t SPEC ...]

For each tokenizer: CPU seconds of encoding the text once under the full vocabulary, by the engine
that `measure` would use, and of the whole curve (reading the merges, splitting, merging, counts at
every size, intervals of all rows), one process each, the text in memory. The least of N rounds,
alternating. Without CORPUS the text is the standard library's own sources, one document a file.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from peers import as_jsonl

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer
from tokenize_lab.vocabulary_curves.job import vocab_curve


def plain(corpus: Corpus, tokenizer: Tokenizer) -> int:
    """Encode the corpus and return its number of tokens."""
    return sum(len(tokenizer.encode_batch(batch.texts).ids) for batch in corpus.batches())


def curve(corpus: Corpus, tokenizer: Tokenizer) -> int:
    """Return the last of the curve's token counts, all rows and intervals made."""
    curves = vocab_curve(corpus, [tokenizer]).curves
    return sum(list(one.rows())[-1]["tokens"] for one in curves)


def cpu_seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of this process during the work, and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-t", "--tokenizer", action="append")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = open_corpus(asked.corpus or as_jsonl("stdlib", Path(folder)))
        corpus = DocumentCorpus(
            source.name,
            [Document(text) for batch in source.batches() for text in batch.texts],
        )
        size = sum(len(document.text.encode()) for document in corpus.documents)
        specs = asked.tokenizer
        if specs is None:
            trained = Path(folder) / "bpe-8192"
            sample = DocumentCorpus("sample", corpus.documents[::20])
            train_tokenizer(sample, TrainSettings("bpe", 8192), trained)
            specs = [str(trained), "mistral:tekken"]
        print(f"{corpus.name}: {size / 1e6:.1f} MB, {len(corpus.documents):,} documents")
        for spec in specs:
            tokenizer = load_tokenizer(spec)
            tokenizer.encode_batch([])  # engines are built when first called
            rounds = []
            for _ in range(asked.rounds):
                once, tokens = cpu_seconds(lambda t=tokenizer: plain(corpus, t))
                whole, last = cpu_seconds(lambda t=tokenizer: curve(corpus, t))
                assert tokens == last, (tokens, last)
                rounds.append((once, whole))
            once, whole = (min(column) for column in zip(*rounds, strict=True))
            print(
                f"{tokenizer.name} ({tokenizer.engine}): one encoding {once:.2f} s, the curve at "
                f"{tokenizer.vocabulary_size:,} sizes {whole:.2f} s: {whole / once:.2f} x"
            )


if __name__ == "__main__":
    main()
