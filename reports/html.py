"""HTML that cannot be broken by what is written in it: fragments, tables, names in sentences.

Every fragment is a `Markup`: templates escape what they are given, and `visible` shows what
escaping does not touch, characters that would act on the page instead of being read.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.languages import language_name

__all__ = ["Markup", "attributes", "csp_hash", "escape", "render", "text_file", "visible"]

# C0 and C1 controls, DEL, marks that change the direction of what follows, separators that end a
# line of script, noncharacters and lone surrogates. Joiners and LRM/RLM are ordinary text and stay.
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]"
)


def visible(text: object) -> str:
    """Return `text` with control characters as symbols: NUL as ␀, U+202E as ‹202E›."""
    return _ACTING.sub(_symbol, str(text))


def _symbol(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point < 0x20:
        return chr(0x2400 + point)
    return "\u2421" if point == 0x7F else f"‹{point:04X}›"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else visible(value),
    )
    return environment


def render(template: str, **values: Any) -> Markup:
    """Return a template of `reports/templates` filled in; all but `Markup` is escaped."""
    return Markup(_environment().get_template(template).render(**values))


def text_file(name: str) -> str:
    """Return a style sheet or script of `reports/templates` as it stands."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def attributes(**values: object) -> Markup:
    """Return ` name="value"` for every value that is not None; `class_` is class, `_` is a dash."""
    # By hand: of formatting, a page of many thousand marks would take seconds.
    return Markup(
        "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
            for name, value in values.items()
            if value is not None
        )
    )


def csp_hash(inline: str) -> str:
    """Return the source that lets exactly this inline script or style through a page's policy."""
    return f"'sha256-{b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: what stands over it.
        numeric: sorted as numbers and set to the right; else as text.
        hint: the definition, shown on hover.
        tokenizer: whose numbers it holds, if those of one that readers may choose.
    """

    heading: str
    numeric: bool = True
    hint: str = ""
    tokenizer: str = ""


@dataclass(frozen=True)
class TableCell:
    """A cell with a style of its own.

    Attributes:
        content: escaped unless it is `Markup`.
        style: a class of the style sheet.
        hint: shown on hover.
    """

    content: str | Markup
    style: str = ""
    hint: str = ""


Cells = Sequence[str | Markup | TableCell]


def columns(headings: str, hints: Mapping[str, str] | None = None) -> list[Column]:
    """Return columns from their headings, parted by ` | `; a colon at the end of one says that its
    cells are text: `language: | bytes | tokens`.

    Arguments:
        hints: by heading, what is shown on hover.
    """
    named = [
        (heading.removesuffix(":"), heading.endswith(":")) for heading in headings.split(" | ")
    ]
    known = hints or {}
    return [Column(heading, not is_text, known.get(heading, "")) for heading, is_text in named]


def sortable_table(
    caption: str | Markup,
    heads: str | Sequence[Column],
    rows: Sequence[Cells],
    *,
    row_headers: int = 1,
    style: str = "",
) -> Markup:
    """Return a table that sorts by click and by keyboard and scrolls inside its own frame.

    Without script it stands in the given order, and everything in it can be read.

    Arguments:
        heads: columns, or their headings as `columns` takes them.
        row_headers: how many of the first columns name the row.
        style: further classes of its frame.
    """
    shown = columns(heads) if isinstance(heads, str) else heads
    body = Markup("\n").join(_row(row, shown, row_headers) for row in rows)
    return render("table.html", caption=caption, columns=shown, body=body, style=style)


def _row(row: Cells, heads: Sequence[Column], row_headers: int) -> Markup:
    cells = []
    for i, (content, column) in enumerate(zip(row, heads, strict=True)):
        cell = content if isinstance(content, TableCell) else TableCell(content)
        style = cell.style if column.numeric else f"t {cell.style}".strip()
        tag = Markup("th" if i < row_headers else "td")
        extra = Markup(' scope="row"') if i < row_headers else Markup("")
        extra += attributes(class_=style or None, title=cell.hint or None)
        shown = cell.content if isinstance(cell.content, Markup) else visible(cell.content)
        cells.append(Markup("<{0}{1}>{2}</{0}>").format(tag, extra, shown))
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


_MOST_NAMED = 4  # in a list of names


def name(text: str) -> Markup:
    """Return a name that neither its direction nor its characters can carry out of its place."""
    return Markup("<bdi>{}</bdi>").format(visible(text))


def tokenizer_cell(text: str) -> Markup:
    """Return a tokenizer's name for the head of a row, found by it when readers choose."""
    return Markup('<bdi data-t="{0}">{0}</bdi>').format(visible(text))


def strong(text: str) -> Markup:
    """Return a name in bold."""
    return Markup("<b>{}</b>").format(name(text))


def language(code: str) -> Markup:
    """Return a language's name."""
    return name(language_name(code))


def language_cell(code: str) -> Markup:
    """Return a language's name with its code, where they differ, for the head of a row."""
    known = language_name(code)
    named = Markup('<bdi data-l="{}">{}</bdi>').format(visible(code), visible(known))
    if known == code:
        return named
    return Markup('{} <span class="code">{}</span>').format(named, visible(code))


def listed(items: Sequence[Markup]) -> Markup:
    """Return `a, b and c`; of many, the first few and how many others."""
    if len(items) > _MOST_NAMED + 1:
        others = Markup("{} others").format(len(items) - _MOST_NAMED)
        items = [*items[:_MOST_NAMED], others]
    if len(items) < 2:
        return Markup("").join(items)
    return Markup("{} and {}").format(Markup(", ").join(items[:-1]), items[-1])


def together(said: Mapping[str, Markup]) -> list[tuple[Markup, Markup]]:
    """Return what is said of names, with names of which the same is said put together."""
    groups: dict[Markup, list[Markup]] = {}
    for who, what in said.items():
        groups.setdefault(what, []).append(strong(who))
    return [(listed(names), what) for what, names in groups.items()]
