"""How often a run was tried in vain, kept beside it, so that a new driver remembers.

A fault of the run's own gets one more chance. A worker that something killed, as the system does
for want of memory, says little of the run, so there are more of those.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from corpora.errors import InputError, one_line
from corpora.files import write_text
from scaling.json_file import COUNT, TEXT, check_fields, read_object
from scaling.sweep.leftovers import ATTEMPTS

MOST_FAILURES = 1
MOST_DEATHS = 5
_FIELDS = {"failures": COUNT, "deaths": COUNT, "reason": TEXT}


@dataclass(frozen=True)
class Attempts:
    """What went wrong so far.

    Attributes:
        failures: exceptions and crashes of the run. deaths: of its worker, by another's hand.
        reason: of the latest.
    """

    failures: int = 0
    deaths: int = 0
    reason: str = ""

    def failed(self, reason: str) -> "Attempts":
        """Return them after one more fault of the run's own, its reason as UTF-8 can spell it."""
        return replace(self, failures=self.failures + 1, reason=one_line(reason))

    def killed(self, how: str) -> "Attempts":
        """Return them after one more worker was killed."""
        return replace(self, deaths=self.deaths + 1, reason=one_line(how))

    @property
    def verdict(self) -> str:
        """Why the run is not tried again; empty while it is."""
        if self.failures > MOST_FAILURES:
            return self.reason
        if self.deaths > MOST_DEATHS:
            return f"its worker was killed {self.deaths} times; the last: {self.reason}"
        return ""


def read_attempts(run: Path) -> Attempts:
    """Return what is kept; none, if nothing is or it cannot be read."""
    try:
        value = read_object(run / ATTEMPTS, "delete it") or {}
        check_fields(value, _FIELDS)
    except ValueError:
        return Attempts()
    return Attempts(**value)


def write_attempts(run: Path, attempts: Attempts) -> None:
    """Keep them, if they can be: a driver that goes on remembers anyway."""
    try:
        write_text(run / ATTEMPTS, json.dumps(asdict(attempts), ensure_ascii=False) + "\n")
    except InputError:
        return
