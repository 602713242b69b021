"""What SECURITY.md promises: no connection that was not asked for; licences as they are told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import advisories
from tests.conftest import ROOT
from tests.licences import HEAD, TABLE, licence, table

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


def test_an_advisory_is_told_from_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}'
    assert advisories.known(said) == [("a 1", "PYSEC-1")]
    unasked = '{"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]}'
    assert advisories.known("") is advisories.known(unasked) is None
    for answer, code in ((said, 1), ("", 0), (unasked, 0)):
        done = subprocess.CompletedProcess([], 1, answer, "ConnectionError")
        monkeypatch.setattr(subprocess, "run", lambda *_, d=done, **__: d)
        assert advisories.main() == code
