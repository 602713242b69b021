"""The card beside a trained tokenizer: what it was made from, how, and what it is."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from tokenize_lab.train.parity_report import Parity
from tokenize_lab.train.settings import TrainSettings
from tokenize_lab.train.text import TextFacts


@dataclass(frozen=True)
class Card:
    """Everything needed to make the tokenizer again, and to see that it is the same.

    Attributes:
        settings: the recipe.
        library: who trained it, with version.
        corpus: the training corpus's name.
        text: the training text's facts.
        file: the tokenizer's file, beside the card.
        sha256: of that file.
        vocabulary_size: ids it has, which may be fewer than were asked for.
        tokens: of the training text.
        vocabulary_used: distinct ids in the training text.
        lossless: whether every text survives it.
        lossy_reason: why not.
        warnings: what the person who asked for it should know.
        parity: of parity-aware BPE, what it costs and gives each language.
    """

    settings: TrainSettings
    library: str
    corpus: str
    text: TextFacts
    file: str
    sha256: str
    vocabulary_size: int
    tokens: int
    vocabulary_used: int
    lossless: bool
    lossy_reason: str
    warnings: tuple[str, ...] = ()
    parity: Parity | None = None

    @property
    def bytes_per_token(self) -> float | None:
        """Compression rate on the training text; None if it has no tokens."""
        return self.text.bytes / self.tokens if self.tokens else None

    def as_json(self) -> dict[str, Any]:
        """Return the card as what is written to `card.json`."""
        return {
            "settings": asdict(self.settings),
            "library": self.library,
            "corpus": {"name": self.corpus, **self.text._asdict()},
            "tokenizer": {
                "file": self.file,
                "sha256": self.sha256,
                "vocabulary_size": self.vocabulary_size,
                "lossless": self.lossless,
                "lossy_reason": self.lossy_reason,
            },
            "on_training_text": {
                "tokens": self.tokens,
                "bytes_per_token": self.bytes_per_token,
                "vocabulary_used": self.vocabulary_used,
                "vocabulary_use": self.vocabulary_used / self.vocabulary_size,
            },
            "warnings": list(self.warnings),
            **({"parity": self.parity.as_json()} if self.parity else {}),
        }

    def to_text(self) -> str:
        """Return the content of `card.json`; the same for the same training, to the byte."""
        return json.dumps(self.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
