"""How a BPE tokenizer cuts a text into the pieces that its merges stay inside.

A tokenizer.json says it in parts: added tokens are found first, the rest is normalised, then split.
Where the splitter is a regular expression, Python's `regex` matches it, some ten times as fast as
asking the library, or the engine of pre-tokens, faster again; any other is the library's own. Which
of them holds is tried on texts before it is trusted (`tokenize_lab.vocabulary_curves.following`).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_json import TextPath, parts_of, text_path
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.backends.watched import after_encoding, matcher
from tokenize_lab.cut_rules import CutRule
from tokenize_lab.patterns import GPT2, rule_of

CurveSplit = Callable[[str], list[str]]


class CurveSplitting(NamedTuple):
    """A way to cut texts.

    Attributes:
        split: from a text to its pieces in order.
        raw: pieces are stretches of the text; else they are in the vocabulary's own characters.
        rule: where the text is always cut, if that is known and nothing else cuts it.
    """

    split: CurveSplit
    raw: bool
    rule: CutRule | None = None


def splittings_of(tokenizer: TiktokenTokenizer | HuggingFaceTokenizer) -> list[CurveSplitting]:
    """Return ways to split as the tokenizer does, the fastest first."""
    if isinstance(tokenizer, TiktokenTokenizer):
        find = matcher(tokenizer.pattern, tokenizer.spec)
        return [CurveSplitting(find, True, rule_of(tokenizer.pattern))]
    content = json.loads(tokenizer.serialized)
    path = text_path(content.get("normalizer"), content.get("pre_tokenizer"))
    engine = tokenizer.library_tokenizer
    found: list[CurveSplitting] = []
    if (fast := _by_expression(content, path, tokenizer.spec)) is not None:
        raw = bool(content.get("pre_tokenizer"))
        declared = tokenizer.splitting
        alone = len(declared.patterns) == 1 and not declared.literals and not declared.obstacle
        found.append(CurveSplitting(fast, raw, rule_of(declared.patterns[0]) if alone else None))
    found.append(CurveSplitting(_by_library(engine.pre_tokenizer), raw=False))
    ways = [way._replace(split=_around_added(content, way.split, engine)) for way in found]
    return [way._replace(split=after_encoding(tokenizer, way.split)) for way in ways]


def _by_expression(content: dict[str, Any], path: TextPath, spec: str) -> CurveSplit | None:
    """Return a splitter by `regex`, None where it takes the library."""
    parts = list(parts_of(content.get("pre_tokenizer")))
    if not parts:
        return _at_marks(content["model"]["vocab"], path.space_mark, spec)
    if parts[-1]["type"] != "ByteLevel" or parts[-1].get("add_prefix_space", True):
        return None
    by_itself = parts[-1].get("use_regex", True)
    if len(parts) == 1:
        return matcher(GPT2, spec) if by_itself else _whole
    if len(parts) > 2 or by_itself or parts[0]["type"] != "Split":
        return None
    split, pattern = parts[0], parts[0]["pattern"].get("Regex")
    match split.get("behavior"), split.get("invert", False):
        case ("Isolated", False) if pattern:
            return _isolated(pattern, spec)
        case ("Removed", True) if pattern:
            return matcher(pattern, spec)
    return None


def _isolated(pattern: str, spec: str) -> CurveSplit | None:
    """Return a splitter whose pieces are the matches, and what lies between them."""
    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error:  # the library's own expressions know more
        return None
    found = matcher(pattern, spec)

    def split(text: str) -> list[str]:
        pieces = found(text)
        if sum(map(len, pieces)) == len(text):
            return pieces
        pieces, end = [], 0
        for match in compiled.finditer(text):
            pieces += [text[end : match.start()], match[0]]
            end = match.end()
        return [piece for piece in [*pieces, text[end:]] if piece]

    return split


def _whole(text: str) -> list[str]:
    return [text] if text else []


def _at_marks(vocab: dict[str, int], mark: str, spec: str) -> CurveSplit:
    """Return a splitter for a tokenizer that has none: before marks of a space, where no token
    holds one after anything else, so that no merge can join the two."""
    inside = (mark in piece.lstrip(mark) for piece in vocab)
    if not mark or mark not in vocab or any(inside):
        return _whole
    return matcher(f"{mark}+[^{mark}]*|[^{mark}]+", spec)


def _by_library(pre_tokenizer: Any) -> CurveSplit:
    if pre_tokenizer is None:
        return _whole
    return lambda text: [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]


class AddedPiece(str):
    """An added token as a piece: a text of one symbol, which is one token at any size as it is.

    Attributes:
        token_id: its own.
    """

    token_id: int


def _around_added(content: dict[str, Any], split: CurveSplit, engine: Any) -> CurveSplit:
    """Return a splitter that finds added tokens first, as the library does: those that are not
    normalised in the text, then the others in the normalised rest."""
    normalise = None
    if any(parts_of(content.get("normalizer"))):
        normalise = engine.normalizer.normalize_str
    added = [token for token in content.get("added_tokens") or () if token["content"]]
    if any(not token.get("special") for token in added):
        vocab = content["model"]["vocab"]
        symbol = next(piece for piece in vocab if len(piece) == 1 and piece.isascii())
        late = [token for token in added if token.get("normalized")]
        early = [token for token in added if not token.get("normalized")]
        split = _between(late, normalise or str, symbol, split)
        split = _between(early, str, symbol, _normalised(split, normalise))
        return split
    return _normalised(split, normalise)


def _normalised(split: CurveSplit, normalise: Callable[[str], str] | None) -> CurveSplit:
    return split if normalise is None else lambda text: split(normalise(text))


def _between(
    tokens: Sequence[dict[str, Any]],
    written: Callable[[str], str],
    symbol: str,
    split: CurveSplit,
) -> CurveSplit:
    """Return a splitter that takes added tokens out of a text, and splits what lies between.

    Special tokens are found too, and then left in the text as they are.
    """
    import regex

    known = {written(token["content"]): token for token in tokens}
    known.pop("", None)
    if not known:
        return split
    pieces: dict[str, AddedPiece] = {}
    for text, token in known.items():
        if not token.get("special"):
            pieces[text] = AddedPiece(symbol)
            pieces[text].token_id = token["id"]
    longest_first = sorted(known, key=len, reverse=True)
    finds = regex.compile("|".join(map(regex.escape, longest_first))).finditer
    word = regex.compile(r"\w").match

    def around(text: str) -> list[str]:
        found: list[str] = []
        end = 0
        for match in finds(text):
            begin, stop = match.span()
            token, piece = known[match[0]], pieces.get(match[0])
            if piece is None:
                continue
            if token.get("single_word") and (
                (begin and word(text[begin - 1])) or word(text[stop : stop + 1])
            ):
                continue
            if token.get("lstrip"):
                begin = max(end, len(text[:begin].rstrip()))
            if token.get("rstrip"):
                stop = len(text) - len(text[stop:].lstrip())
            found += split(text[end:begin]) if begin > end else ()
            found.append(piece)
            end = stop
        return found + split(text[end:]) if end else split(text)

    return around
