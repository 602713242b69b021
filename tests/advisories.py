"""Whether something is known against the versions that are installed, by pip-audit.

    python -m tests.advisories

Exit code 1 if so. Where nobody can be asked, because there is no network or no pip-audit, that is
said and is no failure: `just check` works offline.
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.licences import installed

# Advisories that do not concern us, each with the reason.
EXCEPTIONS: dict[str, str] = {}
_LONGEST_SECONDS = 120


def main() -> int:
    """Ask, say what came of it, and return the exit code."""
    pins = [f"{name}=={importlib.metadata.version(name).split('+')[0]}" for name in installed()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(pins) + "\n")
        words = ["-r", str(file), "--no-deps", "--disable-pip", "--format", "json"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", *words],
                capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return _say(["pip-audit: no answer; not asked for advisories"], 0)
    found = known(done.stdout)
    if found is None:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return _say([f"pip-audit: not asked for advisories ({why})"], 0)
    lines = [f"{name}: {advisory}" for name, advisory in found if advisory not in EXCEPTIONS]
    said = lines or [f"pip-audit: nothing is known against {len(pins)} packages"]
    return _say(said, 1 if lines else 0)


def known(answer: str) -> list[tuple[str, str]] | None:
    """Return each advisory and its package of an answer of pip-audit; None if it is no answer, or
    the index that it asked knows of none of the packages, as a mirror may not."""
    try:
        value: Any = json.loads(answer)
    except ValueError:
        return None
    if all("skip_reason" in package for package in value["dependencies"]):
        return None
    return [
        (f"{package['name']} {package['version']}", advisory["id"])
        for package in value["dependencies"]
        if "skip_reason" not in package
        for advisory in package.get("vulns", [])
    ]


def _say(lines: list[str], code: int) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
