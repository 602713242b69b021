"""A figure on its own: charts of the report, with their key, as one SVG file that needs no other.

A page styles its charts by a sheet with variables, so that they follow light, dark and print. A
file opened in a drawing program has no page, and not every program knows variables: here they are
resolved, for light colours, and the sheet travels inside the figure.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markupsafe import Markup

from corpora.errors import InputError
from corpora.files import write_text
from reports.charts.chart import Panel
from reports.charts.svg import INK, PALETTE, QUIET, Series, heat_colours, sample, tag
from reports.html import text_file

_MARGIN, _GAP = 12.0, 18.0  # around everything; between panels
_TITLE, _ENTRY, _CAPTION = 26.0, 20.0, 18.0  # heights of a line
_LETTER = 6.8  # pixels; what a letter of a key is wide, generously
_WIDEST = 1100.0  # beyond this, panels begin another row
_VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_IDENTITY = re.compile(r'(id="|url\(#|aria-labelledby="|aria-describedby=")')
_RULE = re.compile(r"^(?:svg )?(\.?\w+) \{ (.*) \}$", re.MULTILINE)
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'


@dataclass(frozen=True, repr=False)
class Figure:
    """One or several charts side by side, with their key.

    A notebook shows it; `save` writes it to a file.

    Attributes:
        title: what it shows.
        panels: captions, which may be empty, and the charts as a report holds them.
        series: what the key names.
        lines: whether the key shows lines.
    """

    title: str
    panels: Sequence[Panel]
    series: Sequence[Series] = ()
    lines: bool = False

    @cached_property
    def svg(self) -> str:
        """The figure as SVG, self-contained."""
        sizes = [_size(panel.picture) for panel in self.panels]
        columns = max(1, min(len(sizes), int(_WIDEST // (max(w for w, _ in sizes) + _GAP))))
        column = max(w for w, _ in sizes) + _GAP
        width = 2 * _MARGIN + columns * column - _GAP
        parts = [tag("text", self.title, class_="head", x=_MARGIN, y=_MARGIN + 12)]
        key, y = self._key(width, _MARGIN + _TITLE)
        parts += key
        for begin in range(0, len(sizes), columns):
            row = self.panels[begin : begin + columns]
            if any(panel.caption for panel in row):
                y += _CAPTION
            for i, (caption, picture, *_) in enumerate(row):
                x, (w, h) = _MARGIN + i * column, sizes[begin + i]
                words = caption.striptags() if isinstance(caption, Markup) else caption
                parts.append(tag("text", words, class_="caption", x=x, y=y - 5))
                place = f'<svg x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" '
                parts.append(Markup(str(picture).replace("<svg ", place, 1)))
            y += max(h for _, h in sizes[begin : begin + columns]) + _GAP
        height = y - _GAP + _MARGIN
        paper = tag("rect", class_="paper", width=width, height=height)
        drawn = str(tag(
            "svg", tag("style", Markup(_sheet())), paper, *parts, class_="tokenize-lab",
            xmlns="http://www.w3.org/2000/svg", width=width, height=height,
            viewBox=f"0 0 {width:g} {height:g}",
        ))  # fmt: skip
        # Figures on one page must not share identities.
        digest = hashlib.sha256(drawn.encode()).hexdigest()[:8]
        return _IDENTITY.sub(rf"\g<1>f{digest}-", drawn) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the figure to an SVG file, whole or not at all, and return its path.

        Raises:
            InputError: the name does not end in `.svg`, or the file cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise InputError(f"{target}: a figure is saved as SVG; end its name in .svg")
        write_text(target, self.svg)
        return target

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg}</div>'

    def __repr__(self) -> str:
        charts = "chart" if len(self.panels) == 1 else "charts"
        return f"<Figure {self.title!r}: {len(self.panels)} {charts}>"

    def _key(self, width: float, y: float) -> tuple[list[Markup], float]:
        """Return the entries of the key from a height on, and where they end."""
        if not self.series:
            return [], y
        parts, x = [], _MARGIN
        for entry in self.series:
            drawn, room = sample(entry.style, line=self.lines)
            needed = room + 6 + _LETTER * len(entry.name)
            if x > _MARGIN and x + needed > width - _MARGIN:
                x, y = _MARGIN, y + _ENTRY
            words = tag("text", entry.name, x=room + 6.0, y=11)
            parts.append(tag("g", drawn, words, transform=f"translate({x:.1f} {y:g})"))
            x += needed + 14
        return parts, y + _ENTRY + 4


def again(panel: Panel, prefix: str) -> Panel:
    """Return a chart to be drawn a second time on a page: its identities begin with the prefix."""
    return panel._replace(picture=Markup(_IDENTITY.sub(rf"\g<1>{prefix}-", str(panel.picture))))


def _size(picture: Markup) -> tuple[float, float]:
    found = _VIEW.search(picture)
    assert found is not None
    return float(found[1]), float(found[2])


@cache
def _sheet() -> str:
    """Return the rules of charts for a figure alone, without variables."""
    root = text_file("page.css").partition("}")[0]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", root))

    def resolved(declarations: str) -> str:
        return re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], declarations)

    series = {
        **dict(enumerate(PALETTE)), INK: colours["ink"], QUIET: colours["quiet"],
    }  # fmt: skip
    rules = [f"text{{font-family:{_FONT}}}", ".head{font-size:15px;font-weight:650}"]
    rules.append(".caption{font-weight:600}")
    rules.append(f".paper{{fill:{colours['paper']}}}")
    rules += [f".f{i}{{fill:{fill}}}" for i, (fill, _) in enumerate(heat_colours())]
    for name, declarations in _RULE.findall(text_file("chart.css")):
        if declarations.startswith("--series"):
            continue
        parts = declarations.rstrip("; ").split("; ")
        by_series = [part for part in parts if "var(--series)" in part]
        # Apart, so that a class such as `thin` still changes what no series decides.
        rules.append(f"{name}{{{resolved('; '.join(p for p in parts if p not in by_series))}}}")
        rules += [
            f"{name}.s{i}{{{part.replace('var(--series)', colour)}}}"
            for part in by_series
            for i, colour in series.items()
        ]
    return "\n".join(f".tokenize-lab {rule}" for rule in rules).replace(
        "font-family: inherit; ", ""
    )
