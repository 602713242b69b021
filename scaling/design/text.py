"""The text that a tokenizer is designed on: by language, in three parts that share nothing.

A document is cut at line ends into blocks of about two kilobytes, and the hash of a block says
which part it belongs to, so the same text falls apart in the same way wherever it stands, and a
passage that occurs twice is never on both sides. Candidates learn from the first part, their bytes
per token are read off the second, and what is promised there is checked on the third.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from corpora.arguments import by_name, real, refused, word
from corpora.corpus import Corpus, DocumentCorpus, joined
from corpora.document import Document, utf8_length
from corpora.errors import InputError
from corpora.languages import same_languages
from tokenize_lab.progress import ReportProgress, silent

BLOCK_BYTES = 1 << 11
PARTS = 8  # of which one is for reading rates off, one for the check, and the others to learn from
MOST_BYTES = 256 << 20  # of a language; what comes after that is not read
LEAST_BYTES = 200  # of a language, in each part
SUM_TOLERANCE = 1e-6
MOST_LANGUAGES = 1000  # each is compared with the others
PARITY_BPE = "parity-bpe"


def weights_of(languages: str | Mapping[str, float]) -> dict[str, float]:
    """Return the weight of each language.

    Args:
        languages: a mapping, or `eng=.6,hin=.2,tha=.2`.

    Raises:
        InputError: it is not such a text, a weight is not positive, or they do not sum to one.
    """
    if isinstance(languages, str):
        languages = by_name("languages", languages, "eng=.6,hin=.2,tha=.2")
    if not isinstance(languages, Mapping):
        raise refused("languages", languages, "a weight for each language")
    if len(languages) > MOST_LANGUAGES:
        raise InputError(f"`languages`: {len(languages):,} are too many ({MOST_LANGUAGES:,})")
    found: dict[str, float] = {}
    for name, value in languages.items():
        if same_languages(word("languages", name), found):
            raise InputError(f"`languages`: {name} is there twice")
        found[name] = real("languages", value)
        if found[name] <= 0:
            raise InputError(f"`languages`: a weight of {value:g} for {name}; it must be over 0")
    total = sum(found.values())
    if abs(total - 1) > SUM_TOLERANCE:
        raise InputError(f"`languages`: the weights sum to {total:.6g}, not to 1")
    return found


class TextParts(NamedTuple):
    """Blocks of one language, in order of their hashes."""

    train: list[str]
    curve: list[str]
    check: list[str]


@dataclass(frozen=True)
class DesignText:
    """What a tokenizer is designed on.

    Attributes:
        weights: of each language, as asked for.
        parts: of each language.
        shares: bytes of each language to learn from, in the proportions of the weights.
        ignored: languages of the corpora that have no weight.
        aligned: whether the text is aligned, and every language has the same lines to learn from.
        sha256: of the weights and all blocks, by part.
    """

    weights: dict[str, float]
    parts: dict[str, TextParts]
    shares: dict[str, int]
    ignored: tuple[str, ...]
    aligned: bool
    sha256: str

    def mixture(self, kind: str = "") -> DocumentCorpus:
        """Return the text to learn from, in the proportions of the weights.

        Parity-aware BPE learns from all aligned lines, whatever the weights.

        Raises:
            InputError: it is to be parity-aware, and the text is not aligned.
        """
        if kind == PARITY_BPE:
            return self._lines()
        documents = [
            Document(text, language)
            for language, part in self.parts.items()
            for text in _up_to(part.train, self.shares[language])
        ]
        return DocumentCorpus("mixture", documents)

    def _lines(self) -> DocumentCorpus:
        if not self.aligned:
            raise InputError(
                f"`kinds`: {PARITY_BPE} learns from aligned text, in which every language has every"
                " line; give such text or leave it out"
            )
        documents = [
            Document(text, language, alignment=number)
            for language, part in self.parts.items()
            for number, text in enumerate(part.train, 1)
        ]
        return DocumentCorpus("aligned lines", documents, parallel=True)

    def alone(self, language: str) -> DocumentCorpus:
        """Return one language's share of the text to learn from."""
        part = _up_to(self.parts[language].train, self.shares[language])
        return DocumentCorpus(language, [Document(text, language) for text in part])

    def sizes(self) -> dict[str, dict[str, int]]:
        """Return bytes by language and part; `learned_from` of `train`."""
        return {
            language: {name: _bytes(blocks) for name, blocks in parts._asdict().items()}
            | {"learned_from": self.shares[language]}
            for language, parts in self.parts.items()
        }

    def remarks(self) -> list[str]:
        """Return what a person should know, a line each."""
        lines = []
        if self.ignored:
            lines.append(f"not in `languages`, and left out: {', '.join(self.ignored)}")
        scarce = min(
            self.parts, key=lambda name: _bytes(self.parts[name].train) / self.weights[name]
        )
        had = sum(_bytes(part.train) for part in self.parts.values())
        if sum(self.shares.values()) < had / 2:
            lines.append(
                f"{scarce} has text for {sum(self.shares.values()) / 1e6:.3g} MB in the proportions"
                f" asked for; the rest of {had / 1e6:.3g} MB is not learned from"
            )
        return lines


