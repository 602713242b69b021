"""What each measure is called on the page, how its numbers are written, and what it means."""

from dataclasses import dataclass

from markupsafe import Markup

from reports import numbers
from reports.html import Column
from reports.numbers import LowHigh, with_small
from tokenize_lab.rates import RATES
from tokenize_lab.rows import RELATIVE_RATES, MeasureRow

# What looks cheap where text is lost: its tokens stand for more than they carry.
OF_LOST_TEXT = {
    *("bytes_per_token", "characters_per_token", "graphemes_per_token", "fertility", "premium"),
}
_RESTS_ON = {"comparable_word_share": "words", "comparable_share": "text"}


@dataclass(frozen=True)
class Measure:
    """A column of the report.

    Attributes:
        name: key of a row.
        heading: short, for a table.
        is_share: written in per cent.
        places: decimals otherwise.
        more: definition where neither `RATES` nor `RELATIVE_RATES` has one.
    """

    name: str
    heading: str
    is_share: bool = False
    places: int = 2
    more: str = ""

    @property
    def meaning(self) -> str:
        """The definition, in words."""
        if self.more:
            return self.more
        return RATES[self.name].meaning if self.name in RATES else RELATIVE_RATES[self.name]

    @property
    def column(self) -> Column:
        """The column of a table that holds it."""
        return Column(self.heading, hint=self.meaning)

    def text(self, value: float | None) -> str:
        """Return the value as text."""
        return numbers.share(value) if self.is_share else numbers.rate(value, None, self.places)

    def full(self, value: float | None, ends: LowHigh) -> str:
        """Return value and interval as text."""
        return " ".join(part for part in self._parts(value, ends, "%") if part)

    def cell(self, row: MeasureRow | None) -> Markup:
        """Return a row's value with its interval, and what it does not cover, as HTML."""
        if row is None:
            return Markup(numbers.UNMEASURED)
        value, ends = self._parts(row[self.name], row["intervals"].get(self.name), "%")
        return with_small(value, ", ".join(part for part in (ends, self.caveat(row)) if part))

    def caveat(self, row: MeasureRow) -> str:
        """Return what share of a row's text is lost, or is not compared, where that bears on this
        measure."""
        if row[self.name] is None:
            return ""
        if self.name in OF_LOST_TEXT and row.get("lost_share"):
            return f"{numbers.share(row['lost_share'])} of the text lost"
        rests_on = RATES[self.name].rests_on if self.name in RATES else None
        if rests_on and (share := row.get(rests_on)) is not None and share < 1:
            return f"of {numbers.share(share)} of the {_RESTS_ON[rests_on]}"
        return ""

    def difference_cell(self, value: float, ends: LowHigh) -> Markup:
        """Return a difference with its interval, as HTML; of shares, in percentage points."""
        return with_small(*self._parts(value, ends, "pp"))

    def _parts(self, value: float | None, ends: LowHigh, unit: str) -> tuple[str, str]:
        if value is None:
            return numbers.UNMEASURED, ""
        if self.is_share:
            return numbers.share(value, ends, unit), numbers.share_interval(value, ends, unit)
        places = self.places
        return numbers.rate(value, ends, places), numbers.rate_interval(value, ends, places)


_MEASURES = [
    Measure("bytes_per_token", "bytes per token"),
    Measure("characters_per_token", "characters per token"),
    Measure("graphemes_per_token", "graphemes per token"),
    Measure("fertility", "fertility (tokens per word)"),
    Measure("single_token_word_share", "one-token words (STRR)", is_share=True),
    Measure("comparable_word_share", "words compared", is_share=True),
    Measure("bytes_per_pretoken", "bytes per pre-token"),
    Measure("parity", "parity (bytes)"),
    Measure("premium", "premium (tokens)"),
    Measure("gini", "Gini", places=3),
    Measure("exact_share", "exact round trips", is_share=True),
    Measure("lost_share", "text lost", is_share=True),
    Measure("comparable_share", "text compared", is_share=True),
    Measure("normalization_loss", "normalisation loss", is_share=True),
    Measure("unknown_share", "unknown (UNK)", is_share=True),
    Measure("byte_fallback_share", "byte fallback", is_share=True),
    Measure("split_character_share", "tokens that cut a character", is_share=True),
    Measure("digit_grouping_f1", "digit grouping F1", places=3),
    Measure("indentation_bytes_per_token", "indentation, bytes per token"),
    Measure("operator_bytes_per_token", "operators, bytes per token"),
    Measure(
        "vocabulary_use",
        "vocabulary used",
        is_share=True,
        more="distinct token ids that occur / declared vocabulary size V",
    ),
    Measure(
        "zipf_slope",
        "Zipf slope",
        more="slope of log frequency on log rank over ids that occur twice or more; -1 is Zipf's "
        "law",
    ),
    Measure(
        "renyi_2.5_declared",
        "Rényi 2.5, declared V",
        places=3,
        more="Rényi efficiency of order 2.5: entropy of the id distribution / log2 V, V as "
        "declared (Zouhar et al. 2023)",
    ),
    Measure(
        "renyi_2.5_observed",
        "Rényi 2.5, observed V",
        places=3,
        more="the same over the log of the number of ids that occur, the default of the "
        "tokenization-scorer package; the two rank tokenizers differently",
    ),
]
MEASURES = {measure.name: measure for measure in _MEASURES}
