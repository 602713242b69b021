"""Batches counted from their distinct chunks, shared by all tokenizers that split text alike.

What is kept lives in the worker process and is bounded: when tables hold `most_bytes` they are
emptied and filled anew, which costs little, since what is frequent comes back at once. A batch that
has little in common with what was seen before, as text without spaces has, is encoded whole, and so
are the next ones of its language, ever more of them before it is tried again.

Shared counts are compared with plain encoding on a sample: the heads of documents of each
language's first batch, and of every `CHECK_EVERY`-th one.

Which engine serves which tokenizer, and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from corpora.document import Batch
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.chunk_counts import ChunkedText, JoinedChunks, TokenTable, chunked
from tokenize_lab.counts.chunks import ChunkTable
from tokenize_lab.counts.fields import TextSettings, WordSegmenter
from tokenize_lab.counts.nested import Nested, nested
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import TokenCounts, whole_words
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.patterns import PATTERNS, Splitting, rule_of
from tokenize_lab.tokenizer import Tokenizer, way_back

_MOST_BYTES, _MOST_BYTES_EACH = 64 << 20, 8 << 20
CHECK_EVERY = 16
_CHECKED_TEXTS = 4
_CHECKED_CHARACTERS = 4096
# A distinct chunk costs about half as much again as its bytes in a text.
_MOST_NEW = 0.7
_LEAST_SKIPPED, _MOST_SKIPPED = 4, 64


def most_bytes(tokenizers: int) -> int:
    """Return how many bytes tables of chunks may hold; with room for what each tokenizer's take, or
    the more there are, the sooner all would be emptied."""
    return _MOST_BYTES + tokenizers * _MOST_BYTES_EACH


@dataclass
class _ChunkStore:
    """Chunks cut by one rule, of code or of other text, and what tokenizers make of them."""

    rule: CutRule
    settings: TextSettings
    is_code: bool
    chunks: ChunkTable = field(default_factory=ChunkTable)
    tables: dict[str, TokenTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nothing = AnnotatedText([], self.settings, self.is_code)
        self._lacking = (0, 0), JoinedChunks(nothing, self.rule)

    @property
    def nbytes(self) -> int:
        return self.chunks.nbytes + sum(table.nbytes for table in self.tables.values())

    def chunked(self, text: TextBytes, most_new: float) -> ChunkedText | None:
        starts = chunk_starts(text, self.rule)
        numbers = self.chunks.numbers(text.raw, starts, most_new)
        return None if numbers is None else chunked(text, starts, numbers)

    def table(self, tokenizer: Tokenizer, plan: "EncodingPlan") -> TokenTable | None:
        """Return the tokenizer's table of all chunks; None where it does not give one back."""
        new = TokenTable(tokenizer, plan.literals, plan.nested)
        table = self.tables.setdefault(tokenizer.name, new)
        if len(table) == len(self.chunks):
            return table
        # All tokenizers mostly lack the same chunks.
        if self._lacking[0] != (len(table), len(self.chunks)):
            text = self.chunks.text(len(table))
            lacking = AnnotatedText.of_bytes(text, self.settings, self.is_code, begin_lines=False)
            self._lacking = (len(table), len(self.chunks)), JoinedChunks(lacking, self.rule)
        return table if table.extend(self._lacking[1]) else None


@dataclass
class _Skipping:
    """How many batches of a language are not tried, and how many will be after the next miss."""

    left: int = 0
    next: int = _LEAST_SKIPPED


class ChunkCounter:
    """Counts from distinct chunks, within one process.

    Attributes:
        switched_off: why, by the name of each tokenizer whose shared counts were not those of plain
            encoding.
    """

    def __init__(
        self, settings: TextSettings, most_new: float = _MOST_NEW, most_bytes: int = _MOST_BYTES
    ) -> None:
        """`most_new`: share of a batch that chunks not seen before may be, each counted once."""
        self.switched_off: dict[str, str] = {}
        self._told = 0  # of them, how many have been told
        self._most_new, self._most_bytes = most_new, most_bytes
        self._settings = settings
        self._stores: dict[tuple[CutRule, bool], _ChunkStore] = {}
        self._skipping: dict[tuple[CutRule, str, str], _Skipping] = {}
        self._seen: dict[tuple[CutRule, str, str], int] = {}

    def newly_switched_off(self) -> list[tuple[str, str]]:
        """Return the tokenizers that were switched off since this was last asked, and why."""
        new = list(self.switched_off.items())[self._told :]
        self._told += len(new)
        return new

    @property
    def nbytes(self) -> int:
        """Bytes of memory that is kept."""
        return sum(store.nbytes for store in self._stores.values())

    def begin(self, text: AnnotatedText, batch: Batch, rule: CutRule) -> "SharedBatch | None":
        """Cut a batch; None where it is better, or only possible, to encode it whole."""
        if text.is_code:
            rule = rule.outside_runs  # a run of white space is indentation, and counted as one
        place = rule, batch.language, batch.domain
        skipping = self._skipping.setdefault(place, _Skipping())
        if skipping.left:
            skipping.left -= 1
            return None
        if text.is_code and any(string[:1] in (" ", "\t") for string in text.texts):
            return None  # blanks that open a text are indentation, and those before a word are not
        store = self._store(rule, text.is_code)
        cut = store.chunked(text.text_bytes, self._most_new)
        if cut is None:
            skipping.left, skipping.next = skipping.next, min(2 * skipping.next, _MOST_SKIPPED)
            return None
        skipping.next = _LEAST_SKIPPED
        seen = self._seen[place] = self._seen.get(place, -1) + 1
        heads = _heads(text.texts) if seen % CHECK_EVERY == 0 else []
        return SharedBatch(self, store, text, cut, heads)

    def _store(self, rule: CutRule, is_code: bool) -> _ChunkStore:
        if self.nbytes > self._most_bytes:
            self._stores.clear()
        key = rule, is_code
        if key not in self._stores:
            self._stores[key] = _ChunkStore(rule, self._settings, is_code)
        return self._stores[key]


