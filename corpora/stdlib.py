"""Python's own standard library as text: what every machine that runs this has.

Code and its documentation, in English. Each version of Python has another, so figures from it are
for trying things out, not for comparing machines.
"""

import sysconfig
from pathlib import Path

from corpora.document import UNKNOWN_LANGUAGE
from corpora.readers.settings import TextFile

NAME = "stdlib"
_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}


def stdlib_files() -> list[TextFile]:
    """Return the library's source files, in order, tests and installed packages left out."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path.relative_to(root) for path in sorted(root.rglob("*.py")) if path.is_file())
    return [
        TextFile(root / name, name.as_posix(), UNKNOWN_LANGUAGE)
        for name in found
        if not _LEFT_OUT & set(name.parts) and (root / name).stat().st_size
    ]
