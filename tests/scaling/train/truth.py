"""Held-out text scored by the source that it was drawn from, and runs asked for as by a person."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from corpora.synthetic import MarkovSource, ZipfSource
from scaling.config.train_file import read_train_file
from scaling.data.shards import open_shards
from scaling.prepare import keep_beside, prepare
from scaling.record import RunRecord
from tests.scaling.train.runs import CPU, run


def markov_bits(source: MarkovSource, texts: Sequence[str]) -> float:
    """Return the bits of the texts under the source: no model does better but by chance."""
    letters, order = len(source.alphabet), source.order
    total = 0.0
    for text in texts:
        places = np.array([source.alphabet.index(letter) for letter in text])
        windows = np.lib.stride_tricks.sliding_window_view(places[:-1], order)
        states = windows @ (letters ** np.arange(order - 1, -1, -1))
        total -= math.log2(source.stationary[states[0]])
        total -= float(np.log2(source.transitions[states, places[order:]]).sum())
    return total


def zipf_bits(source: ZipfSource, texts: Sequence[str]) -> float:
    """Return the bits of the texts under the source."""
    bits = dict(zip(source.words, -np.log2(source.probabilities), strict=True))
    return float(sum(bits[word + " "] for text in texts for word in text.split()))


def write_jsonl(path: Path, texts: Sequence[str]) -> Path:
    """Write the texts as one document each."""
    lines = [json.dumps({"text": text, "id": str(i)}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(folder: Path, toml: str) -> tuple[RunRecord, list[str]]:
    """Train what a specification file asks for; return the record and the held-out texts."""
    file = folder / "spec.toml"
    file.write_text(toml)
    spec, prepared = prepare(read_train_file(file), folder / "shards", lambda *_: lambda _: 0)
    out = folder / "runs" / spec.run_id
    keep_beside(prepared, out)
    record = run(spec, prepared.shards, out, CPU)
    text = open_shards(folder / "shards" / open_shards(prepared.shards).manifest.text).held_out
    documents = (np.asarray(text.document(i)).tobytes() for i in range(text.document_count))
    return record, [document.decode() for document in documents]
