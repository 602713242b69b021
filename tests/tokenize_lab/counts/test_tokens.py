"""Every count against a plain loop over tokens and characters, on real tokenizers and any text."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from tokenize_lab.backends.common import LoadedTokenizer, encoding_of
from tokenize_lab.backends.objects import tokenizer_of
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.counts.boundaries import lost_bytes, token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.fields import TOKEN_FIELDS, TOKEN_INDEX, TextSettings
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import TokenCounts, add_pretokens, count_encoded, pretokens_sampled
from tokenize_lab.tokenizer import Encoding, TokenBytes, Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer, load_tokenizers

SPECS = ["byte", "character", "mistral:v1", "mistral:tekken"]
TRICKY = [
    "The year 1234567 and 12345, not 123; 99999999!",
    "  two  spaces ",
    "",
    "नमस्ते दुनिया 2024१२३",
    "สวัสดีชาวโลก 10000",
    "👩‍👩‍👧‍👦 🇫🇷 e\u0301 \u0301x",
    "a\0b\r\nc\td",
    "▁not a space",
    "<s> </s> <|endoftext|> [INST]",
]


def count_tokens(text: AnnotatedText, encoding: Encoding, tokenizer: Tokenizer) -> TokenCounts:
    boundaries = token_boundaries(text.text_bytes, encoding, tokenizer)
    counts = count_encoded(text, encoding, tokenizer, boundaries)
    add_pretokens(counts, pretokens_sampled(text, tokenizer))
    return counts


@pytest.fixture(scope="module", params=SPECS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return load_tokenizer(request.param)


def naive_counts(text: str, ids: list[int], tokenizer: Tokenizer) -> dict[str, int]:
    """Count one document token by token, in the plainest way."""
    pieces = [tokenizer.token_bytes[i] for i in ids]
    has_prefix = bool(ids) and pieces[0].startswith(tokenizer.prefix)
    if has_prefix:
        pieces[0] = pieces[0][len(tokenizer.prefix) :]
    raw = text.encode()
    exact = b"".join(pieces) == raw
    lost = Counter(raw) - Counter(b"".join(pieces))
    kinds = Counter(TokenKind(int(tokenizer.token_bytes.kinds[i])) for i in ids)
    split = 0
    for i in ids:
        whole = tokenizer.token_bytes[i]
        try:
            whole.decode()
        except UnicodeDecodeError as error:
            inside_start = whole[0] & 0xC0 == 0x80
            inside_end = "unexpected end" in str(error) or "end of data" in str(error)
            split += inside_start or inside_end or whole[-1] >= 0x80
    counts = {
        "tokens": len(ids),
        "token_bytes": sum(map(len, pieces)),
        "lost_bytes": 0 if exact else lost.total(),
        "exact_documents": int(exact),
        "comparable_bytes": len(raw) if exact else 0,
        "unknown_tokens": kinds[TokenKind.UNKNOWN],
        "byte_fallback_tokens": kinds[TokenKind.BYTE_FALLBACK],
        "split_character_tokens": split,
    }
    if not exact:
        return counts
    spans, at = [], 0
    for piece in pieces:
        spans.append((at, at + len(piece)))
        at += len(piece)
    cuts = {start for start, _ in spans}
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", text)]
    as_bytes = [(len(text[:a].encode()), len(text[:b].encode())) for a, b in words]
    single = 0
    for n, (a, b) in enumerate(as_bytes):
        before = as_bytes[n - 1][1] if n else 0
        after = as_bytes[n + 1][0] if n + 1 < len(words) else len(raw)
        single += any(before <= s <= a and b <= e <= after for s, e in spans if e > s)
    counts |= {"comparable_words": len(words), "single_token_words": single}
    found = expected = hit = 0
    for m in re.finditer(rb"[0-9]{4,}", raw):
        inside = {c for c in cuts if m.start() < c < m.end()}
        wanted = set(range(m.end() - 3, m.start(), -3))
        found, expected, hit = (
            found + len(inside),
            expected + len(wanted),
            hit + len(inside & wanted),
        )
    return counts | {
        "digit_boundaries": found,
        "digit_boundaries_expected": expected,
        "digit_boundaries_hit": hit,
    }


def check(texts: list[str], tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode_batch(texts)
    counts = count_tokens(AnnotatedText(texts, TextSettings(), False), encoding, tokenizer)
    stops = np.cumsum(encoding.lengths)
    for text, row, stop, length in zip(
        texts, counts.per_text, stops, encoding.lengths, strict=True
    ):
        ids = encoding.ids[stop - length : stop].tolist()
        expected = naive_counts(text, ids, tokenizer)
        assert {name: row[TOKEN_INDEX[name]] for name in expected} == expected, text
    histogram = Counter(encoding.ids.tolist())
    assert dict(zip(counts.ids.tolist(), counts.occurrences.tolist(), strict=True)) == histogram


def test_tricky_texts(tokenizer: Tokenizer) -> None:
    check(TRICKY, tokenizer)


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5))
def test_any_text(tokenizer: Tokenizer, texts: list[str]) -> None:
    check(texts, tokenizer)


RAW_BYTES = st.binary(max_size=20)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, list[bytes]]]]:
    """A prefix; and texts, each with tokens whose bytes are the text's, or more, fewer, others."""
    prefix = draw(st.sampled_from([b"", b" ", b"<s>"]))
    texts = []
    for text in draw(st.lists(st.text("aé漢😀 1", max_size=14), max_size=5)):
        raw = prefix + text.encode() if text else b""
        cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=6)))
        pieces = [raw[a:b] for a, b in pairwise([0, *cuts, len(raw)])] if raw else []
        for place in draw(st.lists(st.integers(0, 5), max_size=2)):
            pieces[place : place + draw(st.integers(0, 1))] = draw(st.lists(RAW_BYTES, max_size=3))
        texts.append((text, pieces))
    return prefix, texts


