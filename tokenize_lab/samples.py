"""A few documents with their tokens, so that people can look at what was counted."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from corpora.document import Batch
from tokenize_lab.tokenizer import Tokenizer

SAMPLE_CHARACTERS = 200
SAMPLES_A_GROUP = 2


class SampleText(NamedTuple):
    """The head of a document.

    Attributes:
        alignment: its alignment number, or None.
    """

    corpus: str
    language: str
    domain: str
    alignment: int | None
    text: str


def sample_texts(corpus: str, batch: Batch) -> list[SampleText]:
    """Return the heads of the batch's first documents."""
    return [
        SampleText(
            corpus,
            batch.language,
            batch.domain,
            None if batch.first_alignment is None else batch.first_alignment + i,
            text[:SAMPLE_CHARACTERS],
        )
        for i, text in enumerate(batch.texts[:SAMPLES_A_GROUP])
    ]


def tokenized_samples(
    samples: Sequence[SampleText], tokenizers: Sequence[Tokenizer]
) -> list[dict[str, Any]]:
    """Return each sample with its tokens, by tokenizer.

    Tokens are `{"ids": [...], "sizes": [...]}`, sizes in raw bytes with the tokenizer's prefix left
    out: laid end to end over the text's bytes they are its tokens. Where a tokenizer does not give
    the text back exactly, `"bytes"` holds what its tokens stand for, in hexadecimal; else null.
    """
    result = [{**sample._asdict(), "tokens": {}} for sample in samples]
    for tokenizer in tokenizers:
        ids, lengths = tokenizer.encode_batch([sample.text for sample in samples])
        at = 0
        for entry, length in zip(result, lengths.tolist(), strict=True):
            own = ids[at : at + length].tolist()
            pieces = [tokenizer.token_bytes[i] for i in own]
            if pieces:
                pieces[0] = pieces[0].removeprefix(tokenizer.prefix)
            raw = b"".join(pieces)
            entry["tokens"][tokenizer.name] = {
                "ids": own,
                "sizes": [len(piece) for piece in pieces],
                "bytes": None if raw == entry["text"].encode() else raw.hex(),
            }
            at += length
    return result
