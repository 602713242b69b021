"""The engines that train: byte-level BPE and Unigram, WordPiece, characters, SentencePiece.

BPE: Sennrich et al. 2016, over bytes as in Radford et al. 2019. Unigram: Kudo 2018. WordPiece:
Schuster and Nakajima 2012, as in Devlin et al. 2019. Hugging Face's BPE and Unigram see text in the
byte-level alphabet, split by a pattern, and begin from all 256 bytes; characters and SentencePiece
fall back to bytes. So all but WordPiece are lossless.
"""

import io
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from tokenize_lab.backends.common import threads
from tokenize_lab.backends.huggingface_json import bpe_json
from tokenize_lab.backends.sentencepiece import SPACE
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.patterns import GPT2, pattern_named
from tokenize_lab.training.settings import BYTES, TrainSettings
from tokenize_lab.training.symbol_merges import SymbolLines, fast_merges, fast_trainer
from tokenize_lab.training.text import TrainingText, by_frequency, countable
from tokenize_lab.training.words import DistinctWords

MOST_CHARACTERS = 1 / 4  # of a vocabulary: the others leave room for longer pieces


def train_bpe(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a byte-level BPE.

    The trainer breaks ties between equally frequent pairs by their ids, and ids come from the
    alphabet's order, so the same text gives the same file however many threads count it; and
    whichever trainer learns: gigabpe from the text's distinct words, where it can, else Hugging
    Face's from all of the text.

    Raises:
        InputError: the text is too long for the trainer's counts.
    """
    content = _by_words(text, settings) if fast_trainer() else None
    return _by_library(text, settings) if content is None else content


# How bytes are written for the fast trainer: letters, two bytes each, in the order of the stock
# trainer's ids.
_FIRST_LETTER = 0x100
_TIMES = 64  # that the words of a file count, so that what is written is a fraction of the text
_LARGEST_FILE = 1 << 28  # characters of it; of a larger text they count more often
_BLOCK_WORDS = 1 << 12


def _by_words(text: TrainingText, settings: TrainSettings) -> bytes | None:
    """Return the tokenizer.json by the fast trainer; None where it does not serve."""
    counted = text.counted(settings.pattern)
    if counted is None:
        return None
    text.progress("learning merges", 0)
    letters = [chr(_FIRST_LETTER + place) for place in range(BYTES)]
    parts = _parts(counted.words)
    merges = fast_merges(parts, letters, settings.vocab_size - BYTES)
    if merges is None:
        return None
    alphabet = sorted(_alphabet())
    table = str.maketrans(dict(zip(letters, alphabet, strict=True)))
    parts_spelt = "\n".join(chain(*merges)).translate(table).split("\n") if merges else []
    spelt_merges = [*map(list, zip(parts_spelt[::2], parts_spelt[1::2], strict=True))]
    vocab = {character: place for place, character in enumerate(alphabet)}
    for left, right in spelt_merges:
        vocab.setdefault(left + right, len(vocab))
    content = untrained_json(settings)
    content["model"] |= {"vocab": vocab, "merges": spelt_merges}
    return written(content)


def _parts(words: DistinctWords) -> list[SymbolLines]:
    """Return the words of two bytes or more: of each, what its count leaves when divided, and in a
    part that is counted many times, how often it divides."""
    pairs = zip(_lines_of(words.words), words.counts.tolist(), strict=True)
    lines = [(line, count) for line, count in pairs if len(line) > 1]
    times = _TIMES + sum(len(line) * count for line, count in lines) // _LARGEST_FILE
    once = SymbolLines(_blocks([(line, count % times) for line, count in lines]))
    many = [(line, count // times) for line, count in lines if count >= times]
    return [once, SymbolLines(_blocks(many), times)] if many else [once]


def _lines_of(words: Sequence[str]) -> list[str]:
    """Return the words in letters."""
    letters = np.zeros(BYTES, "<u2")
    letters[byte_order()] = _FIRST_LETTER + np.arange(BYTES)
    encoded = [word.encode("utf-8") for word in words]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    data = letters[np.frombuffer(b"".join(encoded), np.uint8)]
    units = np.full(len(data) + len(words), ord("\n"), "<u2")
    units[np.arange(len(data)) + np.repeat(np.arange(len(words)), lengths)] = data
    return units.tobytes().decode("utf-16-le").split("\n")[:-1]


def _blocks(lines: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Yield lines so often, a few thousand different ones at a time."""
    for start in range(0, len(lines), _BLOCK_WORDS):
        yield "".join(f"{line}\n" * count for line, count in lines[start : start + _BLOCK_WORDS])


def _by_library(text: TrainingText, settings: TrainSettings) -> bytes:
    from tokenizers import models, trainers

    tokenizer = _untrained(models.BPE(), settings)
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size, initial_alphabet=_alphabet(), show_progress=False
    )
    with threads(True):
        tokenizer.train_from_iterator(countable(text, "counting words"), trainer)
    return written(json.loads(tokenizer.to_str()))