@settings(deadline=None, max_examples=300)
@given(layouts())
def test_any_tokens_over_any_texts(made: tuple[bytes, list[tuple[str, list[bytes]]]]) -> None:
    prefix, texts = made
    vocabulary = sorted({piece for _, pieces in texts for piece in pieces})
    ids = [vocabulary.index(piece) for _, pieces in texts for piece in pieces]
    table = TokenBytes.from_pieces(vocabulary, [TokenKind.TEXT] * len(vocabulary))
    lengths = [len(pieces) for _, pieces in texts]
    tokenizer = cast(
        Tokenizer, LoadedTokenizer("own", "own", "", len(vocabulary), table, "", prefix)
    )
    encoding = Encoding(np.array(ids, np.uint32), np.array(lengths, np.int64))
    text = TextBytes.of([text for text, _ in texts])
    boundaries = token_boundaries(text, encoding, tokenizer)
    for i, (string, pieces) in enumerate(texts):
        has_prefix = b"".join(pieces).startswith(prefix) and bool(pieces)
        rest, left = [], len(prefix) if has_prefix else 0
        for piece in pieces:
            rest.append(piece[left:])
            left = max(0, left - len(piece))
        exact = b"".join(rest) == string.encode()
        assert boundaries.exact[i] == exact
        assert boundaries.token_bytes[i] == sum(map(len, rest))
        begin, end = text.starts[i : i + 2]
        if exact and begin < end:
            opened = begin + np.flatnonzero(boundaries.opens[begin:end])
            begins = begin + np.cumsum([0, *map(len, rest)])
            assert {*opened.tolist()} == {int(at) for at in begins if at < end}


@pytest.mark.parametrize(
    "normalizer",
    [normalizers.NFKC(), normalizers.Replace("a", "a\u0301" * 9)],
    ids=["NFKC", "Replace"],
)
def test_texts_that_a_normaliser_makes_longer(normalizer: normalizers.Normalizer) -> None:
    letters = {character: byte for byte, character in byte_to_character().items()}
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=letters, merges=[]))
    library.normalizer = normalizer
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = tokenizer_of(library)
    assert not tokenizer.lossless
    for texts in (["½½½"], ["½"], ["½½½", "½", "", "abc"], ["น้ำ ทำ คำ ½½½½"], ["a", "¼"]):
        check(texts, tokenizer)


def test_a_prefix_may_be_several_tokens() -> None:
    letters = {character: byte for byte, character in byte_to_character().items()}
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=letters, merges=[]))
    library.normalizer = normalizers.Prepend("<s>")
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = tokenizer_of(library)
    assert tokenizer.prefix == b"<s>" and "its decoder leaves the '<s>'" in tokenizer.lossy_reason
    texts = ["one", "<s>", "", "漢 字"]
    text = AnnotatedText(texts, TextSettings(), False)
    counts = count_tokens(text, tokenizer.encode_batch(texts), tokenizer)
    sizes = [len(text.encode()) for text in texts]
    # The tokens lie on the text all the same, whatever the decoder leaves before it.
    assert counts.per_text[:, TOKEN_INDEX["comparable_bytes"]].tolist() == sizes
    assert counts.per_text[:, TOKEN_INDEX["exact_documents"]].tolist() == [0, 0, 1, 0]
    assert counts.per_text[:, TOKEN_INDEX["token_bytes"]].tolist() == sizes


def test_words_and_digits_counted_by_hand() -> None:
    # byte: every digit a token, so 6 boundaries in 1234567 of which 2 group by three.
    tokenizer = load_tokenizer("byte")
    texts = ["a 1234567 bc"]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    row = dict(zip(TOKEN_FIELDS, counts.per_text[0].tolist(), strict=True))
    assert (row["digit_boundaries"], row["digit_boundaries_expected"]) == (6, 2)
    assert row["digit_boundaries_hit"] == 2
    assert (row["comparable_words"], row["single_token_words"]) == (3, 1)


