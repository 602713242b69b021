"""What the parts of a `tokenizer.json` do to text, read from its settings.

Parts are the dictionaries of a tokenizer.json: `{"type": "ByteLevel", "add_prefix_space": false}`.
Names and meanings are those of the `tokenizers` library.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tokenize_lab.patterns import GPT2
from tokenize_lab.tokenizers.splitting import Splitting

Part = dict[str, Any]

KEEPING_SPLITS = {"ByteLevel", "Metaspace", "Digits", "UnicodeScripts", "FixedLength"}
KNOWN_DECODERS = {
    "ByteLevel", "ByteFallback", "BPEDecoder", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece",
}  # fmt: skip


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


def parts_of(part: Part | None) -> Iterator[Part]:
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
    return [
        (pair.split(" ")[0], pair.split(" ")[1]) if isinstance(pair, str) else (pair[0], pair[1])
        for pair in model["merges"]
    ]


def text_path(normalizer: Part | None, pre_tokenizer: Part | None) -> TextPath:
    """Return what a tokenizer's normaliser and pre-tokenizer do to a text."""
    byte_level, mark, prefix, splits = False, "", "", False
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
    for part in parts_of(pre_tokenizer):
        kind = part["type"]
        if kind == "ByteLevel":
            byte_level = True
            splits |= part.get("use_regex", True)
        elif kind == "Metaspace":
            mark = part.get("replacement", "▁")
            splits |= part.get("split", True)
        else:
            splits = True
            reasons += _dropped_by(part)
        if _puts_space_in_front(part):
            prefix = prefix or " "
            reasons.append(
                "it puts a space before a text only if there is none, so the two look alike"
            )
    return TextPath(
        byte_level,
        mark,
        prefix.replace(mark, " ") if mark else prefix,
        reasons[0] if reasons else "",
        splits,
    )


def decoder_problem(decoder: Part | None, path: TextPath) -> str:
    """Return why a decoder leads to no bytes, or an empty string."""
    kinds = [part["type"] for part in parts_of(decoder)]
    strange = [kind for kind in kinds if kind not in KNOWN_DECODERS]
    if strange:
        return f"its decoder {strange[0]} does not give the text back"
    if "ByteLevel" in kinds and not path.byte_level:
        return "its decoder reads the byte-level alphabet, but nothing writes it"
    return ""


def splitting(normalizer: Part | None, pre_tokenizer: Part | None) -> Splitting:
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


def _keeps_matches(part: Part) -> bool:
    """Whether every match becomes a piece; of patterns that match all text, nothing else is left"""
    behaviour, invert = part.get("behavior"), bool(part.get("invert"))
    return (behaviour, invert) in (("Isolated", False), ("Isolated", True), ("Removed", True))


def _dropped_by(part: Part) -> list[str]:
    kind = part["type"]
    if part.get("behavior") == "Removed":
        return [f"its pre-tokenizer {kind} removes what it splits at"]
    if kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer"):
        return [f"splitting at whitespace drops it ({kind})"]
    if kind == "CharDelimiterSplit":
        return [f"splitting at {part.get('delimiter')!r} drops it"]
    if kind in KEEPING_SPLITS or "behavior" in part:  # Split and Punctuation name a behaviour
        return []
    return [f"its pre-tokenizer {kind} is not known to keep the text whole"]


def _puts_space_in_front(part: Part) -> bool:
    if part["type"] == "ByteLevel":
        return bool(part.get("add_prefix_space", False))
    if part["type"] == "Metaspace":
        # Files from before `prepend_scheme` said it with add_prefix_space.
        scheme = part.get("prepend_scheme")
        return scheme != "never" if scheme else bool(part.get("add_prefix_space", True))
    return False
