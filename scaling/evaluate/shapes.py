"""The file of an evaluation that also wrote text, declared: what `report` can count on."""

from pathlib import Path
from typing import Any, TypedDict

from corpora.errors import InputError
from corpora.json_file import Amount, Magnitude, Share, damaged, read_object, read_shape
from scaling.evaluate.decoding import DecodingMethod

REMEDY = "make it again with scaling evaluate --decode --out"


class ClassJudged(TypedDict):
    """Of one class of bytes, guesses that were looked at, and those kept."""

    judged: int
    accepted: int


class DecodedRow(TypedDict):
    """One way of writing; fields as `compare_decoders` gives them."""

    decode: str
    unmask: str | None
    same_as_plain: Share
    bytes_per_global_pass: Magnitude
    acceptance: Share | None
    decoder_passes: int
    global_passes: int
    gigabytes: Magnitude
    bytes_read_per_byte: Magnitude
    acceptance_by_class: dict[str, ClassJudged]
    seconds: Amount


class ScoredRow(TypedDict):
    """Bits per byte of one language, or of all."""

    bits_per_byte: Amount
    interval: tuple[float, float] | None


class DecodedRun(TypedDict):
    """A run's scores, and its ways of writing, plain decoding first."""

    run_id: str
    name: str
    rows: list[ScoredRow]
    decoders: list[DecodedRow]


def read_decoded(file: Path) -> DecodedRun:
    """Return what `scaling evaluate --decode --out` wrote.

    Raises:
        InputError: it is not that; naming the field.
    """
    value: dict[str, Any] | None = read_object(file, REMEDY)
    found = read_shape(DecodedRun, value, str(file), REMEDY)
    for name in ("rows", "decoders"):
        if not found[name]:
            raise damaged(file, f"{name!r} is empty", REMEDY)
    for place, row in enumerate(found["decoders"], 1):
        at = f"decoders.{place}"
        try:
            judges = DecodingMethod.parse(row["decode"]).judges
        except InputError as error:
            raise damaged(file, f"'{at}.decode' is no way of writing", REMEDY) from error
        if row["acceptance"] is not None and not judges:
            raise damaged(file, f"'{at}.acceptance' is told, and no guess was judged", REMEDY)
        for name, counts in row["acceptance_by_class"].items():
            if not 0 < counts["judged"] >= counts["accepted"]:
                raise damaged(file, f"'{at}.acceptance_by_class.{name}' are no counts", REMEDY)
    return found
