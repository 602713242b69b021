"""Pages on audits, comparisons and mixtures: what they say, and hostile tokens and names."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from corpora.open import open_corpus
from reports.build import FORENSICS_TITLE, build_report
from reports.forensics.tokenizers import piece, token
from tests.conftest import ROOT
from tests.reports.folders import HOSTILE, measured_folder
from tests.reports.test_build import Page
from tests.tokenize_lab.forensics.made import byte_level
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.simple import ByteTokenizer
from tokenize_lab.forensics.audit import audit
from tokenize_lab.forensics.diff import diff
from tokenize_lab.forensics.mixture import count_words, infer_mixture
from tokenize_lab.patterns import GPT4
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real tokenizers, audited, compared and read on the embedded corpus."""
    folder = tmp_path_factory.mktemp("findings")
    v1, tekken = load_tokenizer("mistral:v1"), load_tokenizer("mistral:tekken")
    corpus = open_corpus("embedded:eng_Latn,hin_Deva,rus_Cyrl")
    audit(v1, [corpus]).save(folder)
    diff(v1, tekken, [corpus]).save(folder)
    words = count_words(tekken, [corpus], 1 << 40)
    infer_mixture(tekken, words, merges=60, replicates=3).save(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return build_report(folder).read_text("utf-8")


def spelling_out(*texts: str) -> HuggingFaceTokenizer:
    """Return a tokenizer that has each text as one token."""
    merges: list[tuple[bytes, bytes]] = []
    for text in texts:
        raw = text.encode()
        merges += [(raw[:end], raw[end : end + 1]) for end in range(1, len(raw))]
    return byte_level(list(dict.fromkeys(merges)))


def test_a_page_of_findings_alone(page: str) -> None:
    parsed = Page(page)
    assert parsed.faults == [] and parsed.open == []
    assert FORENSICS_TITLE in page
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert headings == [
        "Every token of mistral:v1",
        "mistral:v1 beside mistral:tekken",
        "What mistral:tekken learned from",
    ]
    assert len(parsed.all("svg")) >= 5
    assert "140 cannot, proven" in page  # see tests of the audit
    assert "fallback byte of characters that have tokens" in page
    identities = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(set(identities)) == len(identities)


def test_the_same_findings_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    one = build_report(folder, tmp_path / "one.html").read_bytes()
    assert build_report(folder, tmp_path / "other.html").read_bytes() == one


def test_findings_join_a_measurement(folder: Path, tmp_path: Path) -> None:
    corpus = DocumentCorpus("loose", [Document("some text"), Document("more text")])
    tokenizers: list[Tokenizer] = [ByteTokenizer()]
    measured_folder(tmp_path, [corpus], tokenizers)
    for path in folder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    page = build_report(tmp_path).read_text("utf-8")
    assert page.index("Every token of") < page.index("Provenance")
    assert Page(page).faults == []


def test_hostile_tokens_and_names_are_only_ever_text(tmp_path: Path) -> None:
    tokens = [*HOSTILE, "\u202eabc", "</code>z", "<img src=x onerror=alert(9)>"]
    one = spelling_out(*tokens)
    other = byte_level([(b"a", b"b")])
    languages = ("<script>alert(7)</script>", '"><img src=x>')
    documents = [Document(" ".join(tokens), language) for language in languages]
    corpus = DocumentCorpus(HOSTILE[0], documents)
    hostile = _named(one, HOSTILE[1])
    audit(hostile, [corpus]).save(tmp_path)
    diff(hostile, other, [corpus]).save(tmp_path)
    split = byte_level([(b"a", b"l"), (b"al", b"e")], pattern=GPT4)
    words = count_words(split, [corpus], 1 << 40)
    infer_mixture(_named(split, HOSTILE[0]), words, merges=2).save(tmp_path)
    text = build_report(tmp_path).read_text("utf-8")
    parsed = Page(text)
    assert parsed.faults == [] and parsed.open == []
    assert not any(raw in text for raw in (*tokens, *languages))
    assert "\0" not in text and "\u202e" not in text and "\x07" not in text
    assert len(parsed.all("script")) == 1 and parsed.all("img") == []
    assert "&lt;script&gt;" in text and "‹202E›abc" in text


def _named(tokenizer: HuggingFaceTokenizer, name: str) -> Any:
    import dataclasses

    return dataclasses.replace(tokenizer, name=name)


def test_tokens_as_they_are_shown() -> None:
    def shown(raw: bytes) -> str:
        return re.sub("<[^>]*>", "", token({"hex": raw.hex()}))

    assert shown(b" the") == "␣the" and shown(b"  ") == "␣␣"
    assert shown("о".encode() + b"\xd0") == "о‹D0›"
    assert shown(b"\x1b[2J\n") == "␛[2J␊"
    assert "&lt;b&gt;" in piece("<b>")
    assert shown(b"x" * 500).endswith("…") and len(shown(b"x" * 500)) == 60


@pytest.mark.parametrize(
    "damage", [b"{", b'{"kind": "audit"}', b'{"kind": "diff", "tokenizers": 3}', b"[1]", b"\xff"]
)
def test_a_damaged_finding_is_one_line(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "audit-x.json").write_bytes(damage)
    with pytest.raises(InputError, match="make it again") as error:
        build_report(tmp_path)
    assert "\n" not in str(error.value)


def test_a_finding_of_another_version_is_one_line(folder: Path, tmp_path: Path) -> None:
    (path,) = folder.glob("mixture-*.json")
    finding = json.loads(path.read_text("utf-8"))
    del finding["slack_share"]
    (tmp_path / path.name).write_text(json.dumps(finding))
    with pytest.raises(InputError, match="another version"):
        build_report(tmp_path)


def test_the_command_reports_what_a_command_wrote(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tokenize_lab", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    run("tokenizers", "audit", "byte", "--out", str(tmp_path))
    assert run("report", str(tmp_path)).strip() == str(tmp_path / "report.html")
