"""A sweep as a person writes it: a TOML file of texts, arms and budgets, read and checked."""

import re
from pathlib import Path

from pydantic import BaseModel, ValidationError

from corpora.errors import InputError, at, did_you_mean
from scaling.spec_file import parsed_toml, read_toml_text
from scaling.sweep.tables import (
    ArmTable,
    ByteModelTable,
    ScheduleTable,
    SweepTables,
    TextTable,
)

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_MODELS: dict[str, type[BaseModel]] = {
    "texts": TextTable,
    "arms": ArmTable,
    "training": ScheduleTable,
}
_BLT_ONLY = ("local_layers", "local_dim", "cross_factor", "patching")
_SHOWN = 40
EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def read_sweep_file(path: str | Path) -> SweepTables:
    """Return the tables of a sweep's file.

    Raises:
        InputError: it cannot be read, is not TOML, has an unknown key, a value out of bounds, or
            keys that contradict one another. The message names file, line, table and key.
    """
    file = Path(path)
    text = read_toml_text(file)
    value = parsed_toml(file, text)
    try:
        tables = SweepTables.model_validate(value)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        place = tuple(first["loc"])
        if place[0] not in _MODELS:
            place = place[:1]  # of a list, the list
        raise _refusal(file, text, place, _sentence(first, place)) from error
    for place, what in _contradictions(tables):
        raise _refusal(file, text, place, what)
    return tables


def packaged(path: Path) -> Path:
    """Return the path of a sweep that comes with the package, where `path` is its bare name."""
    known = {file.stem: file for file in sorted(EXPERIMENTS.glob("*.toml"))}
    example = known.get(str(path))
    return example if example is not None and not path.exists() else path


def with_corpus(tables: SweepTables, corpus: list[str]) -> SweepTables:
    """Return the tables with another corpus for their text.

    Raises:
        InputError: there is more than one text.
    """
    if len(tables.texts) != 1:
        raise InputError("--corpus is for a sweep of one text; write the others' into the file")
    ((name, text),) = tables.texts.items()
    other = text.model_copy(update={"corpus": corpus, "weights": None})
    return tables.model_copy(update={"texts": {name: other}})


def _sentence(first: object, place: tuple[int | str, ...]) -> str:
    assert isinstance(first, dict)
    known = list(_model_at(place).model_fields)
    given = str(first["input"])
    shown = repr(given[:_SHOWN] + "..." if len(given) > _SHOWN else first["input"])
    match first["type"]:
        case "extra_forbidden":
            near = did_you_mean(str(place[-1]), known) or f"; the keys here are {', '.join(known)}"
            return f"unknown key{near}"
        case "missing":
            return "missing; add it"
        case "too_short" | "string_too_short":
            return "is empty; fill it"
    what = first["msg"].replace("Input should be", "it must be").replace("'", "")
    return f"is {shown}; {what[0].lower()}{what[1:]}"


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    if len(place) > 2 and place[2] == "entropy_model":
        return ByteModelTable
    return _MODELS.get(str(place[0]), SweepTables) if len(place) > 1 else SweepTables


def _contradictions(tables: SweepTables) -> list[tuple[tuple[int | str, ...], str]]:
    """Return what is wrong with the tables together: where, and what to do."""
    wrong: list[tuple[tuple[int | str, ...], str]] = []
    training = tables.training
    if training.batch_bytes % training.context_bytes:
        near = max(1, round(training.batch_bytes / training.context_bytes)) * training.context_bytes
        what = f"is {training.batch_bytes}, not a multiple of context_bytes; try {near}"
        wrong.append((("training", "batch_bytes"), what))
    for name, text in tables.texts.items():
        if text.weights is not None and len(text.weights) != len(text.corpus):
            what = f"{len(text.weights)} weights for {len(text.corpus)} corpora; give one for each"
            wrong.append((("texts", name, "weights"), what))
    for number, arm in enumerate(tables.arms):
        wrong += [(("arms", number, key), what) for key, what in _of_arm(arm, tables)]
    return wrong


def _of_arm(arm: ArmTable, tables: SweepTables) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in arm.texts or ():
        if name not in tables.texts:
            near = did_you_mean(name, tables.texts) or f"; there is {', '.join(tables.texts)}"
            found.append(("texts", f"names {name!r}, and there is no [texts.{name}]{near}"))
    for layers, dim in arm.sizes:
        if layers < 1 or dim < 2 or dim % 2:
            found.append(("sizes", f"has [{layers}, {dim}]; layers are 1 or more, a width is even"))
    if arm.family == "subword":
        found += [
            (key, 'belongs to family = "blt"; remove it, or change the family')
            for key in (*_BLT_ONLY, "compression_rates", "entropy_model")
            if getattr(arm, key) is not None
        ]
        if arm.tokenizers is None:
            found.append(("tokenizers", 'missing, and a subword model needs some, as ["bpe:1024"]'))
        return found
    if arm.tokenizers is not None:
        found.append(("tokenizers", 'belongs to family = "subword"; remove it, or change that'))
    found += [
        (key, "missing, and a blt needs it; add it")
        for key in _BLT_ONLY
        if getattr(arm, key) is None
    ]
    if (arm.compression_rates is None) != (arm.patching == "space"):
        has = "has" if arm.patching == "space" else "needs"
        found.append(("compression_rates", f"patching {arm.patching!r} {has} rates of its own"))
    if str(arm.patching).startswith("entropy") != (arm.entropy_model is not None):
        what = "is for the entropy kinds of patching, and they need it; add or remove it"
        found.append(("entropy_model", what))
    return found


def _refusal(file: Path, text: str, place: tuple[int | str, ...], what: str) -> InputError:
    words = [f"[[arms]] number {p + 1}" if isinstance(p, int) else p for p in place[:3]]
    if place[0] == "arms" and len(place) > 1:
        words = words[1:]
    elif place[0] == "texts" and len(place) > 1:
        words = [f"[texts.{place[1]}]", *words[2:]]
    elif len(place) > 1:
        words = [f"[{place[0]}]", *words[1:]]
    return InputError(f"{at(file, _line(text, place))}: {' '.join(words)}: {what}")


def _line(text: str, place: tuple[int | str, ...]) -> int | None:
    """Return the line of what is wrong, where it is written plainly."""
    header, nth, key = "", 0, str(place[0])
    if len(place) > 1:
        header, key = str(place[0]), str(place[-1])
    if place[0] == "texts" and len(place) > 1:
        header, key = f"texts.{place[1]}", str(place[2]) if len(place) > 2 else ""
    if place[0] == "arms" and len(place) > 1:
        nth, key = int(place[1]), str(place[2]) if len(place) > 2 else ""
    inside, seen, found = header == "", 0, None
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := _HEADER.match(line):
            here = opened[1].replace('"', "").replace("'", "") == header
            inside = here and seen == nth
            seen += here
            found = number if inside else found
        elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return found
