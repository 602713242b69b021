"""Ways of writing with byte latent models: what each saves, where guesses fail, and the price.

Beside them stand the rows of "Fast Byte Latent Transformer" (arXiv 2605.08044, tables 3 to 10).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from reports.charts.chart import Chart, Panel, decades, linear, octaves, panels
from reports.charts.svg import Styles, legend
from reports.html import columns, sortable_table
from reports.numbers import plural, share, significant, with_interval
from reports.page import Section, behind, lead, note
from scaling.evaluate.decoding import BYTE_CLASSES, DecodingMethod
from scaling.evaluate.shapes import ClassJudged, DecodedRun, read_decoded
from scaling.published import tables

PATTERN = "decoders*.json"
KINDS = {"ar": "byte by byte", "speculate": "BLT-S", "diffuse": "BLT-D", "verify": "BLT-DV"}
_PUBLISHED = {"BLT": "ar", "BLT-S": "speculate", "BLT-D": "diffuse", "BLT-DV": "verify"}


class Written(NamedTuple):
    """One way of writing, by one model.

    Attributes:
        source: whose. kind: of `KINDS`. words: how, in full. size: K or B; 0 of plain decoding.
        per_pass: bytes per global pass. read: gigabytes, over those of plain decoding.
        kept: share of guesses; None where there are none.
    """

    source: str
    kind: str
    words: str
    size: int
    per_pass: float
    read: float
    kept: float | None

    @property
    def hint(self) -> str:
        """What is said of its marker."""
        kept = "" if self.kept is None else f", {share(self.kept)} of guesses kept"
        per_pass = f"{significant(self.per_pass)} bytes per global pass"
        return f"{self.source}, {self.words}: {per_pass}, {significant(self.read)} of the GB{kept}"


class Decoders(NamedTuple):
    """What `scaling evaluate --decode --out` wrote: one answer for each run."""

    answers: Sequence[DecodedRun]

    @property
    def written(self) -> list[Written]:
        """Every way of every run."""
        found = []
        for answer in self.answers:
            plain = answer["decoders"][0]["gigabytes"]
            for row in answer["decoders"]:
                way = DecodingMethod.parse(row["decode"])
                words = " ".join(filter(None, (row["decode"], row["unmask"])))
                per_pass, read = row["bytes_per_global_pass"], row["gigabytes"] / plain
                kept = row["acceptance"]
                found.append(
                    Written(named(answer), way.kind, words, way.size, per_pass, read, kept)
                )
        return found


def named(answer: DecodedRun) -> str:
    """Return what a run is called."""
    return str(answer["name"] or f"run {answer['run_id']}")


def read_decoders(folder: Path) -> Decoders | None:
    """Return what a folder holds of decoders; None where that is nothing.

    Raises:
        InputError: a file is damaged, or something else.
    """
    answers = [read_decoded(path) for path in sorted(folder.glob(PATTERN))]
    return Decoders(answers) if answers else None


def published_rows() -> list[Written]:
    """Return the paper's rows."""
    rows = tables.decoded()
    plain = {
        (row["size"], row["task"]): row["bandwidth_gb"]
        for row in rows.filter(model="BLT").iter_rows(named=True)
    }
    return [
        Written(
            f"published {row['size']}",
            _PUBLISHED[row["model"].rstrip("0123456789").rstrip("-")],
            f"{row['model']} {row['setting']}, {row['task']}",
            row["block"] or 0,
            row["length"] / row["global_nfe"],
            row["bandwidth_gb"] / plain[row["size"], row["task"]],
            None if row["acceptance_percent"] is None else row["acceptance_percent"] / 100,
        )
        for row in rows.iter_rows(named=True)
    ]


def decoders(found: Decoders) -> Section:
    """Show what each way of writing saves, and where guesses fail."""
    ours = found.written
    written = [*published_rows(), *ours]
    sources = list(dict.fromkeys(row.source for row in written))
    styles = Styles(list(KINDS), sources)
    drawn = [_saved(written, styles), _kept(written, styles)]
    if len(found.answers) > 1:
        drawn.append(_price(found, styles))
    key = legend(styles.key(list(KINDS.values()), sources))
    body = lead(_says(ours)) + key + panels(drawn, wide=True)
    body += note(
        "Gigabytes are the weights that the passes read, at two bytes a parameter, as the paper "
        "counts them: the encoder with every pass of the global module. Plain decoding is 1 for "
        "each model and task. Published models have 1B and 3B parameters and entropy patches; "
        "theirs make a global pass every 1.2 to 2.4 bytes when they write plainly."
    )
    body += behind("Table: every way of writing", _table(found))
    if any(row["acceptance_by_class"] for answer in found.answers for row in answer["decoders"]):
        body += behind("Table: where guesses fail", _classes(found))
    return Section("decoders", "Ways of writing", body)


