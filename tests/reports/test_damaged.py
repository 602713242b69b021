"""Results that were edited, cut or mixed up end in a page or in one line, whatever the field.

Every field of a real file of each kind is changed in every way of `CHANGES`; a few of those here,
each in turn with --slow.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corpora.bootstrap import Interval
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.files import write_json
from corpora.open import open_corpus
from reports.build import build_report
from reports.laws.results import REPRODUCED
from scaling.published.figure import PublishedFigure
from tests.cli import command
from tests.conftest import ROOT
from tests.reports.sections.test_decoders import answer
from tests.reports.sweep.sweeps import BUDGETS, RATES, SIZES, planted_sweep, spec_of
from tests.scaling.design.texts import made
from tokenize_lab import design
from tokenize_lab.adapt.extend import extend
from tokenize_lab.adapt.prune import prune
from tokenize_lab.forensics.audit import audit
from tokenize_lab.forensics.diff import diff
from tokenize_lab.forensics.mixture import count_words, infer_mixture
from tokenize_lab.measurement import measure
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer
from tokenize_lab.vocabulary_curves.job import vocab_curve

REMOVED = object()
CHANGES: tuple[Any, ...] = (
    REMOVED, None, True, -1, -1.5, 0, 1e308, float("nan"), 10**30, "", "x", "\ud800", [], {},
)  # fmt: skip
SAMPLES = 12  # of a file, in the tests of every day

Place = tuple[str | int, ...]


def corpus() -> Corpus:
    return open_corpus("embedded:eng_Latn,hin_Deva")


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small BPE, so that its findings are small."""
    folder = tmp_path_factory.mktemp("bpe")
    return str(train_tokenizer(corpus(), TrainSettings("bpe", 400), folder).path)


def measured(folder: Path, bpe: str) -> None:
    measure([corpus()], ["byte", bpe], replicates=20).save(folder)


def audited(folder: Path, bpe: str) -> None:
    audit(load_tokenizer(bpe), [corpus()]).save(folder)


def compared(folder: Path, bpe: str) -> None:
    diff(load_tokenizer(bpe), load_tokenizer("byte"), [corpus()]).save(folder)


def inferred(folder: Path, bpe: str) -> None:
    small = load_tokenizer(bpe)
    words = count_words(small, [corpus()], 1 << 40)
    infer_mixture(small, words, merges=40, replicates=3).save(folder)


def extended(folder: Path, bpe: str) -> None:
    extend(bpe, [corpus()], add=12, keep=[corpus()]).finding.save(folder)


def pruned(folder: Path, bpe: str) -> None:
    prune(bpe, [corpus()], to=380).finding.save(folder)


def curves(folder: Path, bpe: str) -> None:
    vocab_curve(corpus(), [bpe], replicates=20).save(folder)


def laws(folder: Path, bpe: str) -> None:
    del bpe
    table = ROOT / "scaling/published/data/cot_optimal_bpb_latent.csv"
    done = command(f"scaling fit {table} --law law2 --draws 20 --out {folder}")
    assert done.exit_code == 0, done.stderr
    known = Interval(1.0, 2.0)
    rows = [
        PublishedFigure("a paper", "alpha", "1.50", 1.5, "scatter", known, known),
        PublishedFigure("a paper", "beta", "-.2", -0.21, note="rounded"),
    ]
    write_json(folder / "laws" / REPRODUCED, [row.to_json() for row in rows])


def decoders(folder: Path, bpe: str) -> None:
    del bpe
    (folder / "decoders.json").write_text(json.dumps(answer()), "utf-8")


def designed(folder: Path, bpe: str) -> None:
    del bpe
    text = made({"eng_Latn": 300, "hin_Deva": 200})
    weights = {"eng": 0.6, "hin": 0.4}
    design(text, weights, 1e21, out=folder, kinds="bpe", largest=1024, max_vocab=600)


