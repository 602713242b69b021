"""HTML that cannot be broken by what is written in it.

Every fragment is a `Markup`: templates escape what they are given, and `visible` shows what
escaping does not touch, characters that would act on the page instead of being read.
"""

import hashlib
import re
from base64 import b64encode
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

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
    return Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), visible(value))
        for name, value in values.items()
        if value is not None
    )


def csp_hash(inline: str) -> str:
    """Return the source that lets exactly this inline script or style through a page's policy."""
    return f"'sha256-{b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
