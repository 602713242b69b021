"""What a tokenizer.json is taken to do to text, for every kind of part the library has."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, assert_lossless, bytes_per_text
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.simple import byte_to_character, character_to_byte
from tokenize_lab.tokenizer import TokenKind

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


def test_wordpiece_is_lossy_and_its_marks_have_no_bytes() -> None:
    vocab = {"[UNK]": 0, "un": 1, "##able": 2, "##": 3, "###": 4}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    loaded = _loaded(tokenizer)
    table = loaded.token_bytes
    assert [table[i] for i in range(5)] == [b"", b"un", b"able", b"##", b"#"]
    assert table.kinds[0] == TokenKind.UNKNOWN
    assert "outside the vocabulary become [UNK]" in loaded.lossy_reason
    assert bytes_per_text(loaded, ["unable", "other"]) == [b"unable", b""]


def test_a_words_end_mark_has_no_bytes() -> None:
    vocab = {"a": 0, "b": 1, "b</w>": 2, "ab</w>": 3, "</w>": 4}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=[("a", "b</w>")], end_of_word_suffix="</w>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder()
    loaded = _loaded(tokenizer)
    assert bytes_per_text(loaded, ["ab", "b ab"]) == [b"ab", b"bab"]
    assert not loaded.lossless


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