def sweep(folder: Path, bpe: str) -> None:
    del bpe
    specs = [spec_of(size, rate, BUDGETS[0]) for rate in RATES[:2] for size in SIZES[:3]]
    planted_sweep(folder, specs)
    # Of a run that has ended the record is read, and the specification is not.
    min(folder.glob("runs/*/record.json")).unlink()


MAKERS: dict[str, tuple[Callable[[Path, str], None], tuple[str, ...]]] = {
    "measured": (measured, ("provenance.json", "samples.json")),
    "audit": (audited, ("audit-*",)),
    "diff": (compared, ("diff-*",)),
    "mixture": (inferred, ("mixture-*",)),
    "extend": (extended, ("extend-*",)),
    "prune": (pruned, ("prune-*",)),
    "curves": (curves, ("vocab_curve.json",)),
    "laws": (laws, ("laws/law2*.json", "laws/reproduce.json")),
    "decoders": (decoders, ("decoders.json",)),
    "design": (designed, ("design.json",)),
    "sweep": (sweep, ("sweep.json", "runs/*/record.json", "runs/*/spec.json")),
}


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield every place in a JSON value; of a list, its ends."""
    yield at
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*at, name))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            yield from places(value[index], (*at, index))


def changed(content: str, at: Place, change: object) -> str | None:
    """Return JSON with one value replaced or removed; None where that cannot be."""
    value = json.loads(content)
    if not at:
        return None if change is REMOVED else json.dumps(change)
    inner = value
    for part in at[:-1]:
        inner = inner[part]
    if change is REMOVED:
        del inner[at[-1]]
    else:
        inner[at[-1]] = change
    return json.dumps(value)


def damage(folder: Path, file: Path, every: int) -> tuple[int, int]:
    """Build the report of each damaged folder, and return how many were pages, how many lines.

    Raises:
        AssertionError: naming the change that ended in anything else.
    """
    content = file.read_text("utf-8")
    record = folder / "provenance.json"
    pages = lines = 0
    cases = [(at, change) for at in places(json.loads(content)) for change in CHANGES]
    for at, change in cases[::every]:
        new = changed(content, at, change)
        if new is None:
            continue
        file.write_text(new, "utf-8")
        if file.name == "samples.json":  # whoever edits it can write its hash as well
            provenance = json.loads(record.read_text("utf-8"))
            provenance["files"][file.name] = hashlib.sha256(new.encode()).hexdigest()
            record.write_text(json.dumps(provenance), "utf-8")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # numpy's, of coefficients that cannot be
                build_report(folder)
            pages += 1
        except Exception as error:
            if not isinstance(error, InputError) or "\n" in str(error):
                raise AssertionError(f"{file.name}: {change!r} at {at}: {error!r}") from error
            lines += 1
    file.write_text(content, "utf-8")
    return pages, lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, bpe: str) -> Callable[[str], Path]:
    """What makes a folder of a kind, once."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            MAKERS[kind][0](made[kind], bpe)
            build_report(made[kind])
        return made[kind]

    return make


def check(whole: Callable[[str], Path], tmp_path: Path, kind: str, few: bool) -> None:
    folder = tmp_path / "results"
    shutil.copytree(whole(kind), folder)
    for pattern in MAKERS[kind][1]:
        file = min(folder.glob(pattern), default=folder)
        count = len(CHANGES) * len(list(places(json.loads(file.read_text("utf-8")))))
        every = max(1, count // SAMPLES) | 1 if few else 1  # odd: no multiple of the changes
        pages, lines = damage(folder, file, every)
        left_out = file.name == "spec.json"  # a page tells that its run cannot be read
        assert few or (pages and (lines or left_out)), file.name


@pytest.mark.parametrize("kind", MAKERS)
def test_a_damaged_folder_is_a_page_or_one_line(
    whole: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    check(whole, tmp_path, kind, few=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_every_field_in_every_way(whole: Callable[[str], Path], tmp_path: Path, kind: str) -> None:
    check(whole, tmp_path, kind, few=False)
