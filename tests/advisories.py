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
    looked_up = answered(done.stdout)
    if looked_up is None:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return _say([f"pip-audit: not asked for advisories ({why})"], 0)
    if not looked_up:
        why = "the index that it asks has none of the packages"
        return _say([f"pip-audit: not asked for advisories ({why})"], 0)
    lines = [
        f"{name}: {advisory}"
        for name, advisories in looked_up.items()
        for advisory in advisories
        if advisory not in EXCEPTIONS
    ]
    missing = len(pins) - len(looked_up)
    nothing = f"pip-audit: nothing is known against {len(looked_up)} packages"
    said = lines or [nothing + (f"; of {missing} more its index knows nothing" if missing else "")]
    return _say(said, 1 if lines else 0)


def answered(answer: str) -> dict[str, list[str]] | None:
    """Return the advisories by package of an answer of pip-audit; None if it is no answer. What the
    index that it asked does not have, as a mirror may not, is left out."""
    try:
        value: Any = json.loads(answer)
        return {
            f"{package['name']} {package['version']}": [part["id"] for part in package["vulns"]]
            for package in value["dependencies"]
            if "skip_reason" not in package
        }
    except (ValueError, KeyError, TypeError):
        return None


def _say(lines: list[str], code: int) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
