"""What a tokenizer is trained to be: a recipe that can be named, cited and repeated."""

import math
from dataclasses import dataclass

from corpora.arguments import text
from corpora.errors import InputError, did_you_mean
from tokenize_lab.patterns import pattern_named

# The engines of each kind, its default first.
ENGINES: dict[str, tuple[str, ...]] = {
    "bpe": ("huggingface",),
    "unigram": ("sentencepiece", "huggingface"),
    "wordpiece": ("huggingface",),
    "character": ("huggingface",),
    "superbpe": ("huggingface",),
    "parity-bpe": ("tokenize-lab",),
}
BPE_KINDS = ("bpe", "superbpe", "parity-bpe")
# Takes vowel signs along with their letters: `gpt4` ends a piece at each, so that eight scripts of
# NTREX cannot exceed 5.2 to 6.8 bytes per token (Thai 11.2).
DEFAULT_PATTERN = "gpt4o"
# SuperBPE's authors compress best with .4 of the vocabulary from the first stage, and their models
# do best with .9 (180,000 of 200,000; arXiv 2503.13423).
DEFAULT_SPLIT = 0.5
SUPERWORD_WORDS = 4  # theirs
BYTES = 256
SEARCHED_SIZE = 1 << 17  # the largest vocabulary tried for a target compression
SEARCHED_SUPERBPE = 1 << 15  # its stretches are long, and at that size it is as good as BPE at more
# Ten times the million ids of XLM-V (Liang et al. 2023), the largest published vocabulary learned
# from text. Engines set memory aside for what is asked, and end the process where it is too much.
LARGEST_VOCABULARY = 10_000_000
LARGEST_SEED = (1 << 32) - 1  # SentencePiece keeps its seed in 32 bits