LONGEST_PIECE = 32  # bytes of a Unigram piece, about ten characters of the longest scripts
_SCORE_DECIMALS = 6
# Hugging Face's trainer gives bytes it did not meet the least score there is, each 1e-4 above the
# one before, in no fixed order.
_UNSEEN_SPREAD = 256 * 1e-4


def train_unigram(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a byte-level Unigram.

    The trainer adds up words in an order that changes from run to run, which moves the last digits
    of the scores, and scores unseen bytes in such an order too. Here scores are rounded, unseen
    bytes all get the least, and pieces are put in order of score, then of spelling.

    Raises:
        InputError: the text is a single word.
    """
    from tokenizers import models, trainers

    tokenizer = _untrained(models.Unigram(), settings)
    trainer = trainers.UnigramTrainer(
        vocab_size=settings.vocab_size,
        initial_alphabet=_alphabet(),
        max_piece_length=LONGEST_PIECE,
        unk_token=None,
        show_progress=False,
    )
    with threads(True):
        tokenizer.train_from_iterator(text.texts("counting words"), trainer)
    content = json.loads(tokenizer.to_str())
    vocab = content["model"]["vocab"]
    if any(score is None for _, score in vocab):  # not a number: one word, which took every count
        raise InputError(f"{text.corpus.name}: too little text to learn a Unigram from; give more")
    content["model"]["vocab"] = _settled(vocab)
    content["model"]["unk_id"] = None
    return written(content)


def _settled(vocab: list[tuple[str, float]]) -> list[tuple[str, float]]:
    least = min(score for _, score in vocab)
    rounded = []
    for piece, score in vocab:
        unseen = len(piece) == 1 and score < least + _UNSEEN_SPREAD
        rounded.append((piece, round(least if unseen else score, _SCORE_DECIMALS)))
    return sorted(rounded, key=lambda entry: (-entry[1], entry[0]))


UNKNOWN = "[UNK]"
CONTINUING = "##"


def train_wordpiece(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a WordPiece vocabulary.

    Text is split at white space, which is dropped, and at punctuation. The most frequent characters
    make the alphabet; words with any other become `[UNK]`, and do not take part in training.

    The trainer numbers the `##` forms in an order that changes from run to run, and breaks ties by
    number. So both forms of every character are handed to it in a fixed order, as special tokens,
    and are made ordinary ones again afterwards.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    counts = text.character_counts()
    visible = [point for point in by_frequency(counts) if not chr(point).isspace()]
    alphabet = np.array(visible[: int(settings.vocab_size * MOST_CHARACTERS)], np.int64)
    characters = [chr(point) for point in alphabet]
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUING)
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=[UNKNOWN, *characters, *(CONTINUING + c for c in characters)],
        continuing_subword_prefix=CONTINUING,
        show_progress=False,
    )
    with threads(True):
        tokenizer.train_from_iterator(text.spelt_with(alphabet, " "), trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] == UNKNOWN]
    return written(content)


def train_character(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the tokenizer.json of a BPE without merges, whose ids go by frequency.

    The first 256 ids are the byte tokens `<0x00>` to `<0xFF>`.
    """
    ordered = by_frequency(text.character_counts())[: settings.vocab_size - BYTES]
    pieces = [f"<0x{byte:02X}>" for byte in range(BYTES)] + [chr(point) for point in ordered]
    decoders = [{"type": "ByteFallback"}, {"type": "Fuse"}]
    return written(
        bpe_json(
            {piece: token_id for token_id, piece in enumerate(pieces)},
            [],
            decoder={"type": "Sequence", "decoders": decoders},
            byte_fallback=True,
        )
    )


COVERAGE = 0.9995  # SentencePiece's own default; characters rarer than that become bytes
MOST_LINES = 4_000_000  # held in memory; of more, as many are drawn
# Sums depend on how the text is dealt out, so the number is fixed, whatever the machine.
_THREADS = 4
# Characters that end a line, or that SentencePiece's trainer keeps for itself.
_RESERVED = [ord(character) for character in "\0\t\n▁▅"]


def train_sentencepiece(text: TrainingText, settings: TrainSettings) -> bytes:
    """Return the `.model` of a Unigram tokenizer.

    It learns from lines, cut also at tabs and at characters too rare for a piece of their own: all
    of these are left to the byte tokens. (SentencePiece's own setting for rare characters stops at
    the rarest 2 %, too little for a small vocabulary of many scripts.) No space is put before a
    text.

    Raises:
        InputError: SentencePiece finds nothing to learn in the text.
    """
    import sentencepiece

    alphabet = required_characters(text.character_counts(), settings.vocab_size)
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(settings.seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(text, alphabet),
            model_writer=model,
            model_type="unigram",
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            # Without a piece of its own, the mark of a space would become its own three bytes.
            required_chars=SPACE,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            bos_id=-1,
            eos_id=-1,
            max_sentence_length=1 << 30,
            input_sentence_size=MOST_LINES,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{text.corpus.name}: SentencePiece cannot learn {settings.vocab_size} ids from it "
            f"({reason}); give more text or another `vocab_size`"
        ) from error
    return model.getvalue()


def required_characters(counts: NDArray[np.int64], vocab_size: int) -> NDArray[np.int64]:
    """Return the code points that get pieces of their own, the most frequent first.

    They make up `COVERAGE` of the text, or less where so many would fill the vocabulary.
    """
    counts = counts.copy()
    counts[_RESERVED] = 0
    ordered = by_frequency(counts)
    enough = int(np.searchsorted(np.cumsum(counts[ordered]), COVERAGE * counts.sum())) + 1
    return ordered[: min(enough, int((vocab_size - BYTES) * MOST_CHARACTERS))]


def _lines(text: TrainingText, alphabet: NDArray[np.int64]) -> Iterator[str]:
    for document in text.spelt_with(alphabet, "\n"):
        yield from filter(None, document.split("\n"))


_HOLES = {"vocab": "\0vocab", "merges": "\0merges"}


def written(content: dict[str, Any]) -> bytes:
    """Return a tokenizer.json's bytes, as `json.dumps` indents them: which for a large vocabulary
    takes it longer than merges take to be learned, so it is asked for long lines instead."""
    model = content["model"]
    if model.get("merges"):
        frame = _dumped({**content, "model": {**model, **_HOLES}}, indent=1)
        entries = _dumped(model["vocab"], separators=(",\n   ", ": "))[1:-1]
        parts = _dumped([*chain(*model["merges"])], separators=("\n", ""))[1:-1].split("\n")
        pairs = zip(parts[::2], parts[1::2], strict=True)
        merges = ",\n".join(f"   [\n    {left},\n    {right}\n   ]" for left, right in pairs)
        text = frame.replace(_dumped(_HOLES["vocab"]), f"{{\n   {entries}\n  }}")
        text = text.replace(_dumped(_HOLES["merges"]), f"[\n{merges}\n  ]")
    else:
        text = _dumped(content, indent=1)
    return text.encode("utf-8") + b"\n"


def _dumped(content: Any, **form: Any) -> str:
    return json.dumps(content, ensure_ascii=False, **form)


def split_by(pattern: str) -> Any:
    """Return the library's pre-tokenizer: pieces of a pattern, in the byte-level alphabet.

    GPT-2's is written as all engines know it, which is without its expression.
    """
    from tokenizers import Regex, pre_tokenizers

    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == GPT2)
    if pattern in ("", GPT2):
        return bytes_only
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, bytes_only])


def _untrained(model: Any, settings: TrainSettings) -> Any:
    from tokenizers import Tokenizer, decoders

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split_by(pattern_named(settings.pattern))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def untrained_json(settings: TrainSettings) -> dict[str, Any]:
    """Return the content of a byte-level BPE's tokenizer.json, without any vocabulary."""
    from tokenizers import models

    content: dict[str, Any] = json.loads(_untrained(models.BPE(), settings).to_str())
    return content


def _alphabet() -> list[str]:
    return list(byte_to_character().values())


def byte_order() -> list[int]:
    """Return the bytes in the order of their ids, the stock trainer's: by their characters."""
    characters = byte_to_character()
    return sorted(range(BYTES), key=lambda byte: characters[byte])


def spelt(token: bytes) -> str:
    """Return a token's bytes in the byte-level alphabet."""
    return "".join(map(byte_to_character().__getitem__, token))
