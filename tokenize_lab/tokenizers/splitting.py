"""How a tokenizer splits a text before it merges, as far as its settings say."""

from typing import NamedTuple


class Splitting(NamedTuple):
    """What stands between a text and its pieces.

    Attributes:
        patterns: regular expressions that split it, one after the other; all text is kept.
        literals: added tokens that are looked for before the text is split.
        obstacle: why the pieces do not follow from the patterns, or empty.
    """

    patterns: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    obstacle: str = ""
