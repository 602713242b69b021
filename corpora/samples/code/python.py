"""Text statistics: word counts, sentence lengths and a readability estimate."""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass, field

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
READING_SPEED = 238  # words per minute, silent reading
MAX_BYTES = 10_485_760


@dataclass
class Stats:
    """Everything the report needs, collected in one pass over the text."""

    lines: int = 0
    characters: int = 0
    sentences: list[int] = field(default_factory=list)
    words: Counter = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.words.values())

    @property
    def mean_sentence(self) -> float:
        return sum(self.sentences) / len(self.sentences) if self.sentences else 0.0

    def long_words(self, minimum: int = 7) -> float:
        """Share of running words with at least `minimum` letters."""
        if not self.total:
            return 0.0
        return sum(n for word, n in self.words.items() if len(word) >= minimum) / self.total

    def lix(self) -> float:
        # Björnsson's index: sentence length plus the percentage of long words.
        return self.mean_sentence + 100 * self.long_words()


def measure(text: str) -> Stats:
    stats = Stats(lines=len(text.splitlines()), characters=len(text))
    for sentence in SENTENCE_END.split(text.strip()):
        found = [match.group().lower() for match in WORD.finditer(sentence)]
        if found:
            stats.sentences.append(len(found))
            stats.words.update(found)
    return stats


def report(stats: Stats, top: int) -> str:
    minutes, seconds = divmod(round(stats.total / READING_SPEED * 60), 60)
    rows = [
        f"lines       {stats.lines:>8,}",
        f"characters  {stats.characters:>8,}",
        f"words       {stats.total:>8,} ({len(stats.words):,} different)",
        f"sentence    {stats.mean_sentence:>8.1f} words on average",
        f"lix         {stats.lix():>8.1f}",
        f"reading     {minutes:>5d}:{seconds:02d} min",
    ]
    for rank, (word, count) in enumerate(stats.words.most_common(top), start=1):
        share = 100 * count / stats.total
        rows.append(f"{rank:>3}. {word:<20} {count:>6} {share:5.2f} %")
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", help="a UTF-8 text file; standard input if left out")
    parser.add_argument("--top", type=int, default=10, metavar="N")
    options = parser.parse_args(argv)
    source = open(options.file, "rb") if options.file else sys.stdin.buffer
    with source:
        raw = source.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        print(f"error: more than {MAX_BYTES:,} bytes", file=sys.stderr)
        return 2
    print(report(measure(raw.decode("utf-8", errors="replace")), options.top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
