"""A sweep as a person writes it: a TOML file of texts, arms and budgets, read and checked."""

import re
from pathlib import Path

from pydantic import BaseModel, ValidationError

from corpora.errors import InputError, at, did_you_mean
from scaling.config.tables import ArmTable, ByteModelTable, ScheduleTable, SweepTables, TextTable
from scaling.config.train_file import parsed_toml, read_toml_text
from scaling.sweep.contradictions import contradictions

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_MODELS: dict[str, type[BaseModel]] = {
    "texts": TextTable,
    "arms": ArmTable,
    "training": ScheduleTable,
}
_BARE = re.compile(r"[\w-]+", re.ASCII)  # a key that TOML takes without quotes
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
        what = _sentence(first, place)
        if place[-1] == "[key]":  # what is wrong is the name of a table
            place, what = place[:-1], f"its name {what}"
        raise _refusal(file, text, place, what) from error
    for place, what in contradictions(tables):
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
    if place[2:3] == ("sizes",) and len(place) == 4:
        return f"has {shown}; a size is [layers, width], such as [2, 128]"
    match first["type"]:
        case "extra_forbidden":
            near = did_you_mean(str(place[-1]), known) or f"; the keys here are {', '.join(known)}"
            return f"unknown key{near}"
        case "missing":
            return "missing; add it"
        case "too_short" | "string_too_short":
            return "is empty; fill it"
        case "string_pattern_mismatch":
            return f"is {shown}; it must be text without control characters"
    what = first["msg"].replace("Input should be", "it must be").replace("'", "")
    return f"is {shown}; {what[0].lower()}{what[1:]}"


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    if len(place) > 2 and place[2] == "entropy_model":
        return ByteModelTable
    return _MODELS.get(str(place[0]), SweepTables) if len(place) > 1 else SweepTables


def _refusal(file: Path, text: str, place: tuple[int | str, ...], what: str) -> InputError:
    words = [f"[[arms]] number {p + 1}" if isinstance(p, int) else _key(p) for p in place[:3]]
    if place[0] == "arms" and len(place) > 1:
        words = words[1:]
    elif place[0] == "texts" and len(place) > 1:
        words = [f"[texts.{words[1]}]", *words[2:]]
    elif len(place) > 1:
        words = [f"[{place[0]}]", *words[1:]]
    return InputError(f"{at(file, _line(text, place))}: {' '.join(words)}: {what}")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{name}"'


def _line(text: str, place: tuple[int | str, ...]) -> int | None:
    """Return the line of what is wrong, where it is written plainly."""
    header, nth = "", 0
    key: str | None = str(place[0])
    if len(place) > 1:
        header, key = str(place[0]), str(place[-1])
    if place[0] == "texts" and len(place) > 1:
        header, key = f"texts.{place[1]}", str(place[2]) if len(place) > 2 else None
    if place[0] == "arms" and len(place) > 1:
        nth, key = int(place[1]), str(place[2]) if len(place) > 2 else None
    inside, seen, found = header == "", 0, None
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := _HEADER.match(line):
            here = opened[1].replace('"', "").replace("'", "") == header
            inside = here and seen == nth
            seen += here
            found = number if inside else found
        elif inside and key is not None and re.match(rf"\s*([\"']?){re.escape(key)}\1\s*=", line):
            return number
    return found
