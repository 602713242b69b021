"""Many tokenizers that share a pattern, and one: measured, beside plain encoding, in one run.

    python bench/pretokens.py CORPUS [--rounds N] [--train-share S]

Trains eight BPEs of one pattern on part of the corpus, all of which tiktoken's engine can encode.
Then, as CPU seconds of this process and its children, the least of N rounds, alternating:

    hugging face   eight loops around `encode_batch_fast`, its threads off, texts in memory
    tiktoken       eight loops around `encode_ordinary`, the same ids
    measure        the whole of `tokenize_lab measure`: the corpus read, every count made, rows made
    unshared       the same counts, every text encoded whole by the fastest engine there is

and the same for one tokenizer. Nothing is cached.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from corpora.corpus import Corpus, DocumentCorpus
from corpora.document import Document
from corpora.open import open_corpus
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.schema import merged
from tokenize_lab.measurement import count_corpora
from tokenize_lab.rows import RowSettings, measure_rows
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

SIZES = (2048, 4096, 6144, 8192, 12288, 16384, 24576, 32768)
PATTERN = "gpt4"


def trained(corpus: Corpus, share: float, folder: Path) -> list[Tokenizer]:
    """Train a BPE of each size on the head of the corpus."""
    texts = [text for batch in corpus.batches() for text in batch.texts]
    left, part = share * sum(map(len, texts)), []
    for text in texts:
        part.append(Document(text))
        left -= len(text)
        if left <= 0:
            break
    head = DocumentCorpus("head", part)
    for size in SIZES:
        train_tokenizer(head, TrainSettings("bpe", size, pattern=PATTERN), folder / f"bpe{size}")
    return load_tokenizers([str(folder / f"bpe{size}") for size in SIZES])


def hugging_face(tokenizer: HuggingFaceTokenizer, texts: list[str]) -> int:
    """Return the number of tokens, by the plain loop around the library."""
    import tokenizers

    engine = tokenizers.Tokenizer.from_str(tokenizer.serialized)
    tokens = 0
    for start in range(0, len(texts), 16):  # so that a hundred megabytes' results are not kept
        for encoded in engine.encode_batch_fast(
            texts[start : start + 16], add_special_tokens=False
        ):
            tokens += len(encoded.ids)
    return tokens


def tiktoken(tokenizer: HuggingFaceTokenizer, texts: list[str]) -> int:
    """Return the number of tokens, by the plain loop around tiktoken."""
    assert isinstance(tokenizer.fast, FastPath), tokenizer.fast
    encode = tokenizer.fast.tiktoken._core.encode_ordinary
    return sum(len(encode(text)) for text in texts)


def measured(
    corpus: Corpus, tokenizers: Sequence[Tokenizer], jobs: int | None, sharing: bool = True
) -> int:
    """Measure the whole corpus and return the number of tokens of all."""
    counting = CountJob(tokenizers, TextSettings(), None, sharing)
    measurement = count_corpora([corpus], counting, jobs=jobs or 0)
    sizes = {t.name: t.vocabulary_size for t in tokenizers}
    rows = measure_rows(merged(measurement.counts, ["language"]), RowSettings(sizes, "whitespace"))
    return sum(row["tokens"] for row in rows)


def cpu_seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of this process and its children during the work, and its result."""
    before = os.times()
    result = work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4]), result


def compare(corpus: Corpus, texts: list[str], loaded: Sequence[Tokenizer], rounds: int) -> None:
    """Print the least seconds of each way, and how many times the measurement's they are."""
    engines = [t for t in loaded if isinstance(t, HuggingFaceTokenizer)]
    ways: dict[str, Callable[[], int]] = {
        "hugging face": lambda: sum(hugging_face(t, texts) for t in engines),
        "tiktoken": lambda: sum(tiktoken(t, texts) for t in engines),
        "measure": lambda: measured(corpus, loaded, 1),
        "unshared": lambda: measured(corpus, loaded, 1, sharing=False),
        "measure, every core": lambda: measured(corpus, loaded, None),
    }
    least = dict.fromkeys(ways, float("inf"))
    tokens: set[int] = set()
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, found = cpu_seconds(way)
            least[name] = min(least[name], seconds)
            tokens.add(found)
            print(f"  {name}: {seconds:.2f}", file=sys.stderr, flush=True)
    if len(tokens) != 1:
        sys.exit(f"the ways differ: {sorted(tokens)} tokens")
    print(f"{len(loaded)} tokenizers, {tokens.pop():,} tokens")
    for name, seconds in least.items():
        print(f"  {name:20} {seconds:8.2f} CPU s   x {seconds / least['measure']:.2f}")


def main() -> None:
    """Print two tables."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread on every side
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--train-share", type=float, default=0.05)
    arguments = parser.parse_args()
    corpus = open_corpus(arguments.corpus)
    texts = [text for batch in corpus.batches() for text in batch.texts]
    size = sum(len(text.encode()) for text in texts)
    print(f"{size / 1e6:.1f} MB, {len(texts):,} documents, least of {arguments.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        loaded = trained(corpus, arguments.train_share, Path(folder))
        print(
            f"trained in {time.perf_counter() - begin:.0f} s: {', '.join(t.name for t in loaded)}"
        )
        compare(corpus, texts, loaded, arguments.rounds)
        compare(corpus, texts, loaded[3:4], arguments.rounds)


if __name__ == "__main__":
    main()
