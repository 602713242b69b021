"""Mixtures of known shares: one half of each language's documents to train on, the other to infer
from."""

import json
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

from corpora.corpus import DocumentCorpus
from corpora.document import Document


def novels(folder: Path, language: str) -> list[str]:
    """Return the documents of a language of the shared training text."""
    with lzma.open(folder / f"{language}.jsonl.xz", "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def head(text: str, size: int) -> str:
    """Return the first `size` bytes, to a whole character."""
    return text.encode()[:size].decode("utf-8", "ignore")


def evenly(texts: Sequence[str], size: int) -> list[str]:
    """Return `size` bytes, the same from the beginning of each text, from longer ones what shorter
    ones lack."""
    left, taken = size, []
    for place, text in enumerate(sorted(texts, key=lambda text: len(text.encode()))):
        part = head(text, left // (len(texts) - place))
        taken.append(part)
        left -= len(part.encode())
    return taken


def planted(
    documents: Mapping[str, Sequence[str]], shares: Mapping[str, float], size: int, held: int
) -> tuple[DocumentCorpus, DocumentCorpus, dict[str, float]]:
    """Return text to train on, text to infer from, and the exact shares of the first.

    Arguments:
        documents: by language; every second is trained on, the others are inferred from.
        shares: of the bytes that are trained on.
        size: bytes to train on.
        held: bytes of each language to infer from.
    """
    train, rest = [], []
    for language, share in shares.items():
        own = documents[language]
        train += [Document(text, language) for text in evenly(own[::2], round(share * size))]
        rest += [Document(text, language) for text in evenly(own[1::2], held)]
    sizes = dict.fromkeys(shares, 0)
    for document in train:
        sizes[document.language] += len(document.text.encode())
    total = sum(sizes.values())
    exact = {language: one / total for language, one in sizes.items()}
    return DocumentCorpus("mixture", train), DocumentCorpus("other text", rest), exact
