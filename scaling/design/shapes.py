"""The file of a design, declared: what its text and its report can count on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from corpora.json_file import Amount, Magnitude, Share, damaged, read_shape

REMEDY = "design again"
VERSION = 1


class EstimateShape(TypedDict):
    """A number with the ends of its interval; as `Estimate`."""

    value: float | None
    low: float | None
    high: float | None
    unit: str


class LossEstimate(TypedDict):
    """One that is always known."""

    value: Amount
    low: float | None
    high: float | None
    unit: str


class BudgetShape(TypedDict):
    """What is spent, on training and serving."""

    compute_flops: Magnitude
    served_bytes: Amount


class LanguageAsked(TypedDict):
    """A language's weight, its place among the laws, and T*."""

    weight: Share
    code: str
    basis: str
    parity: Amount | None
    note: str
    compression_rate_opt: Magnitude


class TextRead(TypedDict):
    """Bytes by language and part, and remarks."""

    bytes: dict[str, dict[Literal["train", "curve", "check", "learned_from"], int]]
    notes: list[str]


class SplitterRefused(TypedDict):
    """A splitter that caps a wanted rate."""

    pattern: str
    note: str


class CandidateTried(TypedDict):
    """A way to make vocabularies: rates by language, loss and cost by size; no loss or cost of one
    for a single language."""

    name: str
    language: str
    sizes: list[int]
    rates: dict[str, list[Magnitude]]
    bytes_per_pretoken: dict[str, Magnitude | None]
    bits_per_byte: list[Amount | None]
    inference_flops_per_byte: list[Magnitude | None]


class LanguageServed(TypedDict):
    """What the vocabulary chosen does for a language."""

    vocabulary_size: int
    bytes_per_token: Magnitude
    premium: Magnitude
    bits_per_byte: EstimateShape
    price_bits_per_byte: EstimateShape
    compute_multiplier: EstimateShape


class BestVocabulary(TypedDict):
    """The vocabulary chosen, and the model over it."""

    name: str
    vocabulary_size: EstimateShape
    bits_per_byte: LossEstimate
    params: Magnitude
    embedding_params: Magnitude
    train_bytes: Magnitude
    train_share: Share
    inference_flops_per_byte: Magnitude
    languages: dict[str, LanguageServed]
    files: dict[str, str]


class VocabularyTried(TypedDict):
    """A vocabulary among others: its loss, cost, and rates by language."""

    name: str
    vocabulary_size: int
    bits_per_byte: Amount
    inference_flops_per_byte: Magnitude
    rates: dict[str, Magnitude]


class VocabularyServed(VocabularyTried):
    """The best where so much is served."""

    served_bytes: Amount
    train_share: Share


class VocabularyAtHand(VocabularyTried):
    """One that comes with the package, and its price."""

    price_bits_per_byte: float
    compute_multiplier: Magnitude | None


class ConstraintCost(TypedDict):
    """Bits per byte that a constraint costs."""

    bits_per_byte: EstimateShape


class Promise(TypedDict):
    """Bytes per token promised, and what held-out text has."""

    promised: Magnitude
    held_out: Magnitude
    interval: tuple[float, float] | None
    off: float


class DesignSettings(TypedDict):
    """What was asked for besides."""

    max_vocab: int | None
    max_premium: Amount | None


class DesignContent(TypedDict):
    """All of a design; keys as `Design` explains them."""

    version: int
    sentence: str
    budget: BudgetShape
    languages: dict[str, LanguageAsked]
    laws: str
    cautions: list[str]
    text: TextRead
    refused: list[SplitterRefused]
    candidates: list[CandidateTried]
    best: BestVocabulary
    frontier: list[VocabularyTried]
    serving: list[VocabularyServed]
    constraints: dict[str, ConstraintCost]
    shipped: list[VocabularyAtHand]
    promise: dict[str, Promise]
    settings: DesignSettings