class SharedBatch:
    """A batch in chunks, to be counted for one tokenizer after another."""

    def __init__(
        self,
        sharing: ChunkCounter,
        store: _ChunkStore,
        text: AnnotatedText,
        cut: ChunkedText,
        heads: Sequence[str],
    ) -> None:
        self._chunk_counter, self._store, self._cut, self._heads = sharing, store, cut, heads
        self._words = text.word_counts
        self._sizes = text.text_bytes.byte_counts

    def counts(self, tokenizer: Tokenizer, plan: "EncodingPlan") -> TokenCounts | None:
        """Return everything but the pre-tokens; None where the tokenizer is (now) switched off.

        Arguments:
            plan: of the tokenizer, none of whose literals the batch holds.
        """
        off = self._chunk_counter.switched_off
        if tokenizer.name in off:
            return None
        if self._heads and not self._agrees(tokenizer, plan):
            off[tokenizer.name] = "tokens of its pieces are not those of whole texts"
            return None
        table = self._store.table(tokenizer, plan)
        if table is None:
            off[tokenizer.name] = "its tokens do not give a piece of text back"
            return None
        return table.counts(self._cut, self._words, self._sizes)

    def _agrees(self, tokenizer: Tokenizer, plan: "EncodingPlan") -> bool:
        """Compare ids from chunks with those of whole texts."""
        cut = self._store.chunked(TextBytes.of(self._heads), 1.0)
        table = self._store.table(tokenizer, plan)
        if cut is None or table is None:
            return cut is None
        shared, plain = table.encoding(cut), tokenizer.encode_batch(self._heads)
        return np.array_equal(shared.ids, plain.ids) and np.array_equal(
            shared.lengths, plain.lengths
        )


def _heads(texts: Sequence[str]) -> list[str]:
    """Return the heads of a few texts, evenly spaced, the first among them."""
    chosen = np.unique(np.linspace(0, len(texts) - 1, _CHECKED_TEXTS).round().astype(int))
    return [whole_words(texts[i], _CHECKED_CHARACTERS) for i in chosen.tolist()]


class EncodingPlan(NamedTuple):
    """How one tokenizer's counts come about.

    Attributes:
        tokenizer: its name.
        encoder: the library that turns text into ids.
        encoder_reason: why that one.
        rule: where text is cut, so that each distinct chunk is counted once for all tokenizers of
            that rule; None where the tokenizer encodes every text whole.
        literals: added tokens; a text that holds one is encoded whole.
        patterns: names of what it splits text with, or the expressions themselves.
        reason: why it is so.
        nested: how its tokens follow from another's, or another's from them; None where they do
            not.
    """

    tokenizer: str
    encoder: str
    encoder_reason: str
    rule: CutRule | None
    literals: tuple[str, ...]
    patterns: tuple[str, ...]
    reason: str
    nested: Nested | None = None


def encoding_plan(
    tokenizer: Tokenizer, settings: TextSettings, tried: bool = False
) -> EncodingPlan:
    """Return how a tokenizer is served; `tried`: with the engine for much text, which is tried."""
    facts = _splitting(tokenizer)
    rule, reason = _rule(facts, tokenizer, settings)
    names = {pattern: name for name, pattern in PATTERNS.items()}
    return EncodingPlan(
        tokenizer.name,
        *_encoder(tokenizer, tried),
        rule,
        facts.literals,
        tuple(names.get(pattern, pattern) for pattern in facts.patterns),
        reason,
    )


