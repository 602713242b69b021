"""Tokenizers that a program already holds: a library's object, or one of its own."""

import hashlib
import operator
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from corpora.arguments import whole, word
from corpora.errors import InputError
from tokenize_lab.backends.common import LoadedTokenizer, difference_on_probes, encoding_of
from tokenize_lab.tokenizer import Encoding, TokenBytes, Tokenizer, TokenKind

LARGEST_ID = (1 << 24) - 1  # tables have a row for every id below it


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectTokenizer(LoadedTokenizer):
    """An object of another program's that encodes and says which bytes each of its ids has."""

    source: Any

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text.

        Raises:
            InputError: what comes back is not a list of the vocabulary's ids for each text.
        """
        found = self.source.encode_batch(list(texts))
        if isinstance(found, Encoding):
            return found
        try:
            some = islice(found, len(texts) + 1)  # it may yield lists without end
            ids, lengths = encoding = encoding_of(map(operator.index, ids) for ids in some)
        except (TypeError, ValueError, OverflowError) as error:
            what = "encode_batch returns no lists of ids"
            raise InputError(f"{self.name}: {what} ({error})") from error
        largest = int(ids.max(initial=0))
        if len(lengths) != len(texts) or (len(ids) and largest >= self.vocabulary_size):
            raise InputError(
                f"{self.name}: encode_batch of {len(texts)} texts returns {len(lengths)} lists, "
                f"the largest id {largest}; one list for each text was wanted, of ids below "
                f"{self.vocabulary_size}"
            )
        return encoding

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces merges are confined, where the object says so."""
        count = getattr(self.source, "pretoken_count", None)
        return None if count is None else count(text)


def tokenizer_of(source: Any, name: str = "") -> Tokenizer:
    """Return an object that encodes text as a tokenizer.

    Args:
        source: a `tokenizers.Tokenizer` (or a fast tokenizer of `transformers`, which holds one), a
            `tiktoken.Encoding`, a `sentencepiece.SentencePieceProcessor`, a tokenizer of this
            library, or any object with two attributes:

            encode_batch(texts): a list of ids for each text, without special tokens.
            token_bytes: the raw bytes of each id: a list, or a mapping from id. Ids that never
                come out of text have none (`b""`).

            It may also say its `name`, `prefix` (bytes it puts before every text that are no part
            of it), and `sha256`. Counts are kept from one run to the next only of a tokenizer whose
            `sha256` says that it is the same.
        name: what tables call it; by default what the object says, or its class.

    Raises:
        InputError: it is none of these, or its tokens cannot be led back to bytes.
    """
    if isinstance(source, type):
        raise InputError(f"{source.__qualname__}: a class; give an object of it")
    source = getattr(source, "backend_tokenizer", source)
    kind = type(source)
    library = kind.__module__.partition(".")[0]
    if library == "tokenizers" and hasattr(source, "to_str"):
        from tokenize_lab.backends.huggingface import huggingface_from_text

        called = name or "tokenizers.Tokenizer"
        return huggingface_from_text(source.to_str(), f"object:{called}", called, called)
    if library == "tiktoken" and hasattr(source, "_mergeable_ranks"):
        from tokenize_lab.backends.tiktoken import tiktoken_from_encoding

        return tiktoken_from_encoding(source, f"object:{name or source.name}", name)
    if library == "sentencepiece" and hasattr(source, "serialized_model_proto"):
        from tokenize_lab.backends.sentencepiece import sentencepiece_from_bytes

        called = name or "sentencepiece"
        model = source.serialized_model_proto()
        return sentencepiece_from_bytes(model, f"object:{called}", called, called)
    if not hasattr(source, "encode_batch") or not hasattr(source, "token_bytes"):
        raise InputError(
            f"{kind.__module__}.{kind.__qualname__}: not a tokenizer; it needs encode_batch(texts) "
            "and token_bytes, the raw bytes of each id"
        )
    # Some files alone have a remark, or a decoder that is out of the ordinary.
    facts = {fact.name for fact in fields(LoadedTokenizer)} - {"remark", "way_back"}
    has_facts = all(hasattr(source, name) for name in facts)
    of_this_library = has_facts and is_dataclass(source)
    if of_this_library and isinstance(source.token_bytes, TokenBytes):
        ours: Tokenizer = replace(source, name=name or source.name)
        return ours
    said = name or str(getattr(source, "name", "")) or kind.__qualname__
    return _wrapped(source, word("name", said))


def _wrapped(source: Any, name: str) -> ObjectTokenizer:
    kind = type(source)
    table = _table(source.token_bytes, name)
    # What determines its ids is not known, so its counts are nobody else's.
    unique = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
    tokenizer = ObjectTokenizer(
        spec=f"object:{name}",
        name=name,
        sha256=str(getattr(source, "sha256", unique)),
        vocabulary_size=len(table),
        token_bytes=table,
        prefix=bytes(getattr(source, "prefix", b"")),
        lossless=bool(getattr(source, "lossless", True)),
        lossy_reason=str(getattr(source, "lossy_reason", "")),
        engine=f"{kind.__module__}.{kind.__qualname__}",
        way_back=getattr(source, "way_back", None),
        source=source,
    )
    if not tokenizer.lossless:
        return tokenizer
    difference = difference_on_probes(tokenizer)
    return replace(tokenizer, lossless=not difference, lossy_reason=difference)


def _table(pieces: object, name: str) -> TokenBytes:
    if isinstance(pieces, TokenBytes):
        return pieces
    if isinstance(pieces, Mapping):
        ids = [whole("token_bytes", token_id, 0, LARGEST_ID) for token_id in pieces]
        pieces = [pieces.get(token_id, b"") for token_id in range(max(ids, default=-1) + 1)]
    if not isinstance(pieces, Sequence) or isinstance(pieces, str | bytes):
        raise InputError(f"{name}: token_bytes must be the bytes of each id, in a list or mapping")
    for i, piece in enumerate(pieces):
        if not isinstance(piece, bytes):
            raise InputError(
                f"{name}: token_bytes must be the bytes of each id (b'' for one that no text "
                f"gives); of id {i} it is {type(piece).__name__}"
            )
    if not pieces:
        raise InputError(f"{name}: token_bytes is empty")
    kinds = np.array([TokenKind.TEXT if piece else TokenKind.SPECIAL for piece in pieces], np.uint8)
    return TokenBytes.from_pieces(pieces, kinds)
