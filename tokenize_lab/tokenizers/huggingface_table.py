"""From the vocabulary of a `tokenizer.json` to the raw bytes of every id."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tokenize_lab.token_bytes import TokenBytes, TokenKind
from tokenize_lab.tokenizers.byte_alphabet import UTF8_BYTES, byte_to_character, character_to_byte
from tokenize_lab.tokenizers.huggingface_parts import TextPath

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class ModelFacts(NamedTuple):
    """What a model's settings say about its vocabulary.

    Attributes:
        kind: `BPE`, `Unigram`, `WordPiece` or `WordLevel`.
        unknown: the token that stands for what the vocabulary lacks, or None.
        byte_fallback: characters outside the vocabulary become `<0xNN>` tokens.
        continuing_prefix: what marks a piece that does not begin a word (`##`).
        end_suffix: what marks a piece that ends a word (`</w>`).
    """

    kind: str
    unknown: str | None
    byte_fallback: bool
    continuing_prefix: str
    end_suffix: str


class Vocabulary(NamedTuple):
    """All ids' pieces, and which were added on top of the model.

    Attributes:
        pieces: the piece of each id, or None where the id is not used.
        special: ids of added tokens that are control tokens.
        literal: ids of other added tokens: text found before the model looks.
    """

    pieces: Sequence[str | None]
    special: Collection[int]
    literal: Collection[int]


def byte_table(vocabulary: Vocabulary, model: ModelFacts, path: TextPath) -> TokenBytes:
    """Return the raw bytes and the kind of every id.

    Ids that no text can lead to have none: gaps, control tokens, and pieces of a byte-level
    vocabulary written with characters outside its alphabet.
    """
    alphabet = character_to_byte() if path.byte_level else {}
    data: list[bytes] = []
    kinds: list[int] = []
    for token_id, piece in enumerate(vocabulary.pieces):
        kind, raw = TokenKind.TEXT, b""
        if piece is None:
            kind = TokenKind.SPECIAL
        elif piece == model.unknown:
            kind = TokenKind.UNKNOWN
        elif token_id in vocabulary.special:
            kind = TokenKind.SPECIAL
        elif token_id in vocabulary.literal:
            raw = piece.encode("utf-8")
        elif model.byte_fallback and (byte := BYTE_TOKEN.fullmatch(piece)):
            kind, raw = TokenKind.BYTE_FALLBACK, bytes([int(byte[1], 16)])
        else:
            bare = _without_marks(piece, model)
            if path.space_mark:
                bare = bare.replace(path.space_mark, " ")
            if not path.byte_level:
                raw = bare.encode("utf-8")
            elif all(character in alphabet for character in bare):
                raw = bytes(alphabet[character] for character in bare)
            else:
                kind = TokenKind.SPECIAL
        data.append(raw)
        kinds.append(kind)
    return TokenBytes.from_pieces(data, kinds)


def lossy_reason(vocabulary: Vocabulary, model: ModelFacts, path: TextPath) -> str:
    """Return why bytes of tokens can differ from bytes of text, or an empty string."""
    if path.lossy_reason:
        return path.lossy_reason
    if model.kind in ("WordPiece", "WordLevel"):
        return f"words outside the vocabulary become {model.unknown}"
    missing = _missing_bytes(vocabulary, model, path)
    if missing is None or missing:
        fate = f"become {model.unknown}" if model.unknown else "are dropped"
        what = "characters outside the vocabulary"
        if missing:
            what = f"{len(missing)} bytes have no token (0x{missing[0]:02X} first): such characters"
        return f"{what} {fate}"
    return ""


def _missing_bytes(vocabulary: Vocabulary, model: ModelFacts, path: TextPath) -> list[int] | None:
    """Return the bytes of UTF-8 without a token; None where there is no falling back to bytes."""
    have = set(vocabulary.pieces)
    if path.byte_level:
        written = byte_to_character()
        # A word's last piece carries the suffix, its later ones the prefix: all must be there.
        forms = {("", ""), (model.continuing_prefix, ""), ("", model.end_suffix)}
        return [
            byte
            for byte in UTF8_BYTES
            if not all(f"{before}{written[byte]}{after}" in have for before, after in forms)
        ]
    if model.byte_fallback:
        return [byte for byte in UTF8_BYTES if f"<0x{byte:02X}>" not in have]
    return None


def _without_marks(piece: str, model: ModelFacts) -> str:
    if model.continuing_prefix and piece != model.continuing_prefix:
        piece = piece.removeprefix(model.continuing_prefix)
    if model.end_suffix and piece != model.end_suffix:
        piece = piece.removesuffix(model.end_suffix)
    return piece
