"""The mixtures of a sweep that are to be designed: from how much text there is to shares.

What is designed follows from the texts, the budgets and a seed, so a plan made again has the same
runs.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from scaling.config.mixtures import MixtureTable, named
from scaling.config.sweep_file import SweepFile
from scaling.mixtures.design import epoch_caps, mixture_design
from scaling.prepare import PreparedText, spec_of
from scaling.sweep.cells import Cell, Tokenization, cells_of

_EVEN = "even, in place of designs"


def to_be_prepared(file: SweepFile) -> SweepFile:
    """Return the file with one even mixture in place of those to be designed: what it reads is what
    they read."""
    mixtures = [mixture for mixture in file.mixtures if mixture.designed is None]
    if len(mixtures) < len(file.mixtures):
        mixtures.append(MixtureTable(name=_EVEN, weights=dict.fromkeys(file.texts, 1.0)))
    return file.model_copy(update={"mixtures": named(mixtures)})


def with_designs(
    file: SweepFile, path: Path, texts: Mapping[Tokenization, PreparedText]
) -> SweepFile:
    """Return the file with its mixtures designed, and every mixture named.

    The prior of a design is the bytes of each text's training side, and its caps are four times
    over a text for the run that reads most (`scaling.mixtures.design`).

    Args:
        path: of the file. texts: what the cells of `to_be_prepared` read.

    Raises:
        InputError: the caps leave no mixtures, or fewer than are asked for.
    """
    if all(mixture.designed is None for mixture in file.mixtures):
        return file.model_copy(update={"mixtures": named(file.mixtures)})
    sizes, caps = _sizes_and_caps(cells_of(to_be_prepared(file), path), texts)
    mixtures: list[MixtureTable] = []
    for mixture in file.mixtures:
        if mixture.designed is None:
            mixtures.append(mixture)
            continue
        design = mixture_design(sizes, mixture.designed, mixture.seed, caps)
        rows = (dict(zip(sizes, row, strict=True)) for row in design.tolist())
        mixtures.extend(MixtureTable(weights=weights) for weights in rows)
    return file.model_copy(update={"mixtures": named(mixtures)})


def _sizes_and_caps(
    cells: Iterable[Cell], texts: Mapping[Tokenization, PreparedText]
) -> tuple[Mapping[str, int], Mapping[str, float]]:
    """Return the bytes of each text, and the largest share that any run may read of it."""
    even = [(cell, texts[cell.tokenization]) for cell in cells if cell.name == _EVEN]
    sizes = even[0][1].bytes_by_language
    most = max(spec_of(cell.asked, text, cell.shares).train_bytes for cell, text in even)
    return sizes, epoch_caps(sizes, most)
