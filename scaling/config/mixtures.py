"""[[mixtures]] of a sweep's file: which shares of its texts one model reads."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from corpora.errors import did_you_mean
from corpora.toml_file import contradiction
from scaling.config.tables import CountValue, PlainText, SeedValue, StrictTable, TextTable

# What tables call the text of all mixtures, which all are read from.
MIXED = "mixtures"
_Weight = Annotated[float, Field(ge=0, le=1e12)]


class MixtureTable(StrictTable):
    """One mixture, or several that are to be designed.

    Attributes:
        name: what tables call it; `mix1` and so on by default.
        weights: of texts by name, of any sum; texts that are not named are scored and not read.
        designed: how many mixtures to design (`scaling.mixtures.design`), in place of weights.
        seed: of the design.
    """

    name: PlainText | None = None
    weights: dict[PlainText, _Weight] | None = None
    designed: CountValue | None = None
    seed: SeedValue = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.weights is None) == (self.designed is None):
            said = "neither" if self.weights is None else "both"
            raise contradiction(f"gives {said} of weights and designed; give one of them")
        if self.weights is not None and not any(self.weights.values()):
            raise contradiction("are all 0; give some text a weight above 0", "weights")
        if self.designed is not None and self.name is not None:
            raise contradiction("is for one mixture of given weights; remove it", "name")
        return self

    def shares(self, texts: Sequence[str]) -> dict[str, float]:
        """Return the share of each text, with a sum of 1."""
        assert self.weights is not None
        total = sum(self.weights.values())
        return {name: self.weights.get(name, 0.0) / total for name in texts}


def check_mixtures(mixtures: Sequence[MixtureTable], texts: Mapping[str, TextTable]) -> None:
    """See that mixtures are of texts there are, that can be mixed, and no two are one."""
    if not mixtures:
        return
    if len(texts) < 2:
        raise contradiction("are of two texts or more; add a [texts.NAME]", "mixtures")
    for name, text in texts.items():
        if text.inflate != 1:
            what = "is for texts that are trained on alone; remove it, or the [[mixtures]]"
            raise contradiction(what, "texts", name, "inflate")
        if name == MIXED:
            raise contradiction(
                "is what the mixed text is called; name it otherwise", "texts", name
            )
    seen: dict[tuple[float, ...], int] = {}
    names = set(texts)
    for number, mixture in enumerate(mixtures):
        place = ("mixtures", number)
        for name in mixture.weights or ():
            if name not in texts:
                near = did_you_mean(name, texts) or f"; there is {', '.join(texts)}"
                what = f"names {name!r}, and there is no [texts.{name}]{near}"
                raise contradiction(what, *place, "weights")
        if mixture.name in names:
            what = f"{mixture.name!r} is another mixture's name, or a text's; choose another"
            raise contradiction(what, *place, "name")
        if mixture.name is not None:
            names.add(mixture.name)
        if mixture.weights is not None:
            shares = tuple(round(share, 12) for share in mixture.shares(list(texts)).values())
            before = seen.setdefault(shares, number)
            if before != number:
                what = f"says what [[mixtures]] number {before + 1} says; ask for it once"
                raise contradiction(what, *place, "weights")


def named(mixtures: Sequence[MixtureTable]) -> list[MixtureTable]:
    """Return mixtures of given weights, `mix01` and so on for each that has no name."""
    width = len(str(len(mixtures)))
    return [
        mixture.model_copy(update={"name": mixture.name or f"mix{number:0{width}}"})
        for number, mixture in enumerate(mixtures, 1)
    ]
