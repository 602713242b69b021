"""What parity-aware BPE learns from: the distinct words of an aligned corpus, by language."""

from collections import Counter
from typing import NamedTuple

import regex

from corpora.document import utf8_length
from corpora.errors import InputError
from tokenize_lab.train.text import TrainingText


class AlignedWords(NamedTuple):
    """Distinct words, and how often each language has them.

    Attributes:
        languages: names, sorted.
        lines: aligned lines, the same ones in every language.
        words: UTF-8 bytes of each distinct word, in order of first occurrence.
        counts: for each word, (number of the language, occurrences) pairs.
    """

    languages: list[str]
    lines: int
    words: list[bytes]
    counts: list[list[tuple[int, int]]]


def aligned_words(text: TrainingText, pattern: str) -> AlignedWords:
    """Split every language's lines by a pattern and count the pieces.

    Raises:
        InputError: the corpus is not aligned, has one language, or some language lacks lines.
    """
    name = text.corpus.name
    if not text.corpus.parallel:
        raise InputError(
            f"{name}: not an aligned corpus; parity is between translations of the same lines, "
            "such as a folder of eng_Latn.txt, hin_Deva.txt, ... of equally many lines"
        )
    split = regex.compile(pattern).findall if pattern else lambda line: [line]
    found: dict[str, Counter[str]] = {}
    lines: dict[str, set[int]] = {}
    for batch in text.corpus.batches():
        assert batch.first_alignment is not None
        words = found.setdefault(batch.language, Counter())
        for line in batch.texts:
            words.update(filter(None, split(line)))
        numbers = range(batch.first_alignment, batch.first_alignment + len(batch.texts))
        lines.setdefault(batch.language, set()).update(numbers)
        text.tell("counting words", sum(map(utf8_length, batch.texts)))
    languages = sorted(found)
    if len(languages) < 2:
        raise InputError(f"{name}: only {languages[0]}; parity takes two languages or more")
    fullest = max(languages, key=lambda language: len(lines[language]))
    for language in languages:
        if lines[language] != lines[fullest]:
            missing = min(lines[fullest] ^ lines[language])
            raise InputError(
                f"{name}: {language} and {fullest} do not have the same lines (line {missing}); "
                "leave out the lines that one language lacks"
            )
    place: dict[str, int] = {}
    counts: list[list[tuple[int, int]]] = []
    for number, language in enumerate(languages):
        for word, times in found.pop(language).items():
            if word not in place:
                place[word] = len(counts)
                counts.append([])
            counts[place[word]].append((number, times))
    return AlignedWords(
        languages, len(lines[fullest]), [word.encode("utf-8") for word in place], counts
    )