def _says(ours: Sequence[Written]) -> str:
    same = [row for row in ours if row.kind in ("speculate", "verify")]
    if not same:
        return "No way was tried that keeps the text of plain decoding."
    best = min(same, key=lambda row: row.read)
    per_pass = max(same, key=lambda row: row.per_pass)
    if best.read >= 1:
        saved = "none reads fewer weights than plain decoding"
    else:
        saved = f"{best.words} of {best.source} reads {share(1 - best.read)} fewer weights"
    return (
        f"Of ways that keep the text, {saved}; {per_pass.words} of {per_pass.source} makes a global"
        f" pass every {significant(per_pass.per_pass)} bytes."
    )


def _saved(written: Sequence[Written], styles: Styles[str, str]) -> Panel:
    chart = Chart(
        octaves("bytes written per global pass", [row.per_pass for row in written]),
        octaves("weights read, times those of plain decoding", [row.read for row in written]),
        width=520,
        height=380,
    )
    marks = [
        chart.mark(styles(row.kind, row.source), row.per_pass, row.read, row.hint)
        for row in written
    ]
    words = "Bytes written per global pass, and weights read beside plain decoding."
    return chart.panel("what is saved", "decoders-saved", "What is saved", words, marks)


def _kept(written: Sequence[Written], styles: Styles[str, str]) -> Panel:
    judged = [row for row in written if row.kept is not None]
    chart = Chart(
        octaves("bytes guessed in a round", [row.size for row in judged]),
        linear("share of guesses that were kept", [0.0, 1.0]),
        width=520,
        height=380,
    )
    marks = [
        chart.mark(styles(row.kind, row.source), row.size, row.kept, row.hint)
        for row in judged
        if row.kept is not None
    ]
    words = "Share of guesses that were kept, by how many a round makes."
    return chart.panel("guesses kept", "decoders-kept", "Guesses kept", words, marks)


def _price(found: Decoders, styles: Styles[str, str]) -> Panel:
    points = [
        (answer["rows"][-1]["bits_per_byte"], row["bytes_read_per_byte"], written)
        for answer in found.answers
        for row, written in zip(answer["decoders"], Decoders([answer]).written, strict=True)
    ]
    chart = Chart(
        decades("bytes of weights read for a byte written", [read for _, read, _ in points]),
        linear("bits per byte", [bits for bits, _, _ in points]),
        width=520,
        height=380,
    )
    marks = [
        chart.mark(styles(row.kind, row.source), read, bits, row.hint) for bits, read, row in points
    ]
    words = "Bits per byte of each run, against the weights it reads to write."
    return chart.panel("the price", "decoders-price", "The price in bits per byte", words, marks)


def _table(found: Decoders) -> Markup:
    rows = []
    for answer in found.answers:
        last = answer["rows"][-1]
        for row, written in zip(answer["decoders"], Decoders([answer]).written, strict=True):
            rows.append(
                [
                    written.source,
                    written.words,
                    with_interval(last["bits_per_byte"], last["interval"], 4),
                    significant(written.per_pass),
                    "" if written.kept is None else share(written.kept),
                    f"{row['decoder_passes']:,}",
                    f"{row['global_passes']:,}",
                    significant(row["gigabytes"]),
                    significant(written.read),
                    f"{row['seconds']:.2f}",
                    share(row["same_as_plain"]),
                ]
            )
    heads = (
        "run: | way: | bits per byte | bytes per global pass | kept | decoder passes"
        " | global passes | GB | of plain | seconds | as plain"
    )
    caption = f"Greedy text after the same prompts, {plural(len(found.answers), 'run')}"
    return sortable_table(caption, columns(heads), rows, row_headers=2, style="tall")


def _classes(found: Decoders) -> Markup:
    rows = [
        [
            named(answer),
            row["decode"],
            *(_of_class(row["acceptance_by_class"].get(name)) for name in BYTE_CLASSES),
        ]
        for answer in found.answers
        for row in answer["decoders"]
        if row["acceptance_by_class"]
    ]
    heads = columns("run: | way: | " + " | ".join(BYTE_CLASSES))
    caption = "Guesses kept of those looked at, by the byte that is right"
    return sortable_table(caption, heads, rows, row_headers=2)


def _of_class(counts: ClassJudged | None) -> str:
    if counts is None:
        return ""
    return f"{share(counts['accepted'] / counts['judged'])} of {counts['judged']:,}"
