"""The licences of everything that tokenize-lab installs, from what is installed: docs/licences.md.

    python -m tests.licences       write the table anew

Who installs an extra that is not here (`hub`, `ray`) finds its licences in the same way.
"""

import importlib.metadata
import re
from collections.abc import Iterator

from packaging.requirements import Requirement

from tests.conftest import ROOT

TABLE = ROOT / "docs" / "licences.md"
EXTRAS = ("train", "fast", "tensorboard")
HEAD = """# Licences of what is installed with tokenize-lab

Made from the packages' own metadata by `just licences`; a test compares it. Of the extras
`train`, `fast` and `tensorboard` too. tokenize-lab itself is under Apache-2.0.

| package | licence | needed by |
|---|---|---|
"""
_LONGEST = 40  # of what a package calls its licence; some put the whole text there


def installed() -> dict[str, list[str]]:
    """Return the packages that are needed and here, each with those that need it."""
    needed: dict[str, list[str]] = {}
    waiting = [("tokenize-lab", extra) for extra in ("", *EXTRAS)]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for requirement in _requirements(name, extra):
            other = _canonical(requirement.name)
            try:
                importlib.metadata.distribution(other)
            except importlib.metadata.PackageNotFoundError:
                continue
            needed.setdefault(other, [])
            if name not in needed[other]:
                needed[other].append(name)
            new = {(other, extra) for extra in ("", *requirement.extras)} - seen
            seen |= new
            waiting += sorted(new)
    return dict(sorted(needed.items()))


def licence(name: str) -> str:
    """Return what a package says of its licence, in a few words."""
    about = importlib.metadata.metadata(name)
    if "License-Expression" in about:
        return str(about["License-Expression"])
    told = (about.get_all("License") or [""])[0]
    told = told.strip().partition("\n")[0]
    if told and len(told) <= _LONGEST:
        return str(told)
    classifiers = about.get_all("Classifier") or []
    kinds = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License ::")]
    return ", ".join(sorted(kinds)) or str(told[:_LONGEST]) or _of_its_file(name) or "not said"


def _of_its_file(name: str) -> str:
    """Return the licence whose text a package brings, for one that names none."""
    parts = importlib.metadata.files(name) or []
    texts = [part.read_text() for part in parts if part.name.upper().startswith("LICENSE")]
    apache = any("Apache License" in text and "Version 2.0" in text for text in texts)
    return "Apache-2.0" if apache else ""


def table() -> str:
    """Return the table as it should stand in the documentation."""
    rows = [
        f"| {name} | {licence(name).replace('|', '/')} | {', '.join(sorted(by))} |\n"
        for name, by in installed().items()
    ]
    return HEAD + "".join(rows)


def _requirements(name: str, extra: str) -> Iterator[Requirement]:
    for line in importlib.metadata.requires(name) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        # What a package needs without its extras is followed once, under no extra.
        with_extra = marker is None or marker.evaluate({"extra": extra})
        without = marker is None or marker.evaluate({"extra": ""})
        if with_extra and (not extra or not without):
            yield requirement


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
