"""What a SentencePiece model's settings do to text, read from models trained with each."""

import io
from typing import Any

import pytest
import sentencepiece

from tests.tokenize_lab.texts import HARD, assert_lossless, bytes_per_text, embedded_lines
from tokenize_lab.backends.sentencepiece import (
    SentencePieceTokenizer,
    model_settings,
    sentencepiece_from_bytes,
)
from tokenize_lab.tokenizer import TokenKind

LOSSLESS: dict[str, Any] = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "byte_fallback": True,
}


def _model(**settings: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for line in list(embedded_lines())[:48] if line),
        model_writer=model,
        vocab_size=500,
        hard_vocab_limit=False,
        minloglevel=2,
        **(LOSSLESS | settings),
    )
    return model.getvalue()


def _loaded(**settings: Any) -> SentencePieceTokenizer:
    return sentencepiece_from_bytes(_model(**settings), "sp:own", "own", "own")


def test_settings_are_read_from_the_file() -> None:
    settings = model_settings(_model(add_dummy_prefix=False))
    assert settings == ("unigram", True, False, "identity", False, False, False, True)
    settings = model_settings(
        _model(
            normalization_rule_name="nmt_nfkc",
            treat_whitespace_as_suffix=True,
            remove_extra_whitespaces=True,
            byte_fallback=False,
        )
    )
    assert settings == ("unigram", False, True, "nmt_nfkc", True, True, True, True)


@pytest.mark.parametrize(("dummy", "prefix"), [(True, b" "), (False, b"")])
def test_identity_and_byte_fallback_are_lossless(dummy: bool, prefix: bytes) -> None:
    tokenizer = _loaded(add_dummy_prefix=dummy)
    assert tokenizer.lossless and tokenizer.prefix == prefix
    assert_lossless(tokenizer, [*HARD, *embedded_lines()])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "normalisation (nmt_nfkc) changes characters"),
        ({"remove_extra_whitespaces": True}, "folds runs of spaces"),
        ({"treat_whitespace_as_suffix": True}, "a space after the text"),
        ({"byte_fallback": False}, "become <unk>"),
    ],
)
def test_what_loses_text_is_named(settings: dict[str, Any], says: str) -> None:
    tokenizer = _loaded(**settings)
    assert not tokenizer.lossless and says in tokenizer.lossy_reason


def test_kinds_of_ids() -> None:
    tokenizer = _loaded(control_symbols=["<ctl>"], user_defined_symbols=["<usr>", "two words"])
    table, own = tokenizer.token_bytes, sentencepiece.SentencePieceProcessor()
    own.LoadFromSerializedProto(tokenizer.serialized)
    assert table.kinds[own.unk_id()] == TokenKind.UNKNOWN
    assert table.kinds[own.bos_id()] == TokenKind.SPECIAL
    assert table.kinds[own.piece_to_id("<ctl>")] == TokenKind.SPECIAL
    assert table[own.piece_to_id("<usr>")] == b"<usr>"
    assert table.kinds[own.piece_to_id("<0x0A>")] == TokenKind.BYTE_FALLBACK
    assert table[own.piece_to_id("<0x0A>")] == b"\n"
    assert bytes_per_text(tokenizer, ["a<usr>b<ctl>c"]) == [b" a<usr>b<ctl>c"]


def test_characters_outside_the_vocabulary_become_unknown() -> None:
    tokenizer = _loaded(byte_fallback=False)
    encoding = tokenizer.encode_batch(["☃"])
    assert TokenKind.UNKNOWN in tokenizer.token_bytes.kinds[encoding.ids]
