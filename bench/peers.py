"""Whole jobs beside the tools one would use instead, each a process of its own: CPU and memory.

    pip install tiktoken tokenizers fastokens gigatoken gigabpe rustbpe
    python bench/peers.py TEXT [TEXT ...] [--rounds 5] [--sizes 8] [--apart] [--peer NAME ...]
                          [--no-training]

TEXT is a folder or file that `tokenize-lab measure` takes; `stdlib` is this Python's own sources.
All read one jsonl of it, but that ours reads a folder as it is, for the languages of its files.
For each, BPEs of one pattern are trained on a part of it: sizes of one training, whose merges go on
from one another; or, `--apart`, each on other texts, so that none does. Then, in turn, N rounds of

    measure     `tokenize-lab measure --json`: the text read, every count and interval, rows made
    a peer      its tokenizers loaded, the text read as jsonl, every text encoded once by each

for one tokenizer and for all of them, and of training: `tokenize-lab tokenizers train` and a peer's
trainer of as many ids (gigabpe's and gigatoken's split by GPT-2's pattern only). A peer that is not
installed, or refuses a vocabulary, is left out and named. Printed are CPU seconds of the process
and its children, the peak of memory, and our CPU over the peer's within each round: the median, and
the least and most of the rounds. tokenize-lab keeps what it finds out of a vocabulary, so it runs
once before the rounds, in a folder of its own; nothing of the text is kept. Python keeps its
bytecode, as it does unless told otherwise.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

SIZES = (8192, 2048, 4096, 6144, 12288, 16384, 24576, 32768)
PATTERN = "gpt4o"  # one that every peer reads
TRAINED = 32768
HEAD = 2_000_000  # characters that the tokenizers are trained on
OURS = "tokenize-lab"


def texts_of(path: str) -> Iterator[str]:
    """Yield the texts of a jsonl file, as most scripts do."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def pattern_beside(path: str) -> str:
    """Return the pattern that lies beside a jsonl file."""
    return Path(path).with_name("pattern.txt").read_text("utf-8")


