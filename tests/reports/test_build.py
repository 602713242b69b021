"""The page as a file: whole, the same every time, small, and asking nothing of a network."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from reports import build
from reports.build import build_report
from reports.cli import report
from reports.measured import Measured
from reports.page import Section, paragraphs
from scaling.published import tables
from tests.conftest import ROOT
from tests.reports.folders import HOSTILE, measured_folder
from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
from tokenize_lab.tokenizer import Tokenizer

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Elements in order, with their attributes; unclosed ones are kept as faults."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module", params=["embedded_report", "hostile_report"])
def page(request: pytest.FixtureRequest) -> Page:
    path: Path = request.getfixturevalue(request.param)
    return Page(path.read_text("utf-8"))


def test_every_element_is_closed(page: Page) -> None:
    assert page.faults == [] and page.open == []


def test_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}, tag
        for name in ("src", "srcset", "data", "poster", "action", "style", "onclick", "onload"):
            assert name not in attributes, (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy


def test_identities_are_unique_and_references_resolve(page: Page) -> None:
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identities)) == len(identities)
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set((attributes.get(name) or "").split()) <= set(identities)
        target = attributes.get("href")
        assert target is None or target.removeprefix("#") in identities


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_tables_have_captions_and_scopes(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table") > 5
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.all("th"))


def test_the_same_folder_gives_the_same_bytes(embedded_folder: Path, tmp_path: Path) -> None:
    one = build_report(embedded_folder, tmp_path / "one.html")
    other = build_report(embedded_folder, tmp_path / "other.html")
    assert one.read_bytes() == other.read_bytes()


def test_the_page_is_small(embedded_report: Path) -> None:
    """25 languages, 6 programs, 6 tokenizers, two corpora."""
    assert embedded_report.stat().st_size < 1_000_000


def test_hostile_names_are_only_ever_text(hostile_report: Path) -> None:
    text = hostile_report.read_text("utf-8")
    assert not any(raw in text for raw in HOSTILE)
    assert "\0" not in text and "\u202e" not in text and "\x07" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text  # a template's own syntax in a name is not run
    assert len(Page(text).all("script")) == 1


def test_what_is_absent_is_said_with_its_reason(tmp_path: Path) -> None:
    corpus = DocumentCorpus("loose", [Document("some text"), Document("more text")])
    text = build_report(measured_folder(tmp_path, [corpus], [ByteTokenizer()])).read_text("utf-8")
    assert "not translations of one another" in text
    assert "Only one tokenizer was measured" in text
    assert "holds no number of four or more digits" in text
    assert "none is of the domain" in text
    assert 'id="scatter' not in text and 'id="lorenz' not in text


def test_a_parallel_corpus_without_the_reference_says_so(tmp_path: Path) -> None:
    documents = [
        Document("a b", language, alignment=i) for language in ("fra", "deu") for i in (1, 2)
    ]
    corpus = DocumentCorpus("two", documents, parallel=True)
    tokenizers: list[Tokenizer] = [ByteTokenizer(), CharacterTokenizer()]
    text = build_report(measured_folder(tmp_path, [corpus], tokenizers)).read_text("utf-8")
    assert "No language of this corpus begins with eng" in text
    assert 'id="lorenz-0' in text  # Gini needs alignment only, not the reference


def test_an_empty_text_leaves_a_page(tmp_path: Path) -> None:
    corpus = DocumentCorpus("empty", [Document("", alignment=1)], parallel=True)
    text = build_report(measured_folder(tmp_path, [corpus], [ByteTokenizer()])).read_text("utf-8")
    assert "There is no text to measure." in text
    assert "nan" not in re.sub(r"<script>.*?</script>", "", text, flags=re.S).lower().split()


def test_empty_aligned_lines_are_said_to_be_empty(tmp_path: Path) -> None:
    documents = [Document("", language, alignment=1) for language in ("eng", "deu")]
    corpus = DocumentCorpus("empty", documents, parallel=True)
    text = build_report(measured_folder(tmp_path, [corpus], [ByteTokenizer()])).read_text("utf-8")
    assert "The aligned lines are empty." in text and 'id="lorenz' not in text


def app() -> typer.Typer:
    made = typer.Typer(pretty_exceptions_enable=False)
    made.command()(report)
    return made


def test_the_command_prints_the_path(embedded_folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "page.html"
    result = CliRunner().invoke(app(), [str(embedded_folder), "--out", str(target)])
    assert result.exit_code == 0
    assert result.stdout == f"{target}\n" and target.is_file()


def test_the_command_prints_strict_json(embedded_folder: Path) -> None:
    result = CliRunner().invoke(app(), [str(embedded_folder), "--json"])
    facts = json.loads(result.stdout)
    path = Path(facts["report"])
    assert path == embedded_folder / "report.html"
    assert facts["bytes"] == path.stat().st_size and len(facts["sha256"]) == 64


def test_a_section_is_added_by_naming_it_in_its_part(
    embedded_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def toy(measured: Measured) -> Section:
        return Section("toy", "A toy", paragraphs(f"{len(measured.series)} tokenizers & no more"))

    monkeypatch.setattr(build, "OF_MEASUREMENT", (*build.OF_MEASUREMENT, toy))
    page = build_report(embedded_folder, tmp_path / "page.html").read_text("utf-8")
    assert '<section id="toy"' in page and '<a href="#toy">A toy</a>' in page
    assert "<p>6 tokenizers &amp; no more</p>" in page
    assert page.index('id="toy"') < page.index('id="definitions"')


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    for folder, what in ((tmp_path / "nothing", "no such folder"), (tmp_path, "holds no results")):
        with pytest.raises(
            InputError, match=f"{what}; name what measure, .* or a sweep's"
        ) as error:
            build_report(folder)
        assert "\n" not in str(error.value)


def test_a_damaged_folder_is_one_line_and_leaves_the_old_report(
    embedded_folder: Path, tmp_path: Path
) -> None:
    for name in ("counts.parquet", "histograms.parquet", "samples.json", "provenance.json"):
        (tmp_path / name).write_bytes((embedded_folder / name).read_bytes())
    old = tmp_path / "report.html"
    old.write_text("old")
    (tmp_path / "counts.parquet").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        build_report(tmp_path)
    assert old.read_text() == "old"


def test_a_report_that_cannot_be_written_is_one_line(embedded_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        build_report(embedded_folder, tmp_path / "file" / "report.html")


def test_laws_alone_make_a_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tokenize_lab",
            "scaling",
            "fit",
            str(tables.path(tables.ISOFLOP)),
            "--law",
            "law1",
            "--draws",
            "20",
            "--out",
            str(tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"tokenize-lab report {tmp_path}" in done.stderr
    page = build_report(tmp_path).read_text("utf-8")
    assert "Law I" in page
    assert "Provenance" not in page
