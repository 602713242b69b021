"""Findings on disk, one JSON file each, where `tokenize-lab report` finds them."""

import json
import re
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from corpora.files import write_json

KINDS = ("audit", "diff", "mixture")


def save_finding(folder: Path, finding: dict[str, Any]) -> Path:
    """Write what a command found to `KIND-NAMES.json`, and return the path.

    Raises:
        InputError: the folder cannot be written.
    """
    path = (
        folder / f"{finding['kind']}-{'-'.join(_short(one) for one in _tokenizers(finding))}.json"
    )
    write_json(path, finding)
    return path


def has_findings(folder: Path) -> bool:
    """Return whether a folder holds any."""
    return any(_paths(folder, kind) for kind in KINDS)


def load_findings(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return a folder's findings by kind, in order of file name.

    Raises:
        InputError: naming the file that cannot be read or is not what its name says.
    """
    return {kind: [_load(path, kind) for path in _paths(folder, kind)] for kind in KINDS}


def _paths(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*.json"))


def _load(path: Path, kind: str) -> dict[str, Any]:
    try:
        finding: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged (not JSON); remove it or make it again") from error
    if not isinstance(finding, dict) or finding.get("kind") != kind:
        raise InputError(
            f"{path}: not what `tokenizers {kind} --out` writes; remove it or make it again"
        )
    return finding


def _tokenizers(finding: dict[str, Any]) -> list[dict[str, Any]]:
    return finding["tokenizers"] if "tokenizers" in finding else [finding["tokenizer"]]


def _short(tokenizer: dict[str, Any]) -> str:
    """Return a name for a file: letters and digits of the tokenizer's, and part of its hash."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", tokenizer["name"]).strip("-")[:40]
    return f"{plain}-{tokenizer['sha256'][:8]}".lstrip("-")