def encoding_plans(
    tokenizers: Sequence[Tokenizer], settings: TextSettings, tried: bool = False
) -> list[EncodingPlan]:
    """Return how each tokenizer is served; cut at the same places, where one cuts at fewer."""
    plans = [encoding_plan(tokenizer, settings, tried) for tokenizer in tokenizers]
    found = {plan.rule for plan in plans if plan.rule}
    fewer = {rule: rule.outside_runs for rule in found if rule.outside_runs in found}
    return [plan._replace(rule=plan.rule and fewer.get(plan.rule, plan.rule)) for plan in plans]


def with_nested(
    tokenizers: Sequence[Tokenizer], plans: Sequence[EncodingPlan]
) -> list[EncodingPlan]:
    """Return the plans of tokenizers with what they say of each other's tokens."""
    alike = [plan.rule and (plan.rule, plan.patterns, plan.literals) for plan in plans]
    return [
        plan._replace(nested=found)
        for plan, found in zip(plans, nested(tokenizers, alike), strict=True)
    ]


def unshared(tokenizers: Sequence[Tokenizer], settings: TextSettings) -> list[str]:
    """Return a line for each tokenizer whose pattern is known and yet of no use here."""
    return [
        f"{plan.tokenizer} encodes every text whole: {plan.reason}"
        for tokenizer, plan in zip(tokenizers, encoding_plans(tokenizers, settings), strict=True)
        if plan.patterns and plan.rule is None and tokenizer.lossless
    ]


def plan_rows(plan: Sequence[EncodingPlan]) -> list[dict[str, Any]]:
    """Return the plan as rows for `--json`."""
    return [
        {
            "tokenizer": row.tokenizer,
            "encoder": row.encoder,
            "encoder_reason": row.encoder_reason,
            "splits_by": list(row.patterns),
            "shared": row.rule is not None,
            "cut_rule": None if row.rule is None else row.rule.value,
            "shared_with": [
                other.tokenizer
                for other in plan
                if other is not row and row.rule is not None and other.rule is row.rule
            ],
            "nested_in": row.nested and row.nested.within,
            "reason": row.reason,
        }
        for row in plan
    ]


def _splitting(tokenizer: Tokenizer) -> Splitting:
    from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
    from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer
    from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
    from tokenize_lab.backends.tiktoken import TiktokenTokenizer

    match tokenizer:
        case TiktokenTokenizer():
            return Splitting((tokenizer.pattern,))
        case HuggingFaceTokenizer():
            return tokenizer.splitting
        case SentencePieceTokenizer():
            return Splitting(obstacle="SentencePiece does not split a text before it merges")
        case ByteTokenizer() | CharacterTokenizer():
            return Splitting(obstacle="it merges nothing; looking pieces up would take longer")
    return Splitting(obstacle="nothing is known of how it splits a text")


def _encoder(tokenizer: Tokenizer, tried: bool) -> tuple[str, str]:
    """Return which library encodes, and why."""
    from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
    from tokenize_lab.backends.huggingface_fast import FastPath
    from tokenize_lab.backends.tiktoken import TiktokenTokenizer

    reason = "its own"
    if isinstance(tokenizer, HuggingFaceTokenizer):
        if not isinstance(tokenizer.fast, FastPath):
            return tokenizer.engine, f"its own: {tokenizer.fast}"
        tokenizer = tokenizer.fast.tiktoken
        reason = "its merges follow from ranks: the ids are the same"
    swift = tokenizer.swift if tried and isinstance(tokenizer, TiktokenTokenizer) else None
    if swift is None:
        return tokenizer.engine, reason
    if swift.obstacle:
        return tokenizer.engine, f"{reason}; fastokens does not serve: {swift.obstacle}"
    since = f"the latter from {swift.enough:,} characters on, which gave the same ids on a trial"
    return f"{tokenizer.engine}, {swift.name}", f"{reason}; {since}"


def _rule(
    facts: Splitting, tokenizer: Tokenizer, settings: TextSettings
) -> tuple[CutRule | None, str]:
    """Return where text may be cut for a tokenizer, and why; or why nowhere."""
    if facts.obstacle:
        return None, facts.obstacle
    if not tokenizer.lossless:
        return None, f"it is lossy: {tokenizer.lossy_reason}"
    if way_back(tokenizer).taken != tokenizer.prefix:
        return None, "its decoder does not take off what was put before a text, and that alone"
    if settings.segmenter is not WordSegmenter.WHITESPACE:
        return None, f"words by {settings.segmenter.value} are found in whole texts"
    rules = {rule_of(pattern) for pattern in facts.patterns}
    if None in rules:
        return None, "no places are proven at which its pattern always ends a piece"
    if len(rules) > 1:
        return None, "its patterns agree on no places to cut"
    return rules.pop(), "each distinct chunk of text is encoded once"
