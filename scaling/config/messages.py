"""What is wrong with a specification file, in a sentence, and on which line.

TOML's reader does not tell where a key stood, so lines are looked up in the text: what is written
plainly (a key at the beginning of its line, under its table) is found, and nothing else is needed.
"""

import re
from typing import Any, get_args

from pydantic import ValidationError

from corpora.errors import InputError, did_you_mean
from scaling.config.tables import TABLES
from scaling.model.patching import refuse_bpe_boundaries
from scaling.spec import PatchingKind

_KEY_LINE = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9_-]+))\s*=")
_TABLE_LINE = re.compile(r"\s*\[\[?\s*([^\]\s]+)\s*\]")
_SHOWN = 40  # characters shown of a wrong value


def line_of(text: str, table: str, key: str) -> int | None:
    """Return the line of a key, or else of its table; None where neither is written plainly."""
    inside, found = "", None
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := _TABLE_LINE.match(line):
            inside = opened[1].strip("\"'")
            if inside == (table or key) and found is None:
                found = number
        elif inside == table and (pair := _KEY_LINE.match(line)) and key in pair.groups():
            return number
    return found


def sentence(error: ValidationError) -> tuple[str, str, str]:
    """Return table, key and what is wrong, of the first thing that is."""
    # A key misspelt is unknown, and the one meant is missing; the first of these says more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    places = [str(place) or '""' for place in first["loc"]]  # TOML has keys without a letter
    table, key = (places[0], places[1]) if len(places) > 1 else ("", places[0])
    if len(places) == 1 and key in TABLES:
        if first["type"] == "missing":
            return key, "", "missing; add the table"
        return key, "", "must be one table of keys and values; write it as such"
    known = list(TABLES[table].model_fields)
    given = str(first["input"])
    shown = repr(given[:_SHOWN] + "..." if len(given) > _SHOWN else first["input"])
    match first["type"]:
        case "extra_forbidden":
            near = did_you_mean(key, known) or f"; the keys here are {', '.join(known)}"
            return table, key, f"unknown key{near}"
        case "missing":
            return table, key, "missing; add it"
        case "literal_error" if key == "kind":
            return table, key, _kind_refused(first["input"], shown)
        case "literal_error":
            expected = first["ctx"]["expected"]
            near = did_you_mean(given, re.findall(r"'([^']*)'", expected))
            return table, key, f"is {shown}; it must be {expected}{near}"
        case "too_short" | "string_too_short":
            return table, key, "is empty; fill it, or remove it if it need not be there"
        case "multiple_of":
            return table, key, f"is {shown}; it must be even, for heads are of even width"
        case "string_pattern_mismatch":
            return table, key, f"is {shown}; it must be text without control characters"
    what = first["msg"].replace("Input should be", "it must be").replace("'", "")
    return table, key, f"is {shown}; {what[0].lower()}{what[1:]}"


def _kind_refused(given: Any, shown: str) -> str:
    if str(given) in ("bpe", "bpe-boundaries"):
        try:
            refuse_bpe_boundaries()
        except InputError as error:
            return f"is {shown}; {error}"
    kinds = get_args(PatchingKind)
    return f"is {shown}; it must be one of {', '.join(kinds)}{did_you_mean(str(given), kinds)}"
