"""The file of vocabulary curves, declared, and read back."""

from itertools import pairwise
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from corpora.errors import InputError
from corpora.json_file import Amount, damaged, read_object, read_shape

FILE = "vocab_curve.json"
_REMEDY = "make it again"


class CurveCorpus(TypedDict):
    """The corpus that was encoded; whether its documents are translations of one another."""

    name: str
    parallel: bool


class CurveTokenizer(TypedDict):
    """A tokenizer that was cut to every size."""

    name: str
    spec: str
    sha256: str
    engine: NotRequired[str]


class CurveIntervals(TypedDict):
    """95 % intervals of the rates that have some."""

    bytes_per_token: tuple[float, float] | None
    marginal_bytes_per_token: tuple[float, float] | None


class CurvePoint(TypedDict):
    """A size of a vocabulary, and what it makes of a text; rates are null without text."""

    vocabulary_size: int
    tokens: int
    bytes: int
    documents: int
    bytes_per_token: Amount | None
    marginal_bytes_per_token: float | None
    bytes_per_pretoken: Amount | None
    intervals: CurveIntervals


class LanguageCurve(TypedDict):
    """The curve of a tokenizer over a language."""

    tokenizer: str
    language: str
    rows: list[CurvePoint]


class CurvesFile(TypedDict):
    """vocab_curve.json."""

    corpus: CurveCorpus
    tokenizers: list[CurveTokenizer]
    curves: list[LanguageCurve]


def load_curves(folder: Path) -> dict[str, Any]:
    """Read what `VocabCurves.save` wrote; it is as `CurvesFile` declares.

    Raises:
        InputError: it is not there, or is damaged; naming the field.
    """
    path = folder / FILE
    content = read_object(path, _REMEDY)
    if content is None:
        raise InputError(
            f"{path}: is not there; make it with: tokenize-lab vocab-curve CORPUS -t TOKENIZER "
            "--out DIR"
        )
    found: Any = read_shape(CurvesFile, content, str(path), _REMEDY)
    tokenizers = [tokenizer["name"] for tokenizer in found["tokenizers"]]
    for place, curve in enumerate(found["curves"], 1):
        fault = _fault(curve, tokenizers)
        if fault:
            raise damaged(path, f"'curves.{place}.{fault}", _REMEDY)
    result: dict[str, Any] = found
    return result


def _fault(curve: LanguageCurve, tokenizers: list[str]) -> str:
    """Return which field of a curve is impossible, and why; empty where none is."""
    if curve["tokenizer"] not in tokenizers:
        return "tokenizer' is none of the tokenizers"
    sizes = [row["vocabulary_size"] for row in curve["rows"]]
    if not sizes or sizes[0] < 1 or any(low >= high for low, high in pairwise(sizes)):
        return "rows' are not in the order of their sizes"
    for place, row in enumerate(curve["rows"], 1):
        if row["bytes_per_token"] and not (row["bytes"] and row["bytes_per_pretoken"]):
            return f"rows.{place}' has a rate and no text"
        if abs(row["marginal_bytes_per_token"] or 0.0) > row["bytes"]:
            return f"rows.{place}.marginal_bytes_per_token' is more than the text holds"
        for name, (low, high) in _intervals(row):
            if low > high:
                return f"rows.{place}.intervals.{name}' ends before it begins"
    return ""


def _intervals(row: CurvePoint) -> list[tuple[str, tuple[float, float]]]:
    ends = row["intervals"]
    found = [
        ("bytes_per_token", ends["bytes_per_token"]),
        ("marginal_bytes_per_token", ends["marginal_bytes_per_token"]),
    ]
    return [(name, pair) for name, pair in found if pair is not None]
