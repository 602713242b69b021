"""What the parts of a `tokenizer.json` do to text, read from its settings.

Parts are the dictionaries of a tokenizer.json: `{"type": "ByteLevel", "add_prefix_space": false}`.
Names and meanings are those of the `tokenizers` library.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from tokenize_lab.backends.simple import UTF8_BYTES, byte_to_character, bytes_spelt
from tokenize_lab.counts.bytes import ASCII_SPACES, WIDE_SPACES
from tokenize_lab.patterns import GPT2, PATTERNS, RULES, Splitting
from tokenize_lab.tokenizer import TokenBytes, TokenKind

JsonPart = dict[str, Any]

KEEPING_SPLITS = {"ByteLevel", "Metaspace", "Digits", "UnicodeScripts", "FixedLength"}
KNOWN_DECODERS = {
    "ByteLevel", "ByteFallback", "BPEDecoder", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece",
}  # fmt: skip


def bpe_json(
    vocab: Mapping[str, int],
    merges: Sequence[Sequence[str]],
    *,
    decoder: JsonPart,
    pre_tokenizer: JsonPart | None = None,
    added_tokens: Sequence[JsonPart] = (),
    byte_fallback: bool = False,
    ignore_merges: bool = False,
) -> JsonPart:
    """Return the content of a tokenizer.json that holds a BPE without a normaliser."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": list(added_tokens),
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": byte_fallback,
            "ignore_merges": ignore_merges,
            "vocab": dict(vocab),
            "merges": list(merges),
        },
    }


class TextPath(NamedTuple):
    """What happens to a text before the model sees it.

    Attributes:
        byte_level: it is written in the byte-level alphabet.
        space_mark: the character that stands for a space, or empty.
        prefix: what is put before every text.
        lossy_reason: what changes or drops part of the text, or empty.
        splits: whether merges are confined to pieces of the text.
    """

    byte_level: bool
    space_mark: str
    prefix: str
    lossy_reason: str
    splits: bool


def parts_of(part: JsonPart | None) -> Iterator[JsonPart]:
    """Yield a part, or the parts nested in a Sequence, in order."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
        return
    for key in ("normalizers", "pretokenizers", "decoders"):
        for inner in part.get(key, ()):
            yield from parts_of(inner)


def written_merges(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a BPE model's merges; older files write a pair as one word with a space."""
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
    return [(pair[0], pair[1]) for pair in pairs]


def text_path(normalizer: JsonPart | None, pre_tokenizer: JsonPart | None) -> TextPath:
    """Return what a tokenizer's normaliser and pre-tokenizer do to a text."""
    byte_level, mark, prefix, splits = False, "", "", False
    gone: frozenset[str] = frozenset()  # characters that no longer occur
    reasons: list[str] = []
    for part in parts_of(normalizer):
        match part:
            case {"type": "ByteLevel"}:
                byte_level = True
            case {"type": "Prepend", "prepend": prepended}:
                prefix += prepended
            case {"type": "Replace", "pattern": {"String": " "}, "content": content} if (
                len(content) == 1 and not content.isspace()
            ):
                mark = content
            case {"type": kind}:
                reasons.append(f"its normaliser {kind} changes text")
        gone = _gone_after(part, gone)
    for part in parts_of(pre_tokenizer):
        kind = part["type"]
        if kind == "ByteLevel":
            byte_level = True
            splits |= part.get("use_regex", True)
        elif kind == "Metaspace":
            mark = part.get("replacement", "▁")
            splits |= part.get("split", True)
        elif not _never_matches(part, gone):
            splits = True
            reasons += _dropped_by(part)
        if _puts_space_in_front(part):
            prefix = prefix or " "
            what = "it puts a space before a text only if there is none, so the two look alike"
            reasons.append(what)
        gone = _gone_after(part, gone)
    prefix = prefix.replace(mark, " ") if mark else prefix
    return TextPath(byte_level, mark, prefix, reasons[0] if reasons else "", splits)


