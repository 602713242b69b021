"""What SECURITY.md promises: no connection that was not asked for; licences as they are told."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import advisories
from tests.conftest import ROOT
from tests.licences import HEAD, TABLE, licence, table

CLEAN = {"name": "numpy", "version": "2.3", "vulns": []}
WRONG = {"name": "torch", "version": "2.0", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}
SKIPPED = {"name": "ours", "skip_reason": "not found"}

HEARD = """
import json, os, sys
heard = []
def hear(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        heard.append([event, str(arguments[0])])
    elif event in ("socket.connect", "socket.sendto") and arguments[0].family.name != "AF_UNIX":
        heard.append([event, str(arguments[1])])
sys.addaudithook(hear)
os.chdir(sys.argv[1])
from tokenize_lab.__main__ import build_app
app = build_app()
codes = []
for line in json.loads(sys.argv[2]):
    try:
        app(line.split(), standalone_mode=False)
        codes.append(0)
    except Exception as error:
        codes.append(f"{type(error).__name__}: {error}")
if len(sys.argv) > 3:
    import socket
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError:
        pass
print("\\n" + json.dumps([codes, heard]))
"""
COMMANDS = [
    "tokenizers train --kind bpe text.txt --vocab-size 300 --out bpe",
    "tokenizers bytes byte --out bytes",
    "tokenizers show mistral:v3",
    "tokenizers check bpe text.txt",
    "tokenizers audit bpe text.txt --out audit --jobs 1",
    "corpora list",
    "measure text.txt -t byte -t bpe -t mistral:tekken --jobs 1",
    "vocab-curve text.txt -t bpe --jobs 1 --out curve",
    "report out/measure",
    "scaling fit runs.csv --law chinchilla --draws 0 --out fit",
    "scaling plan --help",
    "cache show",
]


def heard_of(here: Path, commands: list[str], *more: str) -> tuple[list[object], list[list[str]]]:
    done = subprocess.run(
        [sys.executable, "-c", HEARD, str(here), json.dumps(commands), *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes, heard = json.loads(done.stdout.splitlines()[-1])
    return codes, heard


def test_no_command_opens_a_connection(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one line of text and another\n" * 20 + "a b c d\n")
    rows = [f"{n},{d},{1.7 + 400 / n**0.34 + 410 / d**0.28}" for n in (1e7, 1e8, 1e9)
            for d in (1e9, 1e10, 1e11)]  # fmt: skip
    (tmp_path / "runs.csv").write_text("\n".join(["params,tokens,loss", *rows]) + "\n")
    codes, heard = heard_of(tmp_path, COMMANDS, "and one that does")
    assert codes == [0] * len(COMMANDS)
    assert {event for event, _ in heard} == {"socket.getaddrinfo", "socket.connect"}
    assert all("127.0.0.1" in place for _, place in heard), heard
    assert len(heard) == 2  # of the one that does alone


def test_licences_stand_in_the_table() -> None:
    told = dict(line.strip("| \n").split(" | ")[:2] for line in table().splitlines()
                if line.startswith("| ") and "---" not in line)  # fmt: skip
    text = TABLE.read_text("utf-8")
    assert text.startswith(HEAD)
    for name in set(told) - {"package"}:
        assert f"| {name} | {licence(name)} |" in text, f"{name}: run `just licences`"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ({"dependencies": [CLEAN]}, 0, "pip-audit: nothing is known against 1 packages; of 2 more"),
        ({"dependencies": [CLEAN, WRONG]}, 1, "torch 2.0: CVE-1\ntorch 2.0: CVE-2\n"),
        ({"dependencies": [SKIPPED]}, 0, "not asked for advisories (the index that it asks has"),
        ({"dependencies": [{}]}, 0, "not asked for advisories (No network)"),
        ([], 0, "not asked for advisories (No network)"),
        ("", 0, "not asked for advisories (No network)"),
    ],
)
def test_answers(
    answer: Any, code: int, said: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    done = subprocess.CompletedProcess([], 1, json.dumps(answer), "WARNING: x\nNo network\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(advisories, "installed", lambda: ["numpy", "pytest", "polars"])
    assert advisories.main() == code
    assert said in capsys.readouterr().out


def test_an_exception_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.CompletedProcess([], 1, json.dumps({"dependencies": [WRONG]}), "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(advisories, "EXCEPTIONS", {"CVE-1": "a reason"})
    assert advisories.main() == 1
    assert capsys.readouterr().out == "torch 2.0: CVE-2\n"
