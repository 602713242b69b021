"""A page of sections: one HTML file that asks nothing of any network."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.html import csp_hash, render, text_file
from reports.palette import OKABE_ITO, heat_colours
from reports.section import Section


def render_page(title: str, sections: Sequence[Section], corpora: Sequence[str] = ()) -> str:
    """Return the page.

    Its policy forbids every connection, and runs exactly the scripts and styles written here: a
    script that came in with a name or a text would not run even if it were not escaped.

    Arguments:
        corpora: names to choose among; fewer than two give no choice.
    """
    identities = [section.identity for section in sections]
    assert len(set(identities)) == len(identities), identities
    style = text_file("page.css") + text_file("figures.css") + _colours()
    style += "".join(dict.fromkeys(section.style for section in sections))
    scripts = [text_file("page.js"), *(section.script for section in sections if section.script)]
    policy = "; ".join(
        [
            "default-src 'none'",
            *_style_sources(style, any(section.plotting for section in sections)),
            f"script-src {' '.join(csp_hash(script) for script in dict.fromkeys(scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return render(
        "page.html",
        title=title,
        sections=sections,
        corpora=corpora,
        policy=policy,
        style=Markup(style),
        scripts=[Markup(script) for script in dict.fromkeys(scripts)],
    )


def _style_sources(style: str, plotting: bool) -> list[str]:
    """Return what may style the page: the sheet written here and, for a plotting library, styles
    set on single elements and sheets that are empty until it fills them. Neither can load."""
    if not plotting:
        return [f"style-src {csp_hash(style)}"]
    return [f"style-src {csp_hash(style)} {csp_hash('')}", "style-src-attr 'unsafe-inline'"]


def _colours() -> str:
    """Return the rules of series and of heat map steps."""
    series = [f".s{i}{{--series:{colour}}}" for i, colour in enumerate(OKABE_ITO)]
    heat = [
        f".h{i}{{background:{background};color:{text}}}"
        for i, (background, text) in enumerate(heat_colours())
    ]
    return "\n".join(series + heat) + "\n"
