"""Parity: the bytes that a language takes for what English says in one, wherever it is told."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from corpora.arguments import by_name, path, real, refused, word
from corpora.errors import InputError, is_file
from corpora.files import read_bounded
from corpora.json_file import MOST_BYTES, parsed

Parities = Mapping[str, float]
GivenParities = str | PathLike[str] | Mapping[str, float] | None


def given_parities(given: GivenParities) -> dict[str, float]:
    """Return bytes per byte of English by language, from what a caller has of them.

    Args:
        given: by language, as a mapping or as `tha=2.6,hin_Deva=2.5`; or the file of what `measure
            --json` printed, of which the parity of every language is taken.

    Raises:
        InputError: it is none of these, or a parity is not positive.
    """
    if given is None:
        return {}
    if isinstance(given, PathLike) or (isinstance(given, str) and given.endswith(".json")):
        given = _measured(path("parity", given))
    elif isinstance(given, str):
        given = by_name("parity", given, "tha=2.6,hin_Deva=2.5")
    if not isinstance(given, Mapping):
        raise refused("parity", given, "bytes per byte of English by language")
    found = {word("parity", name): real("parity", value) for name, value in given.items()}
    for name, value in found.items():
        if value <= 0:
            raise InputError(
                f"`parity` {name}={value:g}: bytes per byte of English is a positive number"
            )
    return found


def _measured(file: Path) -> dict[str, float]:
    """Return the parity of each language that rows of a measurement tell, checked by the caller."""

    if not is_file(file):
        raise InputError(f"`parity` {file}: no such file; `measure --json > {file}` writes one")
    content = read_bounded(file, MOST_BYTES)
    try:
        rows = parsed(content)
        found = {row["language"]: row["parity"] for row in rows if row["parity"] is not None}
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"`parity` {file}: not what `measure --json` prints ({type(error).__name__})"
        ) from error
    if not found:
        raise InputError(
            f"`parity` {file}: no parity in it; measure a corpus that is parallel to English"
        )
    return found
