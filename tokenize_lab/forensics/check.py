"""A tokenizer's own library beside what is counted here: the same ids, and the same way back.

Counts rest on two things: the ids that a text becomes, which fast engines and derived vocabularies
may give by another way than the library, and the bytes of each id, which decide whether a text is
given back. Both are compared, document by document, with what the library itself does: its encoder,
and its decoder on the library's ids. A text that a decoder gives back as it was is exact here, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from corpora.arguments import whole
from corpora.corpus import Corpus
from corpora.document import Batch, utf8_length
from corpora.errors import InputError
from tokenize_lab.backends.common import refused_text, threads
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.backends.watched import after_encoding
from tokenize_lab.counts.batches import named_document
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.forensics.audit import identity
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.workers import characters, map_here

SHOWN = 5  # tokens either side of the first that differs
LONGEST = 80  # characters of a text that are shown
_COST = 10  # of encoding one text at a time and decoding it, beside encoding many


class Library(NamedTuple):
    """A tokenizer's own library: its encoder and its decoder, of one text."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]


def library_of(tokenizer: Tokenizer) -> Library:
    """Return the library that a tokenizer is of, set to encode plain text, as it is here.

    Raises:
        InputError: it has none.
    """
    if isinstance(tokenizer, HuggingFaceTokenizer):
        engine = tokenizer.library_tokenizer
        return Library(
            after_encoding(
                tokenizer, lambda text: engine.encode(text, add_special_tokens=False).ids
            ),
            lambda ids: engine.decode(ids, skip_special_tokens=False),
        )
    if isinstance(tokenizer, SentencePieceTokenizer):
        processor = tokenizer._processor
        return Library(processor.EncodeAsIds, processor.DecodeIds)
    if isinstance(tokenizer, TiktokenTokenizer):
        import tiktoken

        table, first = tokenizer.token_bytes, tokenizer.first_id
        text_ids = np.flatnonzero(table.kinds == TokenKind.TEXT).tolist()
        encoding = tiktoken.Encoding(
            tokenizer.name,
            pat_str=tokenizer.pattern,
            mergeable_ranks={table[i]: i - first for i in text_ids},
            special_tokens={},
        )
        return Library(
            lambda text: [rank + first for rank in encoding.encode_ordinary(text)],
            lambda ids: encoding.decode([i - first for i in ids]),
        )
    raise InputError(
        f"{tokenizer.spec}: is encoded by tokenize-lab itself, so there is no library to check it "
        "against"
    )


@dataclass
class CheckCounts:
    """Documents, in numbers that add up.

    Attributes:
        documents: all.
        same_ids: of which both give the same ids.
        exact: whose tokens give back their bytes, as is counted here.
        library_exact: that the library decodes to what it encoded.
        differing: of which the two give other ids, or only one gives the text back.
    """

    documents: int = 0
    same_ids: int = 0
    exact: int = 0
    library_exact: int = 0
    differing: int = 0


class CheckedBatch(NamedTuple):
    """What came of a batch: its documents, and the first that differ or that neither gives back."""

    counts: CheckCounts
    differences: list[dict[str, Any]]
    changed: list[dict[str, Any]]