def test_the_pre_token_ceiling_looks_at_all_of_the_text() -> None:
    # Short words first, long ones after: a sample of the head alone would see only the short.
    tokenizer = load_tokenizer("mistral:tekken")
    texts = ["a b c d e f g h"] * 2000 + ["internationalization " * 8] * 2000
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    total = dict(zip(TOKEN_FIELDS, counts.per_text.sum(0).tolist(), strict=True))
    whole = sum(len(text) for text in texts) / sum(
        tokenizer.pretoken_count(text) or 0 for text in texts
    )
    assert total["pretoken_bytes"] / total["pretokens"] == pytest.approx(whole, rel=0.05)


def test_a_piece_that_cannot_be_cut_says_nothing_of_the_ceiling() -> None:
    tokenizer = load_tokenizer("mistral:tekken")
    texts = ["a" * 100_000]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    assert counts.per_text[0, TOKEN_INDEX["pretoken_bytes"]] == 0
    assert counts.per_text[0, TOKEN_INDEX["pretokens"]] == 0


def test_code_counts_by_hand() -> None:
    tokenizer = load_tokenizer("byte")
    texts = ["if a == b:\n    c += 1\n\td = e\n"]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), True), tokenizer.encode_batch(texts), tokenizer
    )
    row = dict(zip(TOKEN_FIELDS, counts.per_text[0].tolist(), strict=True))
    # Four spaces and a tab open lines; == and += are the operators of two characters.
    assert (row["indentation_bytes"], row["indentation_tokens"]) == (5, 5)
    assert (row["operator_bytes"], row["operator_tokens"]) == (4, 4)


def test_a_tokenizer_that_changes_bytes_is_caught_in_its_documents_only() -> None:
    # SentencePiece writes a space as U+2581; a text that holds that character comes back changed.
    tokenizer = load_tokenizer("mistral:v1")
    texts = ["one plain text 5555", "a ▁ b", "another 7777 one"]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    column = counts.per_text[:, TOKEN_INDEX["exact_documents"]]
    assert column.tolist() == [1, 0, 1]
    words = counts.per_text[:, TOKEN_INDEX["comparable_words"]]
    assert words.tolist() == [4, 0, 3]


def made(vocab: dict[bytes, int]) -> Tokenizer:
    """A tokenizer of whole words; others are one unknown token, white space is dropped."""

    class Words:
        name = "words"
        token_bytes = [b"", *vocab]  # noqa: RUF012

        def encode_batch(self, texts: list[str]) -> list[list[int]]:
            return [[vocab.get(word.encode(), 0) for word in text.split()] for text in texts]

    return load_tokenizers([Words()])[0]


def test_lost_text_is_counted_by_hand() -> None:
    tokenizer = made({b"house": 1, b"1234": 2})
    texts = ["house", "a house 1234", "บ้าน", "", "house"]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    for name, column in {
        "lost_bytes": [0, 3, 12, 0, 0],
        "exact_documents": [1, 0, 0, 1, 1],
        "comparable_bytes": [5, 0, 0, 0, 5],
    }.items():
        assert counts.per_text[:, TOKEN_INDEX[name]].tolist() == column, name


def test_what_tokens_put_in_does_not_make_up_for_what_they_lose() -> None:
    """A prefix is no part of the text, and longer tokens carry nothing else for it."""
    tokenizer = load_tokenizer("mistral:v1")  # puts a space before every text
    texts = ["▁", "a▁▁b"]
    counts = count_tokens(
        AnnotatedText(texts, TextSettings(), False), tokenizer.encode_batch(texts), tokenizer
    )
    # U+2581 is three bytes, and comes back as a space, a byte that the text does not have.
    assert counts.per_text[:, TOKEN_INDEX["lost_bytes"]].tolist() == [3, 6]


@settings(deadline=None, max_examples=60)
@given(
    vocabulary=st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=6),
    documents=st.lists(
        st.tuples(st.text("ab é\u0e01", max_size=12), st.lists(st.integers(0, 6), max_size=8)),
        max_size=6,
    ),
)
def test_lost_bytes_of_any_layout(
    vocabulary: list[bytes], documents: list[tuple[str, list[int]]]
) -> None:
    pieces = [b"", *vocabulary]
    ids = {text: [i % len(pieces) for i in row] for text, row in documents}
    tokenizer = made(dict.fromkeys(vocabulary, 0))
    table = TokenBytes.from_pieces(pieces, [0] * len(pieces))
    texts = list(ids)
    encoding = encoding_of(ids[text] for text in texts)
    text = AnnotatedText(texts, TextSettings(), False).text_bytes
    exact = np.zeros(len(texts), np.bool_)
    found = lost_bytes(text, encoding, replace(tokenizer, token_bytes=table), exact)  # type: ignore[type-var]  # a dataclass
    wanted = [
        (Counter(string.encode()) - Counter(b"".join(pieces[i] for i in ids[string]))).total()
        for string in texts
    ]
    assert found.tolist() == wanted
