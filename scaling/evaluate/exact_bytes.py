"""Exact probabilities of bytes under a model of tokens.

A model of tokens gives a text the probability of one encoding, the tokenizer's own; but its tokens
may also end later than the text does. What the model says of the bytes s is the sum over all valid
cover encodings of s: tokens that a tokenizer would give some text, of which all but the last lie
within s and the last reaches its end or beyond (Phan et al., arXiv 2410.09303). P(b | s) is then
P(s b) / P(s). The canonical encoding is one of the covers, so bits per byte as `score` counts them
are never below the exact ones.

The tokens before the last are taken to be the tokenizer's own encoding of their bytes, which holds
of byte pair encoding; of a tokenizer where it does not, covers are missed and the sum is a lower
bound. A diagnostic for short texts: each byte may ask for a look at the whole vocabulary.

`score_exactly` sets both beside each other for the beginnings of documents. What a beginning costs
exactly is what the model says of a document that begins with these bytes, however it continues.
"""

import codecs
import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap, Interval
from corpora.errors import InputError
from scaling.data.shards import Stream
from scaling.evaluate.caches import segment_batch
from scaling.evaluate.score import bits_interval
from scaling.model.transformer import SubwordTransformer
from tokenize_lab.tokenizer import Tokenizer

Ids = tuple[int, ...]

_AT_ONCE = 64  # completions of a character tried together; the first few nearly always decide
FEWEST_BYTES = 4  # any character is whole


@dataclass(frozen=True)
class ExactScores:
    """What the beginnings of documents cost: by the tokenizer's encoding, and by all of them.

    Attributes:
        document_bytes: int64 [documents], bytes of each beginning.
        canonical_nats: float64 [documents], minus the log probability of the tokenizer's encoding.
        exact_nats: float64 [documents], minus that of the bytes; never above the former.
        languages: uint16 [documents], number of its language.
    """

    document_bytes: NDArray[np.int64]
    canonical_nats: NDArray[np.float64]
    exact_nats: NDArray[np.float64]
    languages: NDArray[np.uint16]

    def of(self, language: int) -> "ExactScores":
        """Return the scores of one language."""
        which = self.languages == language
        return ExactScores(*(part[which] for part in vars(self).values()))

    def bits_per_byte(self) -> tuple[float, float]:
        """Return the canonical and the exact bits per byte."""
        over = math.log(2) * float(self.document_bytes.sum())
        return float(self.canonical_nats.sum()) / over, float(self.exact_nats.sum()) / over

    def given_away(self, bootstrap: DocumentBootstrap) -> Interval | None:
        """Return the interval of the difference of the two, over documents; None of fewer than two.

        It is what counting one encoding alone gives away.
        """
        return bits_interval(self.canonical_nats - self.exact_nats, self.document_bytes, bootstrap)


def score_exactly(
    model: SubwordTransformer,
    tokenizer: Tokenizer,
    window: int,
    stream: Stream,
    exact_bytes: int,
    advance: Callable[[int], object] = lambda size: None,
) -> ExactScores:
    """Score the first bytes of each document of a stream of text.

    Args:
        model: of tokens, evaluating. window: tokens that it sees at once.
        stream: of bytes.
        exact_bytes: of each document, at most, cut where a character ends; 4 or more.
        advance: called with the bytes of each document that is done.

    Raises:
        InputError: a beginning takes more tokens than the model sees at once.
    """
    if exact_bytes < FEWEST_BYTES:
        raise InputError(f"`exact_bytes={exact_bytes}`: give {FEWEST_BYTES} or more")
    exact = ExactBytes(model, tokenizer, window)
    sizes, canonical, marginal = [], [], []
    for number in range(stream.document_count):
        text = stream.document(number)[:exact_bytes].tobytes().decode(errors="ignore")
        data = text.encode()
        exact.forget()
        try:
            canonical.append(-exact.canonical_log_probability(text))
            # Where a tokenizer is no BPE, its own encoding may be among the covers that are missed.
            marginal.append(min(canonical[-1], -exact.log_probability(data)))
        except InputError as error:
            raise InputError(
                f"document {number}: its first {len(data):,} bytes: {error}, with `exact_bytes`"
            ) from error
        sizes.append(len(data))
        advance(len(data))
    return ExactScores(
        np.array(sizes, np.int64), np.array(canonical), np.array(marginal), stream.languages[:]
    )


