"""What was found out about tokenizers, as values and as JSON files that `report` reads."""

import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.arguments import path
from corpora.errors import InputError
from corpora.files import write_json
from corpora.json_file import read_object
from tokenize_lab.forensics.shapes import KINDS, REMEDY, checked_finding

if TYPE_CHECKING:
    import polars as pl

AGREE = 0.1  # how far a mixture's two estimates of a share may be apart


class TokenizerFinding(dict[str, Any]):
    """What one of `KINDS` found, ready for JSON; `kind` says which."""

    @property
    def tokenizers(self) -> list[dict[str, Any]]:
        """What tells the tokenizer, or the two, from others."""
        return self["tokenizers"] if "tokenizers" in self else [self["tokenizer"]]

    def __repr__(self) -> str:
        return f"<{self['kind']} of {' and '.join(t['name'] for t in self.tokenizers)}>"

    def frame(self) -> "pl.DataFrame":
        """Return the finding's main table.

        Of an audit: a row for each token that no text was found for, listed ones. Of a comparison:
        how each language's text is cut; without text, what each tokenizer does to one. Of a
        mixture: the share of each language. Of a vocabulary extended or pruned: the texts kept.
        """
        import polars as pl

        match self["kind"]:
            case "audit":
                reach = self["reach"]
                rows = [
                    {key: value for key, value in token.items() if key != "instead"}
                    for token in [*reach["unreachable"], *reach["open"]]
                ]
            case "diff":
                rows = self["text"]["languages"] if self["text"] else self["settings"]
            case "extend" | "prune":
                rows = self["kept"]
            case _:
                rows = [_with_ends(row) for row in self["languages"]]
        return pl.DataFrame(rows, infer_schema_length=None)

    def remarks(self) -> list[str]:
        """Return what a person should know beside the numbers, a line each."""
        return [*self.get("notices", ()), *self._disagreements()]

    def _disagreements(self) -> list[str]:
        return [
            f"two estimates of the share of {row['language']} are {row['share']:.2f} and "
            f"{row['share_published']:.2f}: there is too little text, or it is not of the kind "
            "that the tokenizer learned from"
            for row in self.get("languages", ())
            if self["kind"] == "mixture" and abs(row["share"] - row["share_published"]) > AGREE
        ][:1]

    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the finding to `KIND-NAMES.json`, and return the path.

        Raises:
            InputError: the folder cannot be written.
        """
        names = "-".join(_short(tokenizer) for tokenizer in self.tokenizers)
        file = path("folder", folder) / f"{self['kind']}-{names}.json"
        write_json(file, self)
        return file


def _with_ends(row: dict[str, Any]) -> dict[str, Any]:
    low, high = row["interval"] or (None, None)
    return {k: v for k, v in row.items() if k != "interval"} | {
        "share_low": low,
        "share_high": high,
    }


def load_findings(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return a folder's findings by kind, in order of file name.

    Raises:
        InputError: naming the file that cannot be read or is not what its name says.
    """
    return {
        kind: [_load(path, kind) for path in sorted(folder.glob(f"{kind}-*.json"))]
        for kind in KINDS
    }


def _load(path: Path, kind: str) -> dict[str, Any]:
    finding = read_object(path, REMEDY)
    if finding is None or finding.get("kind") != kind:
        raise InputError(f"{path}: not what `tokenizers {kind} --out` writes; {REMEDY}")
    return checked_finding(finding, kind, path)


def _short(tokenizer: dict[str, Any]) -> str:
    """Return a name for a file: letters and digits of the tokenizer's, and part of its hash."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", tokenizer["name"]).strip("-")[:40]
    return f"{plain}-{tokenizer['sha256'][:8]}".lstrip("-")