class CurveKept(TypedDict):
    """A candidate's curve beside its vocabularies: a row of rates by language for each size."""

    sizes: list[int]
    rates: list[list[Magnitude | None]]


class RatesKept(TypedDict):
    """Bytes per token by language, and ids, of vocabularies that come with the package."""

    measured: dict[str, tuple[dict[str, Magnitude], int]]


def kept_curve(
    value: Any, file: Path, languages: int
) -> tuple[list[int], list[list[Magnitude | None]]]:
    """Return the sizes and rates of a curve that was kept.

    Raises:
        InputError: it is damaged; naming the field.
    """
    found = read_shape(CurveKept, value, str(file), "remove it")
    sizes, rates = found["sizes"], found["rates"]
    if not sizes or len(rates) != len(sizes) or {*map(len, rates)} != {languages}:
        raise damaged(file, "'rates' has not a row for each size and language", "remove it")
    return sizes, rates


def kept_rates(
    value: Any, file: Path, languages: Iterable[str], specs: Iterable[str]
) -> dict[str, tuple[dict[str, Magnitude], int]]:
    """Return the rates that were kept.

    Raises:
        InputError: they are damaged; naming the field.
    """
    found = read_shape(RatesKept, value, str(file), "remove it")["measured"]
    if found.keys() != {*specs} or any(row.keys() != {*languages} for row, _ in found.values()):
        raise damaged(file, "'measured' has other vocabularies or languages", "remove it")
    return found


def checked_design(value: Any, file: Path) -> dict[str, Any]:
    """Return a design's content, once it is what is declared and its parts fit together.

    Raises:
        InputError: it is not; naming the field.
    """
    shape: Any = DesignContent
    found: dict[str, Any] = read_shape(shape, value, str(file), REMEDY)
    if found["version"] != VERSION:
        raise damaged(
            file, f"'version' {found['version']}, where this program reads {VERSION}", REMEDY
        )
    languages = found["languages"].keys()
    if not languages:
        raise damaged(file, "'languages' is empty", REMEDY)
    for place, named in _by_language(found):
        if named.keys() != languages:
            raise damaged(file, f"{place!r} has other languages than 'languages'", REMEDY)
    for number, each in enumerate(found["candidates"], 1):
        if fault := _unfit(each):
            raise damaged(file, f"'candidates.{number}.{fault}", REMEDY)
    shared = (each for each in found["candidates"] if not each["language"])
    if not any(loss is not None for each in shared for loss in each["bits_per_byte"]):
        raise damaged(file, "'candidates' have no loss", REMEDY)
    return found


def _by_language(found: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield what has an entry for each language, and its place in the file."""
    yield "promise", found["promise"]
    yield "best.languages", found["best"]["languages"]
    yield "text.bytes", found["text"]["bytes"]
    for kind in ("frontier", "serving", "shipped"):
        for number, row in enumerate(found[kind], 1):
            yield f"{kind}.{number}.rates", row["rates"]
    for number, each in enumerate(found["candidates"], 1):
        if not each["language"]:
            yield f"candidates.{number}.rates", each["rates"]
            yield f"candidates.{number}.bytes_per_pretoken", each["bytes_per_pretoken"]


def _unfit(candidate: Mapping[str, Any]) -> str:
    """Return which field of a candidate does not fit its sizes, and why; or nothing."""
    sizes = candidate["sizes"]
    if not sizes or not all(sizes):
        return "sizes' is empty, or one is 0"
    losses, costs = candidate["bits_per_byte"], candidate["inference_flops_per_byte"]
    for name, column in (("bits_per_byte", losses), ("inference_flops_per_byte", costs)):
        if len(column) != len(sizes):
            return f"{name}' has not a number for each of the sizes"
    for name, column in candidate["rates"].items():
        if len(column) != len(sizes):
            return f"rates.{name}' has not a number for each of the sizes"
    if any(cost is None for loss, cost in zip(losses, costs, strict=True) if loss is not None):
        return "inference_flops_per_byte' is missing beside a loss"
    return ""