class ContextError(InputError):
    """The text takes more tokens than the model sees at once."""


class ExactBytes:
    """A model of tokens, asked about bytes.

    Attributes:
        model: evaluating. tokenizer: its own, lossless. window: tokens that it sees at once.
    """

    def __init__(self, model: SubwordTransformer, tokenizer: Tokenizer, window: int) -> None:
        """Prepare to answer; the tokenizer's vocabulary is sorted at the first question."""
        self.model, self.tokenizer, self.window = model, tokenizer, window
        self._read: dict[Ids, tuple[float, NDArray[np.float64]]] = {}

    def log_probability(self, text: bytes) -> float:
        """Return the logarithm of the probability that a document begins with `text`, in nats.

        Minus infinity where no text can: bytes that are no UTF-8.

        Raises:
            InputError: the text is longer than the model's context.
        """
        if not text:
            return 0.0
        data = self.tokenizer.prefix + text
        return _log_sum([logs for _, logs in self._covers(data, longer=False)])

    def next_bytes(self, text: bytes) -> NDArray[np.float64]:
        """Return [256] the probability of each byte after `text`.

        They add up to 1, less what the model spends on tokens that no text has.

        Raises:
            InputError: as `log_probability`; or no text begins like that.
        """
        whole = self.log_probability(text)
        if not math.isfinite(whole):
            raise InputError(f"no text begins with {text!r}: it is not UTF-8; give text")
        data = self.tokenizer.prefix + text
        logs: list[list[float]] = [[] for _ in range(256)]
        for byte, log in self._covers(data, longer=True):
            logs[byte].append(log)
        return np.exp([_log_sum(of_byte) - whole for of_byte in logs])

    def canonical_log_probability(self, text: str) -> float:
        """Return the logarithm of the probability of the tokenizer's own encoding, in nats."""
        if not text:
            return 0.0
        *before, last = self._encoded([text])[0]
        total, following = self._reading(tuple(before))
        return total + float(following[last])

    def forget(self) -> None:
        """Drop what was read for earlier texts: it is kept for questions about the same one."""
        self._read.clear()

    def _covers(self, data: bytes, *, longer: bool) -> Iterator[tuple[int, float]]:
        """Yield, of each valid cover, the first byte beyond `data` and its log probability.

        Args:
            longer: covers that reach beyond `data`, its end being where the last token begins at
                the latest; else all covers of `data`, their byte beyond being 0.
        """
        last = len(data) if longer else len(data) - 1
        for begin in range(max(0, len(data) - self._longest + longer), last + 1):
            rest = data[begin:]
            ids = self._beginning_with(rest)
            if longer:
                ids = [token for token in ids if len(self._table[token]) > len(rest)]
            if not ids:
                continue
            for before in self._encodings(data[:begin]):
                valid = [t for t, ok in zip(ids, self._valid(before, ids), strict=True) if ok]
                if valid:
                    total, following = self._reading(before)
                    for token in valid:
                        beyond = self._table[token][len(rest)] if longer else 0
                        yield beyond, total + float(following[token])

    def _beginning_with(self, data: bytes) -> list[int]:
        pieces, ids = self._sorted
        low = high = bisect_left(pieces, data)
        while high < len(pieces) and pieces[high].startswith(data):
            high += 1
        return ids[low:high]

    def _encodings(self, data: bytes) -> list[Ids]:
        """Return the canonical encodings that text beginning with `data` has of those bytes."""
        prefix = self.tokenizer.prefix
        if not data:
            return [()]
        if len(data) <= len(prefix):
            # Tokens of the prefix alone: whether any text has them shows when more have come.
            return [(token,) for token, piece in enumerate(self._table) if piece == data]
        found: dict[Ids, None] = {}
        for chunk in _chunks(_completed(data[len(prefix) :])):
            for ids in self._encoded(chunk):
                ends = np.cumsum([len(self._table[token]) for token in ids]).tolist()
                if len(data) in ends:
                    found[ids[: ends.index(len(data)) + 1]] = None
        return list(found)

    def _valid(self, before: Ids, last: Sequence[int]) -> list[bool]:
        """Say of each token whether some text's encoding begins with `before` and that token."""
        skipped = len(self.tokenizer.prefix)
        lead = b"".join(self._table[token] for token in before)
        texts = [_completed((lead + self._table[token])[skipped:]) for token in last]
        found = [False] * len(last)
        # The first completion of all of them at once: of whole characters it is the only one.
        firsts = [next(of_one, None) for of_one in texts]
        some = [place for place, first in enumerate(firsts) if first is not None]
        encoded = self._encoded([firsts[place] or "" for place in some])
        for place, ids in zip(some, encoded, strict=True):
            wanted = (*before, last[place])
            found[place] = ids[: len(wanted)] == wanted
            for chunk in _chunks(texts[place]) if not found[place] else ():
                if any(ids[: len(wanted)] == wanted for ids in self._encoded(chunk)):
                    found[place] = True
                    break
        return found

    def _reading(self, ids: Ids) -> tuple[float, NDArray[np.float64]]:
        """Return the log probability of tokens, and [V] those of the token after them."""
        if ids not in self._read:
            if len(ids) >= self.window:
                raise ContextError(
                    f"the text takes over {self.window:,} tokens, the model's context; ask about a"
                    " shorter one"
                )
            batch = segment_batch(ids, self.model.shape.vocabulary_size + 1, None)
            device = self.model.head.device
            with torch.inference_mode():
                logits = self.model(self.model.inputs(batch, device))[0]
                logs = logits.double().log_softmax(-1).cpu().numpy()
            total = float(logs[np.arange(len(ids)), list(ids)].sum())
            self._read[ids] = total, logs[-1].copy()
        return self._read[ids]

    def _encoded(self, texts: Sequence[str]) -> list[Ids]:
        if not texts:
            return []
        encoding = self.tokenizer.encode_batch(texts)
        ends = np.cumsum(encoding.lengths).tolist()
        ids = encoding.ids.tolist()
        return [tuple(ids[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]

    @cached_property
    def _table(self) -> list[bytes]:
        table = self.tokenizer.token_bytes
        return [table[token] for token in range(len(table))]

    @cached_property
    def _sorted(self) -> tuple[list[bytes], list[int]]:
        """Return the bytes of all tokens that have any, in order, and their ids."""
        order = sorted((piece, token) for token, piece in enumerate(self._table) if piece)
        return [piece for piece, _ in order], [token for _, token in order]

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._table))


def _completed(data: bytes) -> Iterator[str]:
    """Yield texts that begin with `data`: itself, or with its last character made whole each way.

    Nothing where no text does.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return
    begun = decoder.getstate()[0]
    if not begun:
        yield text
        return
    size = 2 if begun[0] < 0xE0 else 3 if begun[0] < 0xF0 else 4
    for tail in itertools.product(range(0x80, 0xC0), repeat=size - len(begun)):
        try:
            yield text + (begun + bytes(tail)).decode()
        except UnicodeDecodeError:  # a surrogate, or an overlong form
            continue


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(itertools.islice(texts, _AT_ONCE)):
        yield chunk


def _log_sum(logs: Sequence[float]) -> float:
    return float(np.logaddexp.reduce(logs)) if len(logs) else -math.inf