_WHITE_SPACE = frozenset(WIDE_SPACES) | frozenset(map(chr, ASCII_SPACES))
_SPACES = re.compile(r"\[?(?: |\\ |\\x20|\\u0020)\]?(?:\+|\{[1-9]\d*(?:,\d*)?\})?\+?")


def _gone_after(part: JsonPart, gone: frozenset[str]) -> frozenset[str]:
    """Return which characters cannot occur after a part, of those that could not before it."""
    match part:
        case {"type": "ByteLevel"}:
            return gone | _WHITE_SPACE
        case {"type": "Metaspace"}:
            return gone | {" "}
        case {"type": "Prepend", "prepend": put}:
            return gone - set(put)
        case {"type": "Replace", "pattern": {"String": replaced}, "content": put}:
            return (gone | {replaced} if len(replaced) == 1 else gone) - set(put)
        case {"type": "Replace", "content": put}:
            return gone - set(put)
        case {"type": "NFC" | "NFD" | "NFKC" | "NFKD" | "Precompiled" | "BertNormalizer"}:
            return frozenset()  # a compatibility form may be a space
    return gone


def _never_matches(part: JsonPart, gone: frozenset[str]) -> bool:
    """Whether a part looks for a character that cannot occur, so that it does nothing."""
    match part:
        case {"type": "Split", "invert": True, "behavior": "Removed"}:
            return False
        case {"type": "Split", "pattern": {"String": wanted}}:
            return any(character in gone for character in wanted)
        case {"type": "Split", "pattern": {"Regex": r"\s" | r"\s+"}} | {"type": "WhitespaceSplit"}:
            return gone >= _WHITE_SPACE
        case {"type": "Split", "pattern": {"Regex": pattern}}:
            return " " in gone and _SPACES.fullmatch(pattern) is not None
        case {"type": "CharDelimiterSplit", "delimiter": delimiter}:
            return delimiter in gone
    return False


def decoder_problem(decoder: JsonPart | None, path: TextPath) -> str:
    """Return why a decoder leads to no bytes, or an empty string."""
    kinds = [part["type"] for part in parts_of(decoder)]
    strange = [kind for kind in kinds if kind not in KNOWN_DECODERS]
    if strange:
        return f"its decoder {strange[0]} does not give the text back"
    if "ByteLevel" in kinds and not path.byte_level:
        return "its decoder reads the byte-level alphabet, but nothing writes it"
    return ""


def splitting(normalizer: JsonPart | None, pre_tokenizer: JsonPart | None) -> Splitting:
    """Return how a text is split, as far as merges inside the pieces are confined to them."""
    for part in parts_of(normalizer):
        return Splitting(obstacle=f"its normaliser {part['type']} may look across pieces")
    patterns: list[str] = []
    for part in parts_of(pre_tokenizer):
        match part:
            case {"type": "ByteLevel", "add_prefix_space": True}:
                return Splitting(obstacle="it puts a space before a text")
            case {"type": "ByteLevel"}:
                patterns += [GPT2] if part.get("use_regex", True) else []
            case {"type": "Split", "pattern": {"Regex": pattern}} if _keeps_matches(part):
                patterns.append(pattern)
            case {"type": kind}:
                return Splitting(obstacle=f"its pre-tokenizer {kind} splits in a way of its own")
    if not patterns:
        return Splitting(obstacle="nothing confines its merges to pieces of the text")
    return Splitting(tuple(patterns))


def _keeps_matches(part: JsonPart) -> bool:
    """Whether every match becomes a piece; of patterns that match all text, nothing else is left"""
    behaviour, invert = part.get("behavior"), bool(part.get("invert"))
    return (behaviour, invert) in (("Isolated", False), ("Isolated", True), ("Removed", True))


def _dropped_by(part: JsonPart) -> list[str]:
    kind = part["type"]
    if kind == "Split" and part.get("behavior") == "Removed" and part.get("invert"):
        lost = _unmatched(json.dumps(part["pattern"]))
        what = f"its pre-tokenizer Split removes what its pattern does not match (such as {lost!r})"
        return [what] if lost else []
    if part.get("behavior") == "Removed":
        return [f"its pre-tokenizer {kind} removes what it splits at"]
    if kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer"):
        return [f"splitting at whitespace drops it ({kind})"]
    if kind == "CharDelimiterSplit":
        return [f"splitting at {part.get('delimiter')!r} drops it"]
    if kind in KEEPING_SPLITS or "behavior" in part:  # Split and Punctuation name a behaviour
        return []
    return [f"its pre-tokenizer {kind} is not known to keep the text whole"]