def check(
    tokenizer: object,
    corpora: Sequence[Corpus],
    *,
    most: int = 10,
    jobs: int = 1,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Compare what is counted of every document with what the tokenizer's own library does.

    `differences` has the first documents in which the two differ: in `ids`, or in whether the text
    comes back (`text`). `changed` has the first that neither gives back, with what the library
    makes of them: there the tokenizer loses text, and both say so.

    Arguments:
        tokenizer: one, or the spec of one.
        corpora: text.
        most: differences and changed documents to list.
        jobs: processes; 0 for one a core.
        progress: told of each corpus, and of the bytes of text just read.

    Raises:
        InputError: from the tokenizer or the corpora; the tokenizer is of no library.
    """
    whole("most", most, 1)
    (loaded,) = load_tokenizers([tokenizer])
    library_of(loaded)  # what has none is refused before any text is read
    counts = CheckCounts()
    differences: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    stream = ((corpus, batch) for corpus in corpora for batch in corpus.batches())
    start, cost = partial(_checker, loaded, most), lambda batch: _COST * characters(batch)
    found = map_here(stream, start, jobs=jobs, cost=cost, tokenizers=[loaded])
    for corpus, batch, checked in found:
        for name, number in vars(checked.counts).items():
            setattr(counts, name, getattr(counts, name) + number)
        for into, more in ((differences, checked.differences), (changed, checked.changed)):
            into += [{"corpus": corpus.name, **entry} for entry in more[: most - len(into)]]
        progress(f"checking {corpus.name}", sum(map(utf8_length, batch.texts)))
    return TokenizerFinding(
        kind="check",
        tokenizer=identity(loaded),
        **vars(counts),
        differences=differences,
        changed=changed,
    )


def _checker(tokenizer: Tokenizer, most: int) -> Callable[[Batch], CheckedBatch]:
    """Return what checks batches, with a library of this process."""
    return partial(check_batch, tokenizer, library_of(tokenizer), most)


def check_batch(tokenizer: Tokenizer, library: Library, most: int, batch: Batch) -> CheckedBatch:
    """Compare what is counted of a batch with what the library does; list `most` of either kind."""
    counts, differences, changed = found = CheckedBatch(CheckCounts(), [], [])
    with threads(False), refused_text(tokenizer.spec), named_document(batch):
        text = TextBytes.of(batch.texts)
        encoding = tokenizer.encode_batch(batch.texts)
        exact = token_boundaries(text, encoding, tokenizer).given_back.tolist()
        bounds = np.append(0, np.cumsum(encoding.lengths)).tolist()
        for i, (string, (begin, end)) in enumerate(zip(batch.texts, pairwise(bounds), strict=True)):
            ours, theirs = encoding.ids[begin:end].tolist(), list(library.encode(string))
            back = library.decode(theirs)
            counts.documents += 1
            counts.same_ids += ours == theirs
            counts.exact += exact[i]
            counts.library_exact += back == string
            agree = ours == theirs and exact[i] == (back == string)
            counts.differing += not agree
            into = changed if agree else differences
            if (agree and exact[i]) or len(into) == most:
                continue
            place = {"language": batch.language, "document": batch.document_ids[i]}
            into.append({**place, **_difference(tokenizer, string, ours, theirs, back)})
    return found


def _difference(
    tokenizer: Tokenizer, text: str, ours: list[int], theirs: list[int], back: str
) -> dict[str, Any]:
    """Return where two encodings part, or else where the decoded text parts from the text."""
    raw = b"".join(map(tokenizer.token_bytes.__getitem__, ours)).removeprefix(tokenizer.prefix)
    if ours != theirs:
        at = _first_difference(ours, theirs)
        part = slice(max(0, at - SHOWN), at + SHOWN + 1)
        return {
            "what": "ids",
            "text": text[:LONGEST],
            "place": at,
            "ours": [_token(tokenizer, i) for i in ours[part]],
            "library": [_token(tokenizer, i) for i in theirs[part]],
        }
    counted = raw.decode("utf-8", "backslashreplace")
    at = min(_first_difference(text, back), _first_difference(text, counted))
    part = slice(max(0, at - LONGEST // 4), at + LONGEST)
    return {
        "what": "text",
        "text": text[part],
        "place": at,
        "ours": counted[part],
        "library": back[part],
    }


def _first_difference(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((at for at, (a, b) in pairs if a != b), shorter)


def _token(tokenizer: Tokenizer, token_id: int) -> dict[str, Any]:
    table = tokenizer.token_bytes
    known = 0 <= token_id < len(table)
    raw = table[token_id] if known else b""
    return {"id": token_id, "text": raw.decode("utf-8", "backslashreplace")}
