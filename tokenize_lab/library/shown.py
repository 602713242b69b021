"""Results that show themselves in a notebook, draw themselves, and make a report."""

import html
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from corpora import arguments
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.results import Results
from tokenize_lab.vocabulary_curves.job import VocabCurves

if TYPE_CHECKING:
    import polars as pl

    from reports.charts.figure import Figure


class _Kept(Protocol):
    def frame(self) -> "pl.DataFrame": ...
    def save(self, folder: Path) -> object: ...


class Shown:
    """A result as a table in a notebook, and as the HTML file that `tokenize-lab report` makes."""

    def report(self: _Kept, path: str | Path = "report.html") -> Path:
        """Write a self-contained HTML file and return its path.

        Raises:
            InputError: it cannot be written.
        """
        from reports.build import build_report

        file = arguments.path("path", path)
        with TemporaryDirectory() as folder:
            self.save(Path(folder))
            return build_report(Path(folder), file)

    def _repr_html_(self: _Kept) -> str:
        remarks: list[str] = getattr(self, "remarks", list)()
        said = "".join(f"<p>{html.escape(line)}</p>" for line in remarks)
        return f"<p>{html.escape(repr(self))}</p>{self.frame()._repr_html_()}{said}"


class Measurement(Shown, Results):
    """What was measured: `frame`, `rows`, `figure`, `report`; `save` keeps it in a folder."""

    __repr__ = Results.__repr__

    def figure(self, rate: str = "bytes_per_token") -> "Figure":
        """Return a rate of every language under every tokenizer, with intervals.

        Arguments:
            rate: `bytes_per_token`, `premium`, `fertility` or another column of the frame.

        Raises:
            InputError: there is no such rate, or it was not measured of this text.
        """
        from reports.figures import measurement_figure

        return measurement_figure(self, rate)


class SizeCurves(Shown, VocabCurves):
    """Bytes per token at every vocabulary size: `frame`, `figure`, `report`, `save`."""

    __repr__ = VocabCurves.__repr__

    def figure(self) -> "Figure":
        """Return bytes per token over vocabulary size, a chart for each language."""
        from reports.figures import vocabulary_figure

        return vocabulary_figure(list(self.rows()))


class VocabularyFinding(Shown, TokenizerFinding):
    """What an audit, a comparison or an inferred mixture found: a dictionary, ready for JSON."""

    __repr__ = TokenizerFinding.__repr__

    def summary(self) -> str:
        """Return the tables that the command prints."""
        from corpora.output import drawn
        from tokenize_lab.forensics import tables

        kinds = {
            "audit": tables.audit_tables,
            "diff": tables.diff_tables,
            "mixture": tables.mixture_tables,
        }
        return "".join(drawn(kinds[self["kind"]](self)))