def encode_tiktoken(folder: Path, texts: Sequence[str]) -> int:
    """Return the number of tokens by tiktoken."""
    import base64

    import tiktoken

    lines = (folder / "ranks.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    pattern = (folder / "pattern.txt").read_text("utf-8")
    encoding = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return sum(len(encoding.encode_ordinary(text)) for text in texts)


def encode_tokenizers(folder: Path, texts: Sequence[str]) -> int:
    """Return the number of tokens by Hugging Face's library."""
    import tokenizers

    engine = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = 0
    for start in range(0, len(texts), 64):  # what it returns of all texts at once takes gigabytes
        rows = engine.encode_batch_fast(texts[start : start + 64], add_special_tokens=False)
        tokens += sum(len(row) for row in rows)
    return tokens


def encode_fastokens(folder: Path, texts: Sequence[str]) -> int:
    """Return the number of tokens by fastokens."""
    import fastokens

    engine = fastokens._native.Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids, _ = engine.encode_batch_flat(list(texts), split_special_tokens=True)
    return len(ids) // 4


def encode_gigatoken(folder: Path, texts: Sequence[str]) -> int:
    """Return the number of tokens by gigatoken."""
    from gigatoken import Tokenizer

    engine = Tokenizer(str(folder / "tokenizer.json"))
    return sum(map(len, engine.encode_batch(list(texts), parallel=False)))


def train_tokenizers(path: str) -> int:
    """Return the number of ids that Hugging Face's trainer learns."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern_beside(path)), behavior="isolated")
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, in_bytes])
    trainer = trainers.BpeTrainer(vocab_size=TRAINED, show_progress=False)
    tokenizer.train_from_iterator(texts_of(path), trainer)
    return int(tokenizer.get_vocab_size())


def train_rustbpe(path: str) -> int:
    """Return the number of ids that rustbpe learns."""
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(texts_of(path), TRAINED, pattern=pattern_beside(path))
    return int(tokenizer.vocab_size)


def train_gigabpe(path: str) -> int:
    """Return the number of ids that gigabpe learns, by GPT-2's pattern, from a plain file."""
    import gigabpe

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text in texts_of(path):
            file.write(text + "\n")
        file.flush()
        vocab, _ = gigabpe.train_bpe(
            [file.name], TRAINED, special_tokens=[], pretokenizer="bytelevel"
        )
    return len(vocab)


def train_gigatoken(path: str) -> int:
    """Return the number of ids that gigatoken learns, by GPT-2's pattern."""
    from gigatoken.gigatoken_rs import train_bpe

    vocab, _ = train_bpe("\n".join(texts_of(path)).encode(), TRAINED, [])
    return len(vocab)


ENCODERS: dict[str, Callable[[Path, Sequence[str]], int]] = {
    "tiktoken": encode_tiktoken,
    "tokenizers": encode_tokenizers,
    "fastokens": encode_fastokens,
    "gigatoken": encode_gigatoken,
}
TRAINERS: dict[str, Callable[[str], int]] = {
    "tokenizers": train_tokenizers,
    "rustbpe": train_rustbpe,
    "gigabpe": train_gigabpe,
    "gigatoken": train_gigatoken,
}


class Cost(NamedTuple):
    """What a process and its children took: CPU seconds, the peak of one's memory in MB."""

    cpu: float
    peak: float


def run(command: Sequence[str]) -> Cost:
    """Run a command and return its cost, as the system counts it.

    A process of its own waits for it, since the peak of children is that of all so far.
    """
    script = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss,"
        " done.stderr.decode(errors='replace')[-300:]]))"
    )
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", script, *command], env=environment, capture_output=True, check=True
    )
    code, cpu, peak, said = json.loads(done.stdout)
    if code:
        raise RuntimeError(said.strip().splitlines()[-1] if said.strip() else f"exit {code}")
    return Cost(cpu, peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def compare(title: str, commands: dict[str, list[str]], rounds: int) -> None:
    """Run all commands in turn, N rounds after ours once, and print how they compare."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    run(commands[OURS])
    for _ in range(rounds):
        for name in list(costs):
            try:
                cost = run(commands[name])
            except RuntimeError as error:
                if name == OURS:
                    raise
                print(f"  {name} is left out: {error}", flush=True)
                del costs[name]
                continue
            costs[name].append(cost)
    print(title)
    for name, found in costs.items():
        cpu = statistics.median(cost.cpu for cost in found)
        line = f"  {name:14}{cpu:8.2f} CPU s{max(cost.peak for cost in found):8.0f} MB"
        if name != OURS:
            ratios = [
                ours.cpu / theirs.cpu for ours, theirs in zip(costs[OURS], found, strict=True)
            ]
            line += (
                f"   ours is {statistics.median(ratios):.2f} x"
                f" ({min(ratios):.2f} to {max(ratios):.2f})"
            )
        print(line, flush=True)


def as_jsonl(spec: str, folder: Path) -> str:
    """Write any corpus as jsonl, for peers that read nothing else, and return its path."""
    from corpora.open import open_corpus
    from tokenize_lab.patterns import pattern_named

    path = folder / "text.jsonl"
    (folder / "pattern.txt").write_text(pattern_named(PATTERN), "utf-8")
    if spec == "stdlib":
        library = Path(sysconfig.get_paths()["stdlib"])
        files = (f for f in sorted(library.rglob("*.py")) if "site-packages" not in f.parts)
        texts = (file.read_bytes().decode("utf-8", errors="ignore") for file in files)
    else:
        texts = (text for batch in open_corpus(spec).batches() for text in batch.texts)
    with path.open("w", encoding="utf-8") as out:
        for text in texts:
            out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return str(path)


def trained(path: str, sizes: Sequence[int], folder: Path, *, apart: bool) -> list[Path]:
    """Train a BPE of each size on texts spread over the corpus; write its ranks beside it.

    `apart`: each on others.
    """
    import base64
    import random

    from corpora.corpus import DocumentCorpus
    from corpora.document import Document
    from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
    from tokenize_lab.backends.huggingface_fast import FastPath
    from tokenize_lab.patterns import pattern_named
    from tokenize_lab.tokenizer_spec import load_tokenizer
    from tokenize_lab.training.settings import TrainSettings
    from tokenize_lab.training.train import train_tokenizer

    texts = list(texts_of(path))
    step = max(1, sum(map(len, texts)) // HEAD)
    found = []
    for size in sizes:
        some = random.Random(size).sample(texts, len(texts) // step) if apart else texts[::step]
        part = [Document(text[: HEAD // 10]) for text in some]
        out = folder / f"bpe{size}"
        train_tokenizer(
            DocumentCorpus("part", part), TrainSettings("bpe", size, pattern=PATTERN), out
        )
        tokenizer = load_tokenizer(str(out))
        assert isinstance(tokenizer, HuggingFaceTokenizer) and isinstance(tokenizer.fast, FastPath)
        table = tokenizer.fast.tiktoken.token_bytes
        lines = (b"%s %d\n" % (base64.b64encode(table[i]), i) for i in range(len(table)))
        (out / "ranks.tiktoken").write_bytes(b"".join(lines))
        (out / "pattern.txt").write_text(pattern_named(PATTERN), "utf-8")
        found.append(out)
    return found


def main() -> None:
    """Print a table for each text; or do a peer's work, as a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="tokenizers at once")
    parser.add_argument("--peer", action="append", choices=sorted({*ENCODERS, *TRAINERS}))
    parser.add_argument("--apart", action="store_true", help="none goes on from another")
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--work", nargs=3, action="append", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        return work(*asked.work[0], [Path(folder) for folder in asked.text])
    peers = [p for p in asked.peer or [*ENCODERS, *TRAINERS] if find_spec(p)]
    for spec in asked.text:
        with tempfile.TemporaryDirectory(prefix="peers-") as name:
            folder = Path(name)
            path = as_jsonl(spec, folder)
            size = sum(len(text.encode()) for text in texts_of(path)) / 1e6
            os.environ["TOKENIZE_LAB_CACHE"] = str(folder / "kept")
            print(f"{spec}: {size:.1f} MB; median of {asked.rounds} rounds", flush=True)
            tokenizers = trained(path, SIZES[: asked.sizes], folder, apart=asked.apart)
            for chosen in dict.fromkeys((1, len(tokenizers))):
                measured = spec if Path(spec).is_dir() else path
                commands = {OURS: measure(measured, tokenizers[:chosen])}
                for peer in dict.fromkeys(p for p in peers if p in ENCODERS):
                    commands[peer] = peers_work("encode", peer, path, tokenizers[:chosen])
                compare(f" {chosen} tokenizer{'s' * (chosen > 1)}", commands, asked.rounds)
            if not asked.no_training:
                out = str(folder / "out")
                train = ["tokenizers", "train", "--kind", "bpe", "--pattern"]
                train += [PATTERN, "--vocab-size", str(TRAINED), path, "--out", out]
                commands = {OURS: [sys.executable, "-m", "tokenize_lab", *train]}
                for peer in dict.fromkeys(p for p in peers if p in TRAINERS):
                    commands[peer] = peers_work("train", peer, path, [])
                compare(f" training {TRAINED:,} ids", commands, asked.rounds)
    return None


def measure(spec: str, tokenizers: Sequence[Path]) -> list[str]:
    """Return the command that measures a text; nothing of its counts is kept."""
    command = [sys.executable, "-m", "tokenize_lab", "measure", spec, "--json", "--no-cache"]
    command += ["--jobs", "1", "--out", str(tokenizers[0].parent / "measured")]
    return [*command, *(word for folder in tokenizers for word in ("-t", str(folder)))]


def peers_work(job: str, peer: str, path: str, tokenizers: Sequence[Path]) -> list[str]:
    """Return the command that does a peer's work."""
    return [sys.executable, __file__, *map(str, tokenizers), "--work", job, peer, path]


def work(job: str, peer: str, path: str, tokenizers: Sequence[Path]) -> None:
    """Encode a jsonl file's texts by each tokenizer, or train on them, with one peer."""
    if job == "train":
        print(TRAINERS[peer](path))
        return
    texts = list(texts_of(path))
    for folder in tokenizers:
        print(ENCODERS[peer](folder, texts))


if __name__ == "__main__":
    main()
