"""Vocabulary curves as pages need them: by language and tokenizer, with a style for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from reports.measured import Series
from reports.palette import series_style
from tokenize_lab.vocab_curve.job import FILE, load_curves
from tokenize_lab.vocab_curve.rows import Row

MOST_PANELS = 12
ENGLISH = "eng"  # how the codes begin of what parity compares with


@dataclass(frozen=True)
class DrawnCurve:
    """One tokenizer's curve over one language.

    Attributes:
        series: the tokenizer.
        language: its code.
        rows: with a rate, ascending in vocabulary size.
    """

    series: Series
    language: str
    rows: Sequence[Row]

    @property
    def ceiling(self) -> float:
        """Bytes per piece that merges cannot cross."""
        return float(self.rows[0]["bytes_per_pretoken"])

    @property
    def points(self) -> list[tuple[int, float]]:
        """Vocabulary size and bytes per token."""
        return [(row["vocabulary_size"], row["bytes_per_token"]) for row in self.rows]


@dataclass(frozen=True)
class Curves:
    """Everything the pages on vocabulary show.

    Attributes:
        corpus: its name.
        parallel: whether its documents are translations of one another.
        series: the tokenizers.
        curves: those with text.
    """

    corpus: str
    parallel: bool
    series: Sequence[Series]
    curves: Sequence[DrawnCurve]

    @cached_property
    def languages(self) -> Mapping[str, Sequence[DrawnCurve]]:
        """Curves by language: English first, then from the highest rate reached to the lowest."""
        found: dict[str, list[DrawnCurve]] = {}
        for curve in self.curves:
            found.setdefault(curve.language, []).append(curve)

        def order(language: str) -> tuple[bool, float, str]:
            reached = max(curve.points[-1][1] for curve in found[language])
            return not language.startswith(ENGLISH), -reached, language

        return {language: found[language] for language in sorted(found, key=order)}

    @cached_property
    def shown(self) -> Mapping[str, Sequence[DrawnCurve]]:
        """The languages that are drawn: the first, and then at even steps down to the last."""
        languages = list(self.languages)
        if len(languages) > MOST_PANELS:
            step = (len(languages) - 1) / (MOST_PANELS - 1)
            languages = [languages[round(i * step)] for i in range(MOST_PANELS)]
        return {language: self.languages[language] for language in languages}

    def parity(self, language: str) -> float | None:
        """Return bytes over English's; None where documents are not the same."""
        english = next((one for one in self.languages if one.startswith(ENGLISH)), None)
        if not self.parallel or english is None:
            return None
        own, other = (self.languages[one][0].rows[0] for one in (language, english))
        same = own["documents"] == other["documents"]
        return own["bytes"] / other["bytes"] if same else None


def read_curves(folder: Path, known: Sequence[Series] = ()) -> Curves | None:
    """Read `vocab_curve.json` of a folder; None where there is none.

    Arguments:
        known: tokenizers that are on the page already, to be drawn in the same way.

    Raises:
        InputError: it is damaged.
    """
    if not (folder / FILE).exists():
        return None
    content: dict[str, Any] = load_curves(folder)
    series = {one.name: one for one in known}
    for facts in content["tokenizers"]:
        new = Series(facts["name"], facts, series_style(len(series)))
        series.setdefault(facts["name"], new)
    found = [
        DrawnCurve(
            series[curve["tokenizer"]],
            curve["language"],
            [row for row in curve["rows"] if row["bytes_per_token"]],
        )
        for curve in content["curves"]
    ]
    return Curves(
        str(content["corpus"]["name"]),
        content["corpus"]["parallel"],
        [series[facts["name"]] for facts in content["tokenizers"]],
        [curve for curve in found if curve.rows],
    )
