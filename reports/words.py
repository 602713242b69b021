"""Names and lists in sentences, safe to put on a page."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reports.html import visible
from reports.languages import language_name

_MOST_NAMED = 4


def name(text: str) -> Markup:
    """Return a name that neither its direction nor its characters can carry out of its place."""
    return Markup("<bdi>{}</bdi>").format(visible(text))


def strong(text: str) -> Markup:
    """Return a name in bold."""
    return Markup("<b>{}</b>").format(name(text))


def language(code: str) -> Markup:
    """Return a language's name."""
    return name(language_name(code))


def language_cell(code: str) -> Markup:
    """Return a language's name with its code, where they differ, for the head of a row."""
    known = language_name(code)
    if known == code:
        return name(code)
    return Markup('{} <span class="code">{}</span>').format(name(known), visible(code))


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
