"""Tokenizers beside one another on the same lines: values, intervals, and ranks as ranges.

A rank is the range of places that the paired differences leave open: 1 + those that are surely
better, to all but those that are surely worse. Surely means that the 95 % interval of the paired
difference leaves 0 out; intervals are not adjusted for the number of comparisons. Text that is lost
makes tokens look cheap, so a tokenizer that loses some is given no rank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corpora.bootstrap import DocumentBootstrap, Interval
from corpora.errors import InputError
from corpora.languages import begins_with
from reports.leaderboard.prices import LanguagePrices, language_prices, over_languages
from reports.numbers import compact
from scaling.advise.estimate import MOST
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.counts.schema import Group, GroupCounts, aligned_languages
from tokenize_lab.results import Results
from tokenize_lab.tokenizer import FloatArray, IntArray

Row = dict[str, Any]
_COUNTED = ("bytes", "tokens")
_SUMMED = ("documents", "exact_documents", "lost_bytes", *_COUNTED)


class RankRange(NamedTuple):
    """The places that a tokenizer may have, from 1; both None where it has none."""

    best: int | None
    worst: int | None

    def __str__(self) -> str:
        if self.best is None:
            return "–"
        return f"{self.best}" if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass(frozen=True)
class Leaderboard:
    """What a leaderboard says.

    Attributes:
        overall: a row for each tokenizer, the best first.
        languages: a row for each language and tokenizer, in that order.
        budgets: FLOPs that prices are at.
        unplaced: languages without a price: no runs, and no English lines to tell their parity.
        notices: what a person should know, a line each.
        provenance: of the counts.
    """

    overall: Sequence[Row]
    languages: Sequence[Row]
    budgets: tuple[float, ...]
    unplaced: Sequence[str]
    notices: Sequence[str]
    provenance: dict[str, Any]


def ranked(
    scores: FloatArray, kept: Sequence[bool], bootstrap: DocumentBootstrap
) -> list[RankRange]:
    """Return the places of tokenizers by a score of which more is better.

    Arguments:
        scores: [tokenizers, 1 + draws], paired, the first the estimate.
        kept: [tokenizers] whether it is ranked.
    """
    places = np.flatnonzero(kept)
    better = np.zeros((len(scores), len(scores)), np.bool_)  # row before column
    for i in places:
        gaps = scores[i] - scores[places]
        tail = 100 * (1 - bootstrap.level) / 2
        low = np.percentile(gaps[:, 1:], tail, axis=1) if scores.shape[1] > 1 else gaps[:, 0]
        better[i, places] = low > 0
    return [
        RankRange(1 + int(better[:, i].sum()), len(places) - int(better[i].sum()))
        if kept[i]
        else RankRange(None, None)
        for i in range(len(scores))
    ]


def standings(results: Results, budgets: tuple[float, ...]) -> Leaderboard:
    """Set the tokenizers of a measurement beside one another.

    Raises:
        InputError: the text is not parallel, of one language, or a language has only blank lines.
    """
    settings = results.row_settings
    names = [told["name"] for told in results.provenance["tokenizers"]]
    corpora = [told["name"] for told in results.provenance["corpora"]]
    units, notices = parallel_units(results.counts, names, corpora)
    sums = {key: _sums(table, settings.bootstrap) for key, table in units.items()}
    codes = list(dict.fromkeys(language for language, _ in units))
    reference = next((code for code in codes if begins_with(code, settings.reference)), None)
    english = next((code for code in codes if begins_with(code, "eng")), None)
    if reference is None:
        notices.append(f"no language begins with the reference {settings.reference}: no premium")
    for code in codes:
        if not sums[code, names[0]][0, _place("bytes")]:
            raise InputError(
                f"{', '.join(corpora)}: {code} has no text; leave it out, or give some"
            )
    board = _Board(names, budgets, settings.bootstrap)
    for code in codes:
        table = np.stack([sums[code, name] for name in names])  # [tokenizers, 1 + draws, counts]
        beside = None if reference is None else np.stack([sums[reference, name] for name in names])
        parity = None
        if english is not None:
            parity = float(
                table[0, 0, _place("bytes")] / sums[english, names[0]][0, _place("bytes")]
            )
        board.add(code, table, beside, parity)
    return board.leaderboard(notices, results.provenance)


def _place(name: str) -> int:
    return _SUMMED.index(name)


def not_parallel(corpus: str, what: str = "") -> InputError:
    """Return what says that a corpus is no text for a leaderboard."""
    return InputError(
        f"{corpus}: {what or 'no parallel text'}; a leaderboard is of the same lines in two "
        "languages or more: files named by language with as many lines each, such as embedded"
    )


def parallel_units(
    counts: Mapping[Group, GroupCounts], names: Sequence[str], corpora: Sequence[str]
) -> tuple[dict[tuple[str, str], IntArray], list[str]]:
    """Return the counts of every line by language and tokenizer, of several corpora one after the
    other, and a line for each language that is left out.

    Raises:
        InputError: a corpus is not parallel, or corpora are of other languages.
    """
    columns = [FIELD_INDEX[name] for name in _SUMMED]
    aligned = aligned_languages(counts)
    notices: list[str] = []
    found: dict[tuple[str, str], list[IntArray]] = {}
    first: list[str] = []
    for corpus in corpora:
        all_codes = [g.language for g in counts if (g.tokenizer, g.corpus) == (names[0], corpus)]
        groups = aligned.get((names[0], corpus), ())
        codes = [group.language for group in groups if group.language is not None]
        if not codes:
            one = len(all_codes) == 1
            raise not_parallel(corpus, f"one language, {all_codes[0]}" if one else "")
        missing = [str(code) for code in all_codes if code not in codes]
        if missing:
            notices.append(f"{corpus}: lack lines and are left out: {', '.join(missing)}")
        first = first or codes
        if set(codes) != set(first):
            other = ", ".join(sorted({*codes} ^ {*first}))
            raise InputError(
                f"{corpus}: not of the languages of {corpora[0]} ({other}); give corpora of the "
                "same languages, or one"
            )
        for code in first:
            for name in names:
                part = counts[Group(name, corpus, code, None, None)]
                found.setdefault((code, name), []).append(part.units[:, columns])
    return {key: np.concatenate(tables) for key, tables in found.items()}, notices


def _sums(units: IntArray, bootstrap: DocumentBootstrap) -> FloatArray:
    """Return [1 + draws, counts]: the sums, and those of every resample of the lines."""
    drawn = bootstrap.sums(units[units[:, 0] > 0])
    total = units.sum(0, dtype=np.float64)[None]
    return total if drawn is None else np.concatenate([total, drawn])


class _Board:
    """Rows as they come together, language by language."""

    def __init__(
        self, names: Sequence[str], budgets: tuple[float, ...], bootstrap: DocumentBootstrap
    ) -> None:
        self._names, self._budgets, self._bootstrap = names, budgets, bootstrap
        self._rows: list[Row] = []
        self._log_rates: list[FloatArray] = []
        self._log_premiums: list[FloatArray] = []
        self._prices: dict[float, list[LanguagePrices]] = {budget: [] for budget in budgets}
        self._sums: list[FloatArray] = []
        self._unplaced: list[str] = []

    def add(
        self, code: str, table: FloatArray, beside: FloatArray | None, parity: float | None
    ) -> None:
        """Add a language's rows.

        Arguments:
            table: [tokenizers, 1 + draws, counts]. beside: the same of the reference language.
            parity: bytes over English's.
        """
        size, tokens = table[..., _place("bytes")], table[..., _place("tokens")]
        # All of a language's text may be dropped, and a resample may be of blank lines alone.
        with np.errstate(divide="ignore", invalid="ignore"):
            log_rates = np.log(size) - np.log(tokens)
        self._log_rates.append(log_rates)
        self._sums.append(table[:, 0])
        log_premiums = None
        if beside is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                log_premiums = np.log(tokens) - np.log(beside[..., _place("tokens")])
            self._log_premiums.append(log_premiums)
        prices = language_prices(code, parity, np.exp(log_rates), self._budgets)
        if not prices:
            self._unplaced.append(code)
        for budget, of in prices.items():
            self._prices[budget].append(of)
        self._rows += self._rows_of(code, table[:, 0], log_rates, log_premiums, prices)

    def leaderboard(self, notices: Sequence[str], provenance: dict[str, Any]) -> Leaderboard:
        """Return all rows, and those over all languages: geometric means but of bits per byte."""
        overall = self._rows_of(
            None,
            np.sum(self._sums, 0),
            np.mean(self._log_rates, 0),
            np.mean(self._log_premiums, 0) if self._log_premiums else None,
            {budget: over_languages(some) for budget, some in self._prices.items() if some},
        )
        order = sorted(
            range(len(overall)),
            key=lambda i: (overall[i]["rank_best"] is None, -overall[i]["bytes_per_token"]),
        )
        place = {overall[i]["tokenizer"]: n for n, i in enumerate(order)}
        codes = list(dict.fromkeys(row["language"] for row in self._rows))
        return Leaderboard(
            [overall[i] for i in order],
            sorted(
                self._rows, key=lambda row: (codes.index(row["language"]), place[row["tokenizer"]])
            ),
            self._budgets,
            self._unplaced,
            notices,
            provenance,
        )

    def _rows_of(
        self,
        code: str | None,
        counts: FloatArray,
        log_rates: FloatArray,
        log_premiums: FloatArray | None,
        prices: Mapping[float, LanguagePrices],
    ) -> list[Row]:
        lost = counts[:, _place("lost_bytes")]
        kept = (lost == 0).tolist()
        ranks = ranked(log_rates, kept, self._bootstrap)
        price_ranks = {
            budget: ranked(-np.log(of.multiplier), kept, self._bootstrap)
            for budget, of in prices.items()
        }
        rows = []
        for i, name in enumerate(self._names):
            summed = dict(zip(_SUMMED, counts[i].astype(int).tolist(), strict=True))
            row: Row = {
                "tokenizer": name,
                "language": code,
                **summed,
                "rank_best": ranks[i].best,
                "rank_worst": ranks[i].worst,
                **self._valued("bytes_per_token", np.exp(log_rates[i])),
                **self._valued(
                    "premium", None if log_premiums is None else np.exp(log_premiums[i])
                ),
                "exact_share": summed["exact_documents"] / max(summed["documents"], 1),
                "lost_share": summed["lost_bytes"] / max(summed["bytes"], 1),
            }
            for budget in self._budgets:
                at, of = compact(budget), prices.get(budget)
                row |= self._valued(f"compute_at_{at}", of and of.multiplier[i])
                rank = price_ranks[budget][i] if of else RankRange(None, None)
                row |= {
                    f"compute_rank_{end}_at_{at}": place for end, place in rank._asdict().items()
                }
                row |= self._valued(f"bits_per_byte_at_{at}", of and of.bits_per_byte[i])
            rows.append(row)
        return rows

    def _valued(self, name: str, draws: FloatArray | None) -> Row:
        """Return a value and the ends of its interval under their names; None where unknown."""
        ends: Interval | None = None
        if draws is not None and len(draws) > 1:
            ends = self._bootstrap.interval(draws[1:])
        value = None if draws is None or not np.isfinite(draws[0]) else float(draws[0])
        low, high = ends or (None, None)
        return {name: value, f"{name}_low": low, f"{name}_high": high}


def unredeemed(multiplier: float | None) -> bool:
    """Whether no budget below a millionfold buys back what a rate costs."""
    return multiplier is not None and multiplier >= MOST
