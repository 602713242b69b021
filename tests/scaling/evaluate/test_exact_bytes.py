"""Exact bytes against a sum over every sequence of tokens that could have been."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from corpora.bootstrap import DocumentBootstrap
from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.evaluate.exact_bytes import ExactBytes, score_exactly
from scaling.flops import SubwordShape
from scaling.model.transformer import SubwordTransformer
from tests.scaling.evaluate.streams import byte_stream
from tests.scaling.evaluate.whole import Whole
from tokenize_lab.tokenizer import Encoding, TokenBytes, Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

WINDOW = 400
MERGES = [b"ab", b"ba", b"aba", b" a", b"\xc3\xa9", b"b\xc3\xa9", b"\xe2\x82", b" \xe2"]


@dataclass(frozen=True)
class Merging:
    """Byte pair encoding by a short list of merges; `prefix` stands before every text."""

    prefix: bytes = b""
    suffix: bytes = b""
    spec: str = "merging"
    name: str = "merging"
    sha256: str = ""
    vocabulary_size: int = 256 + len(MERGES)
    lossless: bool = True
    lossy_reason: str = ""
    engine: str = "test"
    pieces: list[bytes] = field(default_factory=lambda: [bytes([b]) for b in range(256)] + MERGES)

    @property
    def token_bytes(self) -> TokenBytes:
        return TokenBytes.from_pieces(self.pieces, [TokenKind.TEXT] * len(self.pieces))

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        all_ids = [self._encode(self.prefix + text.encode()) if text else [] for text in texts]
        flat = [token for ids in all_ids for token in ids]
        return Encoding(np.array(flat, np.uint32), np.array([len(ids) for ids in all_ids]))

    def pretoken_count(self, text: str) -> int | None:
        return None

    def _encode(self, data: bytes) -> list[int]:
        parts = [bytes([byte]) for byte in data]
        for merge in MERGES:  # in the order they were learnt, left to right
            place = 0
            while place < len(parts) - 1:
                if parts[place] + parts[place + 1] == merge:
                    parts[place : place + 2] = [merge]
                place += 1
        return [self.pieces.index(part) for part in parts]


def _model(vocabulary: int) -> SubwordTransformer:
    torch.manual_seed(9)
    return SubwordTransformer(SubwordShape(1, 16, vocabulary)).double().eval()


def _log_probability(model: SubwordTransformer, ids: Sequence[int]) -> float:
    reader, total = Whole(model, [], WINDOW, None), 0.0
    for token in ids:
        total += float(reader.logits().log_softmax(-1)[token])
        reader.push(token)
    return total


def _all_covers(pieces: list[bytes], data: bytes, so_far: tuple[int, ...]) -> Iterator[list[int]]:
    """Yield every sequence of tokens whose last one, and no earlier one, reaches data's end."""
    for token, piece in enumerate(pieces):
        if piece.startswith(data):
            yield [*so_far, token]
        elif data.startswith(piece):
            yield from _all_covers(pieces, data[len(piece) :], (*so_far, token))


def _is_some_texts(tokenizer: Merging, ids: list[int]) -> bool:
    """Whether a text's encoding begins with these tokens; all characters are tried."""
    data = b"".join(tokenizer.pieces[token] for token in ids)
    if not data.startswith(tokenizer.prefix):
        return False
    data = data[len(tokenizer.prefix) :]
    for size in range(4):
        try:
            text = data[: len(data) - size].decode()
        except UnicodeDecodeError:
            continue
        begun = data[len(data) - size :]
        endings = [""] if not begun else [c for c in CHARACTERS if c.encode().startswith(begun)]
        for ending in endings:
            found = tokenizer.encode_batch([text + ending]).ids.tolist()
            if found[: len(ids)] == ids:
                return True
    return False


CHARACTERS = [chr(code) for code in range(0x80, 0x3000)]


def _brute(model: SubwordTransformer, tokenizer: Merging, text: bytes) -> float:
    covers = _all_covers(tokenizer.pieces, tokenizer.prefix + text, ())
    valid = [ids for ids in covers if _is_some_texts(tokenizer, ids)]
    return sum(math.exp(_log_probability(model, ids)) for ids in valid)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (b"a", b""),
        (b"ab", b""),
        (b"abab", b""),
        (b"b a", b""),
        (b"aba", b" "),
        (b"b", b" "),
        ("bé".encode(), b""),
        (b"b\xc3", b""),
        (b" \xe2\x82", b""),
    ],
)
def test_all_sequences_of_tokens(text: bytes, prefix: bytes) -> None:
    tokenizer = Merging(prefix)
    model = _model(tokenizer.vocabulary_size)
    exact = ExactBytes(model, tokenizer, WINDOW)
    assert math.exp(exact.log_probability(text)) == pytest.approx(
        _brute(model, tokenizer, text), rel=1e-10
    )


@pytest.mark.parametrize("text", [b"", b"a", b"aba", b"b\xc3", b"ab "])
def test_the_byte_that_follows(text: bytes) -> None:
    tokenizer = Merging()
    exact = ExactBytes(_model(tokenizer.vocabulary_size), tokenizer, WINDOW)
    following = exact.next_bytes(text)
    whole = exact.log_probability(text)
    for byte in (*b"ab c", 0xC3, 0xA9):
        joint = exact.log_probability(text + bytes([byte]))
        expected = math.exp(joint - whole) if math.isfinite(joint) else 0
        assert following[byte] == pytest.approx(expected, rel=1e-10)
    # The rest is spent on tokens that no text has: a, b in place of ab.
    assert 0.5 < following.sum() <= 1 + 1e-12
    assert following[0xFF] == 0


