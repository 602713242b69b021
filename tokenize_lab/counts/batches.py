"""The counts of one batch: looked up, encoded where they are missing, and kept."""

import hashlib
import importlib.metadata
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from corpora.document import Batch
from corpora.errors import InputError
from tokenize_lab.backends.watched import TextError
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.cache import CountsCache
from tokenize_lab.counts.fields import (
    CODE_DOMAIN,
    FIELDS,
    TEXT_FIELDS,
    TOKEN_FIELDS,
    TextSettings,
    WordSegmenter,
)
from tokenize_lab.counts.sharing import ChunkCounter, encoding_plans, most_bytes, with_nested
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import (
    SampledPretokens,
    TokenCounts,
    add_pretokens,
    count_encoded,
    pretokens_sampled,
)
from tokenize_lab.cut_rules import CutRule
from tokenize_lab.tokenizer import Encoding, IntArray, Tokenizer

# Part of every key: raise it whenever the meaning of a count changes.
COUNTING_VERSION = 5


def content_sha256(text: TextBytes) -> str:
    """Return the hash of a batch's texts: their bytes, and where each ends."""
    digest = hashlib.sha256(text.starts.astype("<i8").tobytes())
    digest.update(text.raw)
    return digest.hexdigest()


def counts_key(content: str, settings: TextSettings, is_code: bool) -> str:
    """Return the name of what is counted in a text, whatever the tokenizer."""
    unicode_rules = settings.graphemes or settings.segmenter is WordSegmenter.UAX29
    library = importlib.metadata.version("regex") if unicode_rules else ""
    return f"{content} {COUNTING_VERSION} {','.join(FIELDS)} {settings} {is_code} {library}"


def tokenizer_key(tokenizer: Tokenizer) -> str:
    """Return the name of a tokenizer in a key: what it is, and which library's version runs it."""
    return f"{tokenizer.sha256} {tokenizer.engine}"


@dataclass(frozen=True)
class CountJob:
    """Everything that counting a batch needs, sent to a worker once.

    Attributes:
        tokenizers: to be counted with, in the order of the results.
        settings: what is looked for in a text.
        cache: where counts are kept, or None.
        sharing: whether distinct chunks of text are counted once for all tokenizers that split text
            alike; counts are the same without.
    """

    tokenizers: Sequence[Tokenizer]
    settings: TextSettings
    cache: CountsCache | None
    sharing: bool = True


@dataclass(frozen=True)
class BatchCounts:
    """Counts of one batch.

    Attributes:
        text: [documents, len(TEXT_FIELDS)] int64.
        tokens: one entry for each tokenizer.
        encode_seconds: [tokenizers] seconds until its tokens were known (where chunks are shared,
            until they were counted; what they share in equal parts); NaN where the cache answered.
        content_sha256: of the batch's texts.
        notices: what a person should know, a line each.
    """

    text: IntArray
    tokens: Sequence[TokenCounts]
    encode_seconds: Sequence[float]
    content_sha256: str
    notices: Sequence[str] = ()


@contextmanager
def named_document(batch: Batch) -> Iterator[None]:
    """Say of a text that cannot be encoded which document of a batch it is.

    Raises:
        InputError: there is one.
    """
    try:
        yield
    except TextError as error:
        name = batch.document_ids[error.index]
        raise InputError(f"{batch.source}: document {name}: {error}") from error


