"""SuperBPE (Liu et al. 2025, arXiv 2503.13423) on a stock trainer: merges that go across spaces.

Stage 1 is BPE, split as ever; its merges are the first of the result, unchanged. Stage 2 goes on
under a pattern that splits no longer at white space: the text is encoded with stage 1 under that
pattern, every id is written as one private-use character, stock BPE is trained on those "words",
and its merges are spelt out and appended.

Encoding in one pass does the same as encoding in two steps, stage 1 to its end and then stage 2:
merges go by rank, and no merge of stage 2 makes what stage 1 could merge further. For the latter, a
merge whose bytes are a token already is left out, as is one of too many words, and with it every
merge that builds upon it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tokenize_lab.patterns import SUPERWORDS
from tokenize_lab.tokenizers.byte_alphabet import character_to_byte
from tokenize_lab.train.byte_level import spelt, split_by, train_bpe, written
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.superword_text import SuperwordText, Symbols, learned_merges
from tokenize_lab.train.text import TrainingText

_SPARE = 1 / 16  # of the merges needed, asked for beyond them at first: some are left out


class Appended(NamedTuple):
    """What stage 2 adds.

    Attributes:
        tokens: new tokens' bytes, in order of their ids.
        merges: pairs of bytes; now and then two make the same token.
    """

    tokens: list[bytes]
    merges: list[tuple[bytes, bytes]]


def train_superbpe(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a SuperBPE vocabulary.

    Memory: what BPE takes, or for stage 2 `superword_text.MOST_TOKENS` tokens of stage 1 at about
    160 bytes each, 1.3 GB. Of more text an even sample of blocks is learned from.

    Raises:
        InputError: the first stage has more ids than there are characters to write them with.
    """
    ids = int(settings.stage_split)
    plain = replace(settings, kind="bpe", vocab_size=ids, stage_split=0, superword_words=0)
    return written(with_superwords(text, json.loads(train_bpe(text, plain)), settings))


def with_superwords(
    text: TrainingText, content: Mapping[str, Any], settings: TrainSettings
) -> dict[str, Any]:
    """Return a trained BPE's tokenizer.json with the merges of stage 2 appended.

    Raises:
        InputError: as `train_superbpe`.
    """
    pieces: list[bytes] = [_bytes_of(piece) for piece in content["model"]["vocab"]]
    symbols = Symbols(len(pieces))
    words = SuperwordText(text, content["model"], symbols).lines()
    wanted = settings.vocab_size - len(pieces)
    spare = 64 + int(wanted * _SPARE)
    while True:
        text.tell("learning superwords", 0)
        merges = learned_merges(words, symbols, wanted + spare)
        appended = superword_merges(merges, symbols, pieces, settings.superword_words, wanted)
        enough = len(appended.tokens) == wanted or len(merges) < wanted + spare
        if enough or settings.target_compression:  # a target wants few of them, most likely
            break
        spare *= 8  # of a stretched list, what was left out before is left out again
    return _appended(content, appended)


def superword_merges(
    merges: Sequence[tuple[str, str]],
    symbols: Symbols,
    pieces: Sequence[bytes],
    most_words: int,
    wanted: int,
) -> Appended:
    """Spell out stage 2's merges, up to the one that makes the last token wanted.

    Args:
        merges: learned over `symbols`, in order.
        symbols: a character for each id of stage 1.
        pieces: bytes of these ids.
        most_words: words a token may span.
        wanted: tokens to append.
    """
    known: dict[str, bytes] = dict(zip(symbols.characters, pieces, strict=True))
    taken = set(pieces)
    tokens: list[bytes] = []
    kept: list[tuple[bytes, bytes]] = []
    for left, right in merges:
        if len(tokens) == wanted:
            break
        if left not in known or right not in known:
            continue  # builds upon one left out
        made = known[left] + known[right]
        if left + right not in known:
            if made in taken or word_count(made) > most_words:
                continue
            known[left + right] = made
            taken.add(made)
            tokens.append(made)
        kept.append((known[left], known[right]))
    return Appended(tokens, kept)


def word_count(token: bytes) -> int:
    """Return how many words a token touches: stretches between white space."""
    return len(token.decode("utf-8", errors="replace").split())


def _appended(content: Mapping[str, Any], appended: Appended) -> dict[str, Any]:
    model = content["model"]
    vocab = dict(model["vocab"])
    for token in appended.tokens:
        vocab[spelt(token)] = len(vocab)
    merges = [
        *model["merges"],
        *([spelt(left), spelt(right)] for left, right in appended.merges),
    ]
    return {
        **content,
        "pre_tokenizer": json.loads(split_by(SUPERWORDS).__getstate__()),
        "model": {**model, "vocab": vocab, "merges": merges},
    }


_BYTES = character_to_byte()


def _bytes_of(piece: str) -> bytes:
    return bytes(_BYTES[character] for character in piece)