def test_it_differs_from_the_naive_distribution() -> None:
    """After `a`, tokens put less on `b` than bytes do: ab may be one token."""
    tokenizer = Merging()
    model = _model(tokenizer.vocabulary_size)
    naive = float(Whole(model, [ord("a")], WINDOW, None).logits().softmax(-1)[ord("b")])
    exact = ExactBytes(model, tokenizer, WINDOW).next_bytes(b"a")[ord("b")]
    assert abs(exact / naive - 1) > 0.2


def test_a_model_of_bytes_is_exact_already() -> None:
    tokenizer = load_tokenizer("byte")
    model = _model(256)
    exact = ExactBytes(model, tokenizer, WINDOW)
    assert exact.log_probability(b"Hello") == pytest.approx(_log_probability(model, b"Hello"))
    naive = Whole(model, b"Hello", WINDOW, None).logits().softmax(-1).numpy()
    following = exact.next_bytes(b"Hello")
    assert following[:0x80] == pytest.approx(naive[:0x80], rel=1e-9)
    assert following[0x80] == 0  # continues no character


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    out: Path = tmp_path_factory.mktemp("bpe")
    train_tokenizer(open_corpus("embedded"), TrainSettings("bpe", 600), out)
    return load_tokenizer(str(out))


def test_canonical_bits_are_an_upper_bound(bpe: Tokenizer) -> None:
    """MODELS.md, section 5: on real text, of a few hundred bytes and of a few."""
    exact = ExactBytes(_model(bpe.vocabulary_size), bpe, WINDOW)
    text = next(iter(open_corpus("embedded:eng_Latn").batches())).texts
    sample = " ".join(text)[:300]
    looser = 0
    for size in (*range(1, 30), 300):
        part = sample[:size]
        canonical = exact.canonical_log_probability(part)
        found = exact.log_probability(part.encode())
        assert found >= canonical - 1e-12
        looser += found > canonical + 1e-3
    assert looser > 5  # wherever the text might end within a token


def test_real_text_byte_by_byte(bpe: Tokenizer) -> None:
    """The chain of next bytes is the probability of the whole, but for what invalid tokens take."""
    exact = ExactBytes(_model(bpe.vocabulary_size), bpe, WINDOW)
    text = "naïve café".encode()
    chain = sum(math.log(exact.next_bytes(text[:place])[text[place]]) for place in range(len(text)))
    assert chain == pytest.approx(exact.log_probability(text), rel=1e-9)


def test_what_cannot_be_asked() -> None:
    exact = ExactBytes(_model(256), load_tokenizer("byte"), 5)
    with pytest.raises(InputError, match="over 5 tokens"):
        exact.log_probability(b"longer")
    assert exact.log_probability(b"a\xff") == -math.inf
    with pytest.raises(InputError, match="not UTF-8"):
        exact.next_bytes(b"a\xff")
    assert exact.log_probability(b"") == 0


def test_beginnings_of_documents_against_all_sequences() -> None:
    tokenizer = Merging()
    model = _model(tokenizer.vocabulary_size)
    texts = ["abab", "b a and more", "bé", "aéb"]
    beginnings = ["abab", "b a ", "bé", "aéb"]
    stream = byte_stream([text.encode() for text in texts], languages=[0, 1, 1, 0])
    seen: list[int] = []
    scores = score_exactly(model, tokenizer, WINDOW, stream, 4, seen.append)
    brute = [-math.log(_brute(model, tokenizer, text.encode())) for text in beginnings]
    own = [-_log_probability(model, tokenizer._encode(text.encode())) for text in beginnings]
    assert scores.exact_nats == pytest.approx(brute, rel=1e-10)
    assert scores.canonical_nats == pytest.approx(own, rel=1e-10)
    assert (scores.exact_nats <= scores.canonical_nats).all()
    assert seen == scores.document_bytes.tolist() == [4, 4, 3, 4]
    canonical, exact = scores.bits_per_byte()
    assert canonical - exact == pytest.approx((sum(own) - sum(brute)) / (15 * math.log(2)))
    ends = scores.given_away(DocumentBootstrap())
    assert ends is not None and 0 <= ends.low < canonical - exact < ends.high
    part = scores.of(1)
    assert part.exact_nats == pytest.approx(brute[1:3]) and part.document_bytes.tolist() == [4, 3]


def test_beginnings_that_are_too_long_or_too_short() -> None:
    model, tokenizer = _model(256), load_tokenizer("byte")
    stream = byte_stream([b"abc", b"longer"])
    with pytest.raises(InputError, match=r"document 1: its first 6 bytes: .* over 5 tokens"):
        score_exactly(model, tokenizer, 5, stream, 8)
    with pytest.raises(InputError, match="`exact_bytes=3`: give 4 or more"):
        score_exactly(model, tokenizer, 5, stream, 3)
    scores = score_exactly(model, tokenizer, 5, stream, 4)
    assert scores.exact_nats == pytest.approx(scores.canonical_nats, rel=1e-12)
