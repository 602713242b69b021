"""What a tokenizer.json is taken to do to text, for every kind of part the library has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, assert_lossless, bytes_per_text
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.running_text import BytesProof, bytes_proof
from tokenize_lab.backends.simple import byte_to_character, character_to_byte
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.tokenizer import TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer

ALPHABET = {character: i for i, character in enumerate(byte_to_character().values())}
BYTE_TOKENS = {f"<0x{byte:02X}>": byte for byte in range(256)}
SPLIT = pre_tokenizers.Split(Regex(r"\w+|\s+"), "isolated")


def _loaded(tokenizer: Tokenizer) -> HuggingFaceTokenizer:
    return huggingface_from_text(tokenizer.to_str(), "hf:own", "own", "own")


def _byte_level(**settings: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab=dict(ALPHABET), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        **({"add_prefix_space": False, "use_regex": True} | settings)
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _byte_fallback(pieces: str = "abc▁ñ漢", **settings: Any) -> Tokenizer:
    vocab = BYTE_TOKENS | {piece: 256 + i for i, piece in enumerate(pieces)}
    return Tokenizer(models.BPE(vocab=vocab, merges=[], byte_fallback=True, **settings))


def test_the_byte_alphabet_is_the_librarys() -> None:
    assert set(byte_to_character().values()) == set(pre_tokenizers.ByteLevel.alphabet())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    text = "".join(map(chr, range(0x800))) + "漢😀"
    ((written, _),) = split.pre_tokenize_str(text)
    back = character_to_byte()
    assert bytes(back[character] for character in written) == text.encode("utf-8")


def test_byte_level_anywhere_is_lossless() -> None:
    nested = _byte_level()
    nested.pre_tokenizer = pre_tokenizers.Sequence(
        [SPLIT, pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(False, use_regex=False)])]
    )
    normalized = _byte_level()
    normalized.pre_tokenizer = SPLIT
    normalized.normalizer = normalizers.ByteLevel()
    without_decoder = _byte_level()
    without_decoder.decoder = decoders.Fuse()
    for tokenizer in (_byte_level(), nested, without_decoder):
        loaded = _loaded(tokenizer)
        assert loaded.lossless and not loaded.prefix
        assert_lossless(loaded, [*HARD, *SPECIAL_LOOKING])
    assert _loaded(normalized).token_bytes.data == bytes(byte_to_character())


def test_llamas_sequence_is_lossless_with_a_space_in_front() -> None:
    tokenizer = _byte_fallback()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    loaded = _loaded(tokenizer)
    assert loaded.lossless and loaded.prefix == b" "
    assert loaded.token_bytes.kinds[:256].tolist() == [TokenKind.BYTE_FALLBACK] * 256
    assert_lossless(loaded, [*HARD, *SPECIAL_LOOKING])
    assert loaded.pretoken_count("a b c") is None


def test_gemmas_replacement_puts_nothing_in_front() -> None:
    tokenizer = _byte_fallback()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    loaded = _loaded(tokenizer)
    assert loaded.lossless and loaded.prefix == b""
    assert_lossless(loaded, [*HARD, *SPECIAL_LOOKING])


@pytest.mark.parametrize("scheme", ["first", "always"])
def test_a_space_put_only_where_there_is_none_cannot_be_told_apart(scheme: str) -> None:
    metaspace = _byte_fallback()
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    metaspace.decoder = decoders.Metaspace(prepend_scheme=scheme)
    byte_level = _byte_level(add_prefix_space=True)
    for tokenizer in (metaspace, byte_level):
        loaded = _loaded(tokenizer)
        assert loaded.prefix == b" "
        assert not loaded.lossless and "space before a text" in loaded.lossy_reason
        with_space, without = bytes_per_text(loaded, [" a", "a"])
        assert with_space == without == b" a"


def test_metaspace_that_prepends_nothing_is_lossless() -> None:
    tokenizer = _byte_fallback()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    loaded = _loaded(tokenizer)
    assert loaded.lossless and loaded.prefix == b""
    assert_lossless(loaded, HARD)
    assert loaded.pretoken_count("a b c") == 3


@pytest.mark.parametrize(
    ("normalizer", "named"),
    [
        (normalizers.NFKC(), "NFKC"),
        (normalizers.NFC(), "NFC"),
        (normalizers.Lowercase(), "Lowercase"),
        (normalizers.Sequence([normalizers.Replace("a", "b")]), "Replace"),
        (normalizers.Replace(Regex(" +"), "▁"), "Replace"),
        (normalizers.Strip(), "Strip"),
        (normalizers.BertNormalizer(), "BertNormalizer"),
    ],
)
def test_a_normaliser_is_named(normalizer: Any, named: str) -> None:
    tokenizer = _byte_level()
    tokenizer.normalizer = normalizer
    loaded = _loaded(tokenizer)
    assert not loaded.lossless and f"normaliser {named} changes text" in loaded.lossy_reason


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (pre_tokenizers.Whitespace(), "whitespace drops it"),
        (pre_tokenizers.WhitespaceSplit(), "whitespace drops it"),
        (pre_tokenizers.BertPreTokenizer(), "whitespace drops it"),
        (pre_tokenizers.CharDelimiterSplit("-"), "splitting at '-' drops it"),
        (pre_tokenizers.Split(Regex(r"\s+"), "removed"), "removes what it splits at"),
        (pre_tokenizers.Punctuation("removed"), "removes what it splits at"),
    ],
)
def test_a_split_that_drops_text_is_named(part: Any, says: str) -> None:
    tokenizer = _byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([part, tokenizer.pre_tokenizer])
    loaded = _loaded(tokenizer)
    assert not loaded.lossless and says in loaded.lossy_reason


@pytest.mark.parametrize(
    "part",
    [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.Punctuation(),
        pre_tokenizers.Split(" ", "merged_with_next"),
        pre_tokenizers.FixedLength(5),
    ],
)
def test_a_split_that_keeps_text_is_lossless(part: Any) -> None:
    tokenizer = _byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([part, tokenizer.pre_tokenizer])
    loaded = _loaded(tokenizer)
    assert loaded.lossless
    assert_lossless(loaded, HARD)


def test_wordpiece_is_lossy_and_its_words_have_the_space_that_its_decoder_puts() -> None:
    vocab = {"[UNK]": 0, "un": 1, "##able": 2, "##": 3, "###": 4, ".": 5}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    loaded = _loaded(tokenizer)
    table = loaded.token_bytes
    # It takes the marks off, and the space before a full stop.
    assert [table[i] for i in range(6)] == [b"", b" un", b"able", b"", b"#", b"."]
    assert table.kinds[0] == TokenKind.UNKNOWN
    assert "splitting at whitespace drops it" in loaded.lossy_reason
    assert loaded.prefix == b" "
    assert bytes_per_text(loaded, ["unable un.", "other"]) == [b" unable un.", b""]
    texts = ["unable un.", "unable  un.", "un .", "un", ". un", "", "other un"]
    back = [
        tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) for text in texts
    ]
    boundaries = token_boundaries(TextBytes.of(texts), loaded.encode_batch(texts), loaded)
    assert boundaries.exact.tolist() == [
        one == other for one, other in zip(back, texts, strict=True)
    ]
    assert boundaries.exact.tolist() == [True, False, False, True, True, True, False]


def test_a_words_end_mark_is_the_space_that_its_decoder_puts() -> None:
    vocab = {"a": 0, "b": 1, "b</w>": 2, "ab</w>": 3, "</w>": 4}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=[("a", "b</w>")], end_of_word_suffix="</w>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder()
    loaded = _loaded(tokenizer)
    assert bytes_per_text(loaded, ["ab", "b ab"]) == [b"ab ", b"b ab "]
    assert (loaded.prefix, loaded.suffix, loaded.lossless) == (b"", b" ", False)
    texts = ["ab", "b ab", "b  ab", " b", ""]
    boundaries = token_boundaries(TextBytes.of(texts), loaded.encode_batch(texts), loaded)
    assert boundaries.exact.tolist() == [True, True, False, False, True]
    assert boundaries.token_bytes.tolist() == [2, 4, 4, 1, 0]
    assert bytes_proof(loaded) == BytesProof(5, {}, [])


def _gemma(*added: AddedToken, pieces: str = "abc▁ñ漢") -> Tokenizer:
    tokenizer = _byte_fallback(pieces)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_tokens(list(added))
    return tokenizer


def test_an_added_token_is_what_it_is_decoded_to() -> None:
    vocab = BYTE_TOKENS | {"a": 256, "▁": 257, "▁▁": 258, "\t": 259}
    tokenizer = _gemma()
    tokenizer.model = models.BPE(vocab=vocab, merges=[("▁", "▁")], byte_fallback=True)
    marks = AddedToken("▁▁", normalized=False)
    tabs = AddedToken("\t\t", normalized=False)
    normalized = AddedToken("a a", normalized=True)
    tokenizer.add_tokens([marks, tabs, normalized, AddedToken("<0x41>", normalized=False)])
    loaded = _loaded(tokenizer)
    table = loaded.token_bytes
    assert [table[i] for i in range(258, 262)] == [b"  ", b"\t", b"\t\t", b"a a"]
    assert table[0x41] == b"A"
    # Text that reads like a byte's token becomes the token, and comes back as the byte.
    assert not loaded.lossless and "<0x41>" in loaded.lossy_reason
    harmless = _loaded(_gemma(marks, tabs, normalized))
    assert harmless.lossless
    assert_lossless(harmless, [*HARD, *SPECIAL_LOOKING, "a  a", "a a", "\t\t\t"])
    assert not bytes_proof(loaded).differing and not bytes_proof(harmless).differing


def test_special_pieces_that_a_model_puts_out_itself_are_text() -> None:
    pieces = [("<unk>", 0.0), ("<s>", -1.0), ("<mask>", -1.0), ("a", -2.0), ("▁", -2.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.add_special_tokens(["<s>", "<mask>", "<pad>"])
    loaded = _loaded(tokenizer)
    assert loaded.encode_batch(["a<s>a"]).ids.tolist() == [3, 1, 3]
    assert bytes_per_text(loaded, ["a<s>a", "<mask> a"]) == [b"a<s>a", b"<mask> a"]
    kinds = [TokenKind.UNKNOWN, *[TokenKind.TEXT] * 4, TokenKind.SPECIAL]
    assert loaded.token_bytes.kinds.tolist() == kinds
    assert bytes_proof(loaded) == BytesProof(4, {}, [])


def test_ids_whose_bytes_the_decoder_does_not_give_are_named() -> None:
    tokenizer = _gemma()
    pieces = BYTE_TOKENS | {"a": 256, "▁": 257, "▁a": 258, "x": 259}
    tokenizer.model = models.BPE(vocab=pieces, merges=[("▁", "a")], byte_fallback=True)
    # Without Fuse, the space is taken off every token and not off the text.
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Strip(" ", 1, 0)]
    )
    loaded = _loaded(tokenizer)
    proof = bytes_proof(loaded)
    assert proof.differing == {0x20: b"", 257: b"", 258: b"a"}
    assert proof.open == [0xC0, 0xC1, *range(0xF5, 0x100)]
    assert proof.shown == 260 - 3 - 13
    named = proof.as_json(loaded.token_bytes)["differing"]
    assert named[-1] == {"id": 258, "text": " a", "decoded": "a"}


@pytest.mark.parametrize("spec", ["mistral:v1", "mistral:v3", "mistral:tekken"])
def test_bytes_of_whole_vocabularies_are_what_their_libraries_decode(spec: str) -> None:
    tokenizer = load_tokenizer(spec)
    proof = bytes_proof(tokenizer)
    assert not proof.differing and not proof.why
    assert len(proof.open) == 13  # bytes that are in no UTF-8
    assert proof.shown == np.count_nonzero(tokenizer.token_bytes.lengths) - 13


SPLIT_ALL = r"\p{L}+|\p{N}{1,3}|[^\p{L}\p{N}]+"


@pytest.mark.parametrize(
    ("pattern", "lost"),
    [
        (SPLIT_ALL, ""),
        (PATTERNS["gpt4o"], ""),
        (r"[^ ]+", " "),
        (r"\p{L}+|\p{N}+|[^\p{L}\p{N}\u0301]+", "\u0301"),
        (r"[\x00-\x{FFFF}]+", "\U00010000"),
    ],
)
def test_what_an_inverted_split_removes_is_what_it_does_not_match(pattern: str, lost: str) -> None:
    tokenizer = _byte_level()
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    byte_level = pre_tokenizers.ByteLevel(False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    loaded = _loaded(tokenizer)
    assert loaded.lossless == (not lost)
    assert not lost or f"(such as {lost!r})" in loaded.lossy_reason
    if not lost:
        assert_lossless(loaded, [*HARD, *SPECIAL_LOOKING])


@pytest.mark.parametrize("byte", [0x09, 0x20])
def test_a_byte_whose_character_has_a_token_needs_no_fallback(byte: int) -> None:
    tokenizer = _gemma()
    pieces = {piece: i for i, piece in enumerate([*BYTE_TOKENS, "\t", "▁"])}
    del pieces[f"<0x{byte:02X}>"]
    tokenizer.model = models.BPE(vocab=pieces, merges=[], byte_fallback=True)
    loaded = _loaded(tokenizer)
    assert loaded.lossless
    assert_lossless(loaded, [*HARD, *SPECIAL_LOOKING])
    del pieces["<0x0B>"]
    tokenizer.model = models.BPE(vocab=pieces, merges=[], byte_fallback=True)
    assert "1 bytes have no token (0x0B first)" in _loaded(tokenizer).lossy_reason


@pytest.mark.parametrize(
    "part",
    [
        pre_tokenizers.Split(" ", "merged_with_previous"),
        pre_tokenizers.Split(" ", "removed"),
        pre_tokenizers.Split(Regex(r"\ +"), "isolated"),
        pre_tokenizers.Split(Regex("[ ]{2,}"), "removed"),
        pre_tokenizers.CharDelimiterSplit(" "),
    ],
)
def test_a_split_at_what_no_longer_occurs_is_none(part: Any) -> None:
    tokenizer = _gemma()
    tokenizer.pre_tokenizer = part
    loaded = _loaded(tokenizer)
    assert loaded.lossless and loaded.pretoken_count("a b") is None
    assert_lossless(loaded, HARD)
    # A form of compatibility makes spaces of others, and a real split still splits.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(" ", "▁"), normalizers.NFKC()])
    assert _loaded(tokenizer).pretoken_count("a\u00a0\u00a0b") is not None
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([part, pre_tokenizers.Digits(False)])
    assert _loaded(tokenizer).pretoken_count("a 1 b") == 3


def test_characters_that_are_lost_are_named() -> None:
    dropped = Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    assert "are dropped" in _loaded(dropped).lossy_reason
    unknown = Tokenizer(models.BPE(vocab={"?": 0, "a": 1}, merges=[], unk_token="?"))
    assert "become ?" in _loaded(unknown).lossy_reason
    assert _loaded(unknown).token_bytes.kinds.tolist() == [TokenKind.UNKNOWN, TokenKind.TEXT]


def test_bytes_without_a_token_are_named() -> None:
    tokenizer = _byte_level()
    vocab = {character: i for i, character in enumerate(list(ALPHABET)[:-1])}
    missing = character_to_byte()[list(ALPHABET)[-1]]
    tokenizer.model = models.BPE(vocab=vocab, merges=[])
    loaded = _loaded(tokenizer)
    assert not loaded.lossless
    assert f"1 bytes have no token (0x{missing:02X} first)" in loaded.lossy_reason


def test_gaps_and_unreachable_pieces_have_no_bytes() -> None:
    tokenizer = _byte_level()
    tokenizer.model = models.BPE(vocab=ALPHABET | {"日本": 300}, merges=[])
    loaded = _loaded(tokenizer)
    assert loaded.lossless and loaded.vocabulary_size == 301
    assert (loaded.token_bytes.kinds[256:] == TokenKind.SPECIAL).all()


@pytest.mark.parametrize(
    ("decoder", "says"), [(decoders.CTC(), "CTC"), (decoders.ByteLevel(), "nothing writes it")]
)
def test_no_way_back_to_bytes(decoder: Any, says: str) -> None:
    tokenizer = _byte_fallback()
    tokenizer.decoder = decoders.Sequence([decoder])
    with pytest.raises(InputError, match=f"own: no way from its tokens back to bytes.*{says}"):
        _loaded(tokenizer)


def test_an_empty_vocabulary_is_refused() -> None:
    with pytest.raises(InputError, match="vocabulary is empty"):
        _loaded(Tokenizer(models.BPE()))


def test_special_tokens_are_not_recognised_and_literal_ones_are() -> None:
    tokenizer = _byte_level()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens(["<think>", "漢字"])
    loaded = _loaded(tokenizer)
    assert loaded.lossless
    assert loaded.token_bytes.kinds[256:].tolist() == [TokenKind.SPECIAL, 0, 0]
    assert loaded.token_bytes[257] == b"<think>" and loaded.token_bytes[258] == "漢字".encode()
    texts = ["a<|endoftext|>b", "x<think>y漢字z"]
    assert_lossless(loaded, texts)
    special, literal = loaded.encode_batch(texts).lengths.tolist()
    assert special == len(texts[0]) and literal == 5


def test_an_added_token_that_swallows_spaces_is_lossy() -> None:
    tokenizer = _byte_level()
    tokenizer.add_tokens([AddedToken("<mask>", lstrip=True)])
    assert "'<mask>' swallows the spaces" in _loaded(tokenizer).lossy_reason


def test_what_only_the_probes_find_is_lossy_too() -> None:
    # A prefix is put again after every added token: settings alone do not show it.
    tokenizer = _byte_fallback()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    loaded = _loaded(tokenizer)
    assert not loaded.lossless and "a<think>b" in loaded.lossy_reason
    # The library's UnicodeScripts drops spaces at the ends of a text.
    scripts = _byte_level()
    scripts.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.UnicodeScripts(), scripts.pre_tokenizer]
    )
    assert "differ from the text's on ' '" in _loaded(scripts).lossy_reason
    # Hugging Face's Unigram takes text that reads like a byte token for the token.
    pieces = [("<unk>", 0.0), *((piece, -1.0) for piece in BYTE_TOKENS)]
    unigram = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    loaded = _loaded(unigram)
    assert not loaded.lossless and "<0x41>" in loaded.lossy_reason


def test_truncation_padding_and_dropout_are_switched_off() -> None:
    tokenizer = Tokenizer(
        models.BPE(vocab=ALPHABET | {"ab": 256}, merges=[("a", "b")], dropout=0.5)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50)
    loaded = _loaded(tokenizer)
    for _ in range(5):
        assert loaded.encode_batch(["ab" * 20, ""]).lengths.tolist() == [20, 0]


def test_pretokens_are_the_librarys(trained: dict[str, Path]) -> None:
    file = trained["bpe"] / "tokenizer.json"
    own = Tokenizer.from_file(str(file))
    loaded = huggingface_from_text(file.read_text("utf-8"), "hf:own", "own", "own")
    for text in HARD:
        assert loaded.pretoken_count(text) == len(own.pre_tokenizer.pre_tokenize_str(text))
