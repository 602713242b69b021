"""Vocabularies from before tokenizer.json: a pair of vocabulary and merges, a vocab.txt, and CLIP's
merges. They are written as the tokenizer.json that their own programs' settings amount to.

None of these files says how text is split or normalised; what is taken for that is told as a
remark.
"""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora.errors import InputError, location
from corpora.files import read_bytes
from tokenize_lab.backends.common import message_of, refused_whole, short_name
from tokenize_lab.backends.forms import pair_of
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.patterns import CLIP

# CLIP's SimpleTokenizer: of the merges it ships, those for 49,408 ids.
_CLIP_MERGES = 49152 - 256 - 2
_CLIP_SPECIAL = ("<start_of_text>", "<end_of_text>")
_MOST_BYTES = 1 << 27  # of an archive, unpacked
_END = "</w>"
_CONTROL = re.compile(r"\[[A-Za-z_]+\d*\]|<[^<>\s]+>")


def load_pair(path: Path, spec: str) -> HuggingFaceTokenizer:
    """Load a `vocab.json` and the `merges.txt` beside it, by either of them.

    Raises:
        InputError: one of them is missing or torn.
    """
    file, merges_file = pair_of(path)
    vocab = _ids_by_piece(file)
    merges = _merges(merges_file, _lines(merges_file))
    made = {*byte_to_character().values(), *(left + right for left, right in merges)}
    made |= {f"{letter}{_END}" for letter in byte_to_character().values()}
    special = [piece for piece in vocab if piece not in made]
    clip = any(piece.endswith(_END) for piece in vocab)
    with refused_whole(str(file), "vocab.json"):
        text = _byte_level(vocab, merges, special, clip=clip)
    return _loaded(text, spec, _name(file), file, "CLIP's" if clip else "GPT-2's")


def load_clip(path: Path, spec: str) -> HuggingFaceTokenizer:
    """Load CLIP's merges, `bpe_simple_vocab_16e6.txt` or its archive.

    Raises:
        InputError: the file cannot be read, or a line is no merge.
    """
    lines = _lines(path)
    merges = _merges(path, lines[: 1 + _CLIP_MERGES])
    letters = list(byte_to_character().values())
    pieces = [*letters, *(f"{letter}{_END}" for letter in letters)]
    pieces += [*(left + right for left, right in merges), *_CLIP_SPECIAL]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    with refused_whole(str(path), "list of CLIP's merges"):
        text = _byte_level(vocab, merges, _CLIP_SPECIAL, clip=True)
    return _loaded(text, spec, path.name.partition(".")[0], path, "CLIP's")


def load_word_pieces(path: Path, spec: str) -> HuggingFaceTokenizer:
    """Load BERT's `vocab.txt`: a WordPiece vocabulary, a piece to a line.

    It is taken to lower its letters if no piece has a capital.

    Raises:
        InputError: the file cannot be read.
    """
    pieces = _lines(path)
    ordinary = (piece for piece in pieces if not _CONTROL.fullmatch(piece))
    cased = any(piece != piece.lower() for piece in ordinary)
    text = word_pieces(pieces, str(path), cased=cased)
    what = f"BERT's{'' if cased else ', of small letters,'}"
    return _loaded(text, spec, _name(path), path, what)


def word_pieces(pieces: Sequence[str], place: str, *, cased: bool) -> str:
    """Return the tokenizer.json of a WordPiece vocabulary of BERT's; `place` names it in errors.

    Raises:
        InputError: it cannot be one.
    """
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    vocab = {piece: i for i, piece in enumerate(pieces) if piece}
    with refused_whole(place, "WordPiece vocabulary"):
        engine = tokenizers.Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
        engine.normalizer = normalizers.BertNormalizer(lowercase=not cased)
        engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        engine.decoder = decoders.WordPiece()
        engine.add_special_tokens([piece for piece in vocab if _CONTROL.fullmatch(piece)])
        text: str = engine.to_str()
    return text


def _byte_level(
    vocab: dict[str, int],
    merges: Sequence[tuple[str, str]],
    special: Sequence[str],
    *,
    clip: bool,
) -> str:
    import tokenizers
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

    marked = {"end_of_word_suffix": _END} if clip else {}
    engine = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=list(merges), **marked))
    if clip:
        engine.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        engine.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        last = decoders.Replace(Regex(rf"{_END}\z"), "")
        engine.decoder = decoders.Sequence(
            [decoders.ByteLevel(), last, decoders.Replace(_END, " ")]
        )
    else:
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = decoders.ByteLevel()
    engine.add_special_tokens(list(special))
    written: str = engine.to_str()
    return written


def _loaded(text: str, spec: str, name: str, path: Path, way: str) -> HuggingFaceTokenizer:
    loaded = huggingface_from_text(text, spec, name, str(path))
    remark = f"{path.name} does not say how text is split; {way} way was taken"
    return replace(loaded, remark=remark)


def _name(path: Path) -> str:
    return short_name(path, path.name if path.name in ("vocab.json", "vocab.txt") else "")


def _text(path: Path) -> str:
    content = read_bytes(path)
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                content = file.read(_MOST_BYTES)
        return content.decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise InputError(f"{path}: not whole ({message_of(error)}); fetch it again") from error


def _lines(path: Path) -> list[str]:
    # Pieces hold other characters that str.splitlines() would split at.
    return _text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")


def _ids_by_piece(path: Path) -> dict[str, int]:
    try:
        found: Any = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a whole vocab.json ({message_of(error)})") from error
    whole = isinstance(found, dict) and all(
        type(i) is int and 0 <= i < 1 << 31 for i in found.values()
    )
    if not whole or len({*found.values()}) < len(found):
        raise InputError(f"{path}: not a whole vocab.json: pieces, each with an id of its own")
    return {str(piece): i for piece, i in found.items()}


def _merges(path: Path, lines: Sequence[str]) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and "#version" in line):
            continue
        parts = line.rstrip("\r\n").split(" ")
        if len(parts) != 2 or not all(parts):
            raise InputError(f"{location(path, number)}: not two pieces that are merged")
        merges.append((parts[0], parts[1]))
    return merges