def read_text(
    corpora: Sequence[Corpus], weights: Mapping[str, float], progress: ReportProgress = silent
) -> DesignText:
    """Read the text of the languages that have a weight, and divide it.

    Raises:
        InputError: a language has no text, or too little.
    """
    blocks: dict[str, dict[bytes, str]] = {name: {} for name in weights}
    held = dict.fromkeys(weights, 0)
    other: dict[str, None] = {}
    names: dict[str, str | None] = {}
    aligned = all(corpus.parallel for corpus in corpora)
    for batch in joined(corpora).batches():
        progress("reading", sum(map(utf8_length, batch.texts)))
        if batch.language not in names:
            found = (name for name in weights if same_languages(name, [batch.language]))
            names[batch.language] = next(found, None)
        name = names[batch.language]
        if name is None:
            other[batch.language] = None
            continue
        if held[name] >= MOST_BYTES:
            continue
        for number, block in enumerate(batch.texts if aligned else _blocks(batch.texts)):
            # Lines that say the same in two languages go to the same part.
            said = f"line {(batch.first_alignment or 0) + number}" if aligned else block
            blocks[name][hashlib.sha256(said.encode()).digest()] = block
            held[name] += utf8_length(block)
    for name in weights:
        if not held[name]:
            raise _no_text(name, other)
    digest = hashlib.sha256(repr(sorted(weights.items())).encode())
    for name in weights:
        digest.update("\xff".join(blocks[name][key] for key in sorted(blocks[name])).encode())
    parts = {name: _divided(name, found) for name, found in blocks.items()}
    total = min(_bytes(parts[name].train) / weight for name, weight in weights.items())
    shares = {name: int(total * weight) for name, weight in weights.items()}
    same = aligned and len({frozenset(found) for found in blocks.values()}) == 1
    return DesignText(dict(weights), parts, shares, tuple(other), same, digest.hexdigest())


def check_present(corpora: Sequence[Corpus], language: str) -> None:
    """Look for text of a language.

    Raises:
        InputError: there is none.
    """
    there: set[str] = set()
    for batch in joined(corpora).batches():
        if same_languages(language, [batch.language]):
            return
        there.add(batch.language)
    raise _no_text(language, there)


def _no_text(language: str, there: Iterable[str]) -> InputError:
    listed = ", ".join(sorted(there)) or "no text at all"
    return InputError(f"`languages`: {language} has no text in the corpora ({listed}); give some")


def _blocks(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if utf8_length(text) <= BLOCK_BYTES:
            yield from filter(None, [text])
            continue
        lines: list[str] = []
        size = 0
        for line in text.splitlines(keepends=True):
            lines.append(line)
            size += utf8_length(line)
            if size >= BLOCK_BYTES:
                yield "".join(lines)
                lines, size = [], 0
        yield from filter(None, ["".join(lines)])


def _divided(language: str, blocks: dict[bytes, str]) -> TextParts:
    parts = TextParts([], [], [])
    for key in sorted(blocks):
        place = key[-1] % PARTS
        (parts.check if place == 0 else parts.curve if place == 1 else parts.train).append(
            blocks[key]
        )
    if min(map(_bytes, parts)) < LEAST_BYTES:
        size = sum(map(_bytes, parts))
        raise InputError(
            f"`languages`: {language} has {size:,} bytes of text in {len(blocks):,} blocks, too few"
            " to learn from a part and to check on another; give more"
        )
    return parts


def _up_to(blocks: Iterable[str], size: int) -> Iterator[str]:
    for block in blocks:
        if size <= 0:
            return
        yield block
        size -= utf8_length(block)


def _bytes(blocks: Iterable[str]) -> int:
    return sum(map(utf8_length, blocks))