@cache
def _unmatched(pattern: str) -> str:
    """Return a character that a Split's pattern (as JSON) leaves out in some text, or nothing.

    What the library reads the pattern as is asked of it: every character of the first plane and
    some of the others, beside each other and beside characters that patterns tell apart.
    """
    from tokenizers import Regex, pre_tokenizers

    described = json.loads(pattern)
    if described.get("Regex") in {*PATTERNS.values(), *RULES}:
        return ""
    wanted = Regex(described["Regex"]) if "Regex" in described else described["String"]
    split = pre_tokenizers.Split(wanted, "removed", invert=True)
    points = (*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x110000, 61))
    characters = [chr(point) for point in points]
    for beside in ("", "a", "A", " ", "\n", "1", ".", "漢"):
        text = beside.join(characters) + beside
        at = 0
        for _, (first, last) in split.pre_tokenize_str(text):
            if first > at:
                break
            at = last
        if at < len(text):
            return text[at]
    return ""


def _puts_space_in_front(part: JsonPart) -> bool:
    if part["type"] == "ByteLevel":
        return bool(part.get("add_prefix_space", False))
    if part["type"] == "Metaspace":
        # Files from before `prepend_scheme` said it with add_prefix_space.
        scheme = part.get("prepend_scheme")
        return scheme != "never" if scheme else bool(part.get("add_prefix_space", True))
    return False


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
        special: ids of added tokens that are control tokens, and come out of no text.
        literal: ids of other added tokens: text found before the model looks.
        decoded: what the library makes of some ids in running text, where that is not theirs by
            the settings.
        end: what the decoder writes for the mark that ends a word.
    """

    pieces: Sequence[str | None]
    special: Collection[int]
    literal: Collection[int]
    decoded: Mapping[int, bytes]
    end: bytes = b""


def byte_table(vocabulary: Vocabulary, model: ModelFacts, path: TextPath) -> TokenBytes:
    """Return the raw bytes and the kind of every id.

    Ids that no text can lead to have none: gaps, control tokens, and pieces of a byte-level
    vocabulary written with characters outside its alphabet.
    """
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
        elif token_id in vocabulary.decoded:
            raw = vocabulary.decoded[token_id]
        elif token_id in vocabulary.literal:
            raw = piece.encode("utf-8")
        elif model.byte_fallback and (byte := BYTE_TOKEN.fullmatch(piece)):
            kind, raw = TokenKind.BYTE_FALLBACK, bytes([int(byte[1], 16)])
        else:
            bare = without_marks(piece, model)
            if path.space_mark:
                bare = bare.replace(path.space_mark, " ")
            if not path.byte_level:
                raw = bare.encode("utf-8")
            elif (written := bytes_spelt(bare)) is not None:
                raw = written + (vocabulary.end if _ends_word(piece, model) else b"")
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
        # A character that has a token needs no fallback, and a space with a mark becomes the mark.
        own = {byte for byte in range(0x80) if chr(byte) in have}
        own |= {ord(" ")} if path.space_mark else set()
        return [b for b in UTF8_BYTES if b not in own and f"<0x{b:02X}>" not in have]
    return None


def _ends_word(piece: str, model: ModelFacts) -> bool:
    return bool(model.end_suffix) and piece != model.end_suffix and piece.endswith(model.end_suffix)


def without_marks(piece: str, model: ModelFacts) -> str:
    """Return a piece without what marks that it goes on in a word, or ends one."""
    if model.continuing_prefix and piece != model.continuing_prefix:
        piece = piece.removeprefix(model.continuing_prefix)
    return piece.removesuffix(model.end_suffix) if _ends_word(piece, model) else piece