@dataclass(frozen=True)
class TrainSettings:
    """The recipe of a tokenizer.

    Attributes:
        kind: `bpe`: byte-level BPE. `unigram`: Unigram, with byte fallback (SentencePiece) or
            byte-level (Hugging Face). `wordpiece`: WordPiece, which drops white space.
            `character`: the most frequent characters, and bytes for the others. `superbpe`: BPE
            whose later merges go across white space. `parity-bpe`: BPE each of whose merges serves
            the language of an aligned corpus that is worst off.
        vocab_size: ids asked for, bytes and unknown token included; more than 256, at most
            `LARGEST_VOCABULARY`.
        engine: the library that trains it; the kind's default if empty.
        pattern: name of the pattern that splits text before merging (`patterns.PATTERNS`); only
            for BPE of any kind (SuperBPE's first stage) and Hugging Face's Unigram; `gpt4o` if
            empty.
        seed: of what an engine draws: SentencePiece's choice of lines from a corpus of more than
            it holds in memory. The other engines draw nothing. From 0 to `LARGEST_SEED`.
        stage_split: of SuperBPE: ids of the first stage, bytes included; given below 1, the share
            of the vocabulary, `DEFAULT_SPLIT` if 0. Kept as ids.
        superword_words: of SuperBPE: the most words a token may span, `SUPERWORD_WORDS` if 0.
        target_compression: bytes per token to be reached on the training text; `vocab_size` is then
            the largest to be tried, until it is found, and so is `stage_split`. 0 for none.
    """

    kind: str
    vocab_size: int
    engine: str = ""
    pattern: str = ""
    seed: int = 0
    stage_split: float = 0
    superword_words: int = 0
    target_compression: float = 0

    def __post_init__(self) -> None:
        """Fill in the defaults.

        Raises:
            InputError: a setting is unknown or out of range, or does not belong to the kind.
        """
        for name in ("kind", "engine", "pattern"):
            text(name, getattr(self, name))
        if self.kind not in ENGINES:
            near = did_you_mean(self.kind, ENGINES)
            raise InputError(
                f"`kind` {self.kind}: no such kind{near} (known: {', '.join(ENGINES)})"
            )
        engines = ENGINES[self.kind]
        object.__setattr__(self, "engine", self.engine or engines[0])
        if self.engine not in engines:
            raise InputError(
                f"`engine` {self.engine}: does not train {self.kind} (known: {', '.join(engines)})"
            )
        splits = self.kind in BPE_KINDS or (self.kind == "unigram" and self.engine == "huggingface")
        if splits:
            object.__setattr__(self, "pattern", self.pattern or DEFAULT_PATTERN)
            pattern_named(self.pattern)
        elif self.pattern:
            raise InputError(f"`pattern`: {self.kind} by {self.engine} does not split by a pattern")
        if self.vocab_size <= BYTES:
            what = f"must be over {BYTES}, an id for every byte"
            raise InputError(f"`vocab_size` {self.vocab_size}: {what}")
        if self.vocab_size > LARGEST_VOCABULARY:
            what = f"must be at most {LARGEST_VOCABULARY:,}"
            raise InputError(f"`vocab_size` {self.vocab_size}: {what}")
        if self.seed < 0:
            raise InputError(f"`seed` {self.seed}: must not be negative")
        if self.seed > LARGEST_SEED:
            raise InputError(f"`seed` {self.seed}: must be at most {LARGEST_SEED}")
        self._check_target()
        self._settle_stages()

    def _check_target(self) -> None:
        target = self.target_compression
        if not target:
            return
        if self.kind not in BPE_KINDS:
            raise InputError(
                f"`target_compression`: only a BPE can be cut to a size ({', '.join(BPE_KINDS)}), "
                f"not {self.kind}; give `vocab_size`"
            )
        if not 1 < target < math.inf:
            raise InputError(
                f"`target_compression` {target:g}: must be over 1, which is a byte per token"
            )
        if 0 < self.stage_split < 1:
            raise InputError(
                f"`stage_split` {self.stage_split:g}: must be a number of ids where "
                "`target_compression` is to find the vocabulary's size, or be left out"
            )

    def _settle_stages(self) -> None:
        if self.kind != "superbpe":
            for name in ("stage_split", "superword_words"):
                if getattr(self, name):
                    raise InputError(f"`{name}`: {self.kind} has no second stage; only superbpe")
            return
        if not 0 <= self.stage_split < self.vocab_size:
            raise InputError(
                f"`stage_split` {self.stage_split:g}: must be below the vocabulary's size, "
                f"{self.vocab_size}; it counts ids of the first stage, or below 1 their share"
            )
        object.__setattr__(self, "superword_words", self.superword_words or SUPERWORD_WORDS)
        if self.superword_words < 1:
            raise InputError(f"`superword_words` {self.superword_words}: must be at least 1")
        if self.target_compression and not self.stage_split:
            return
        split = self.stage_split or DEFAULT_SPLIT
        ids = int(split if split >= 1 else split * self.vocab_size)
        if self.stage_split and ids <= BYTES:
            raise InputError(
                f"`stage_split` {self.stage_split:g}: {ids} ids for the first stage; must be over "
                f"{BYTES}, an id for every byte"
            )
        # A vocabulary of hardly more than the bytes has hardly a first stage.
        object.__setattr__(self, "stage_split", max(ids, BYTES + 1))


def train_settings(
    kind: str,
    vocab_size: int | None = None,
    target_compression: float | None = None,
    *,
    engine: str = "",
    pattern: str = "",
    seed: int = 0,
    stage_split: float = 0,
    superword_words: int = 0,
) -> TrainSettings:
    """Return the recipe of a tokenizer of a given size, or of the size that reaches a compression.

    Args: as the attributes of `TrainSettings`; one of the first two is given.

    Raises:
        InputError: both or neither is given, or from `TrainSettings`.
    """
    if (vocab_size is None) == (target_compression is None):
        given = "neither was" if vocab_size is None else "both were"
        raise InputError(f"give one of `vocab_size` and `target_compression`; {given} given")
    searched = SEARCHED_SUPERBPE if kind == "superbpe" else SEARCHED_SIZE
    return TrainSettings(
        kind,
        searched if vocab_size is None else vocab_size,
        engine,
        pattern,
        seed,
        stage_split,
        superword_words,
        math.nan if target_compression == 0 else target_compression or 0,  # 0 is no target
    )