class BatchCounter:
    """Counts batches, one after the other, in one process."""

    def __init__(self, counting: CountJob) -> None:
        self._counting = counting
        plans = encoding_plans(counting.tokenizers, counting.settings)
        self._plans = with_nested(counting.tokenizers, plans) if counting.sharing else plans
        most = most_bytes(len(counting.tokenizers))
        self._chunks = ChunkCounter(counting.settings, most_bytes=most)

    def count(self, batch: Batch) -> BatchCounts:
        """Return the batch's counts, from the cache where they are there."""
        text, content, key = self._text(batch)
        text_counts, tokens = self._stored(key, len(batch.texts))
        if text_counts is None:
            text_counts = text.counts()
            self._store([text_counts], key)
        missing = [i for i in range(len(self._plans)) if i not in tokens]
        seconds = [float("nan")] * len(self._plans)
        for i, (counts, taken) in self._counted(text, batch, missing).items():
            tokens[i], seconds[i] = counts, taken
            self._store_tokens(i, counts, key)
        notices = [
            f"{name}: {why}; it encodes whole texts from here on"
            for name, why in self._chunks.newly_switched_off()
        ]
        in_order = [tokens[i] for i in range(len(self._plans))]
        return BatchCounts(text_counts, in_order, seconds, content, notices)

    def cached(self, batch: Batch) -> BatchCounts | None:
        """Return the batch's counts if the cache has all of them."""
        if self._counting.cache is None:
            return None
        _, content, key = self._text(batch)
        text_counts, tokens = self._stored(key, len(batch.texts))
        if text_counts is None or len(tokens) < len(self._plans):
            return None
        in_order = [tokens[i] for i in range(len(tokens))]
        return BatchCounts(text_counts, in_order, [float("nan")] * len(tokens), content)

    def put_into_cache(self, batch: Batch, counts: BatchCounts) -> None:
        """Keep what was counted elsewhere."""
        is_code = batch.domain == CODE_DOMAIN
        key = counts_key(counts.content_sha256, self._counting.settings, is_code)
        self._store([counts.text], key)
        for i, tokens in enumerate(counts.tokens):
            self._store_tokens(i, tokens, key)

    def _text(self, batch: Batch) -> tuple[AnnotatedText, str, str]:
        """Return the text, its hash, and the name of what is counted in it."""
        settings = self._counting.settings
        text = AnnotatedText(batch.texts, settings, batch.domain == CODE_DOMAIN)
        content = content_sha256(text.text_bytes)
        return text, content, counts_key(content, settings, text.is_code)

    def _stored(self, key: str, texts: int) -> tuple[IntArray | None, dict[int, TokenCounts]]:
        """Return what the cache has of some texts' counts, and of the tokenizers', by their place.

        Arguments:
            texts: how many there are.
        """
        cache = self._counting.cache
        if cache is None:
            return None, {}
        tokens = {}
        for i, tokenizer in enumerate(self._counting.tokenizers):
            make = partial(_tokens_restored, texts, tokenizer.vocabulary_size)
            if stored := cache.get(make, key, tokenizer_key(tokenizer)):
                tokens[i] = stored
        return cache.get(partial(_text_restored, texts), key), tokens

    def _store(self, arrays: list[IntArray], *key: str) -> None:
        if self._counting.cache is not None:
            self._counting.cache.put(arrays, *key)

    def _store_tokens(self, i: int, counts: TokenCounts, key: str) -> None:
        arrays = [counts.per_text, counts.ids.astype(np.int64), counts.occurrences]
        self._store(arrays, key, tokenizer_key(self._counting.tokenizers[i]))

    def _counted(
        self, text: AnnotatedText, batch: Batch, wanted: Sequence[int]
    ) -> dict[int, tuple[TokenCounts, float]]:
        """Return the counts of the tokenizers wanted, and the seconds their encoders took."""
        result = self._from_chunks(text, batch, wanted) if self._counting.sharing else {}
        whole: dict[str, Encoding] = {}
        samples: dict[tuple[str, ...], SampledPretokens | None] = {}
        for i in wanted:
            tokenizer = self._counting.tokenizers[i]
            if i not in result:
                encoding, taken = self._whole(i, batch, whole)
                boundaries = token_boundaries(text.text_bytes, encoding, tokenizer)
                result[i] = count_encoded(text, encoding, tokenizer, boundaries), taken
            # Tokenizers that are known to split alike need not all split the sample.
            split = type(tokenizer).__name__, *(self._plans[i].patterns or (tokenizer.name,))
            if split not in samples:
                samples[split] = pretokens_sampled(text, tokenizer)
            add_pretokens(result[i][0], samples[split])
        families: defaultdict[str, list[int]] = defaultdict(list)  # one of each encodes for all
        for i in wanted:
            if (nested := self._plans[i].nested) is not None:
                families[nested.larger.name].append(i)
        for family in families.values():
            mean = sum(result[i][1] for i in family) / len(family)
            result |= {i: (result[i][0], mean) for i in family}
        return result

    def _whole(self, i: int, batch: Batch, whole: dict[str, Encoding]) -> tuple[Encoding, float]:
        """Return a batch's texts encoded whole, and the seconds taken.

        Arguments:
            whole: by name, what tokenizers of which others are parts have made of it.
        """
        nested = self._plans[i].nested
        if nested is not None and _holds(batch.texts, self._plans[i].literals):
            nested = None  # added tokens have ids of each one's own
        tokenizer = self._counting.tokenizers[i] if nested is None else nested.larger
        tokenizer.encode_batch([])  # builds the engine, which is no time of its own
        begin = time.perf_counter()
        encoding = whole.get(tokenizer.name)
        if encoding is None:
            with named_document(batch):
                encoding = tokenizer.encode_batch(batch.texts)
        if nested is not None:
            whole[tokenizer.name] = encoding
            encoding = nested.of(encoding)
        return encoding, time.perf_counter() - begin

    def _from_chunks(
        self, text: AnnotatedText, batch: Batch, wanted: Sequence[int]
    ) -> dict[int, tuple[TokenCounts, float]]:
        """Count what can be counted from chunks; the seconds of cutting go in equal parts."""
        result = {}
        for rule in CutRule:
            alike = [i for i in wanted if self._may_share(i, rule, batch.texts)]
            if not alike:
                continue
            begin = time.perf_counter()
            shared = self._chunks.begin(text, batch, rule)
            if shared is None:
                continue
            cutting = (time.perf_counter() - begin) / len(alike)
            for i in alike:
                begin = time.perf_counter()
                tokenizer = self._counting.tokenizers[i]
                counts = shared.counts(tokenizer, self._plans[i])
                if counts is not None:
                    result[i] = counts, cutting + time.perf_counter() - begin
        return result

    def _may_share(self, i: int, rule: CutRule, texts: Sequence[str]) -> bool:
        plan = self._plans[i]
        return plan.rule is rule and not _holds(texts, plan.literals)


def _text_restored(texts: int, arrays: list[IntArray]) -> IntArray:
    (table,) = arrays
    if table.shape != (texts, len(TEXT_FIELDS)):
        raise ValueError("not counts of as many texts")
    return table


def _tokens_restored(texts: int, vocabulary_size: int, arrays: list[IntArray]) -> TokenCounts:
    per_text, ids, occurrences = arrays
    if per_text.shape != (texts, len(TOKEN_FIELDS)) or ids.shape != (len(occurrences),):
        raise ValueError("not counts of as many texts")
    if len(ids) and (ids[-1] >= vocabulary_size or (np.diff(ids) <= 0).any()):
        raise ValueError("ids of another vocabulary, or not in order")
    return TokenCounts(per_text, ids.astype(np.uint32), occurrences)


def _holds(texts: Sequence[str], literals: Sequence[str]) -> bool:
    """Return whether a text has one of the added tokens in it."""
    return any(literal in text for literal in literals for text in texts)
