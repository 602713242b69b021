"""The tokenizers of a leaderboard, one a line of a file, and their counts, kept from run to run.

    # what we think of taking
    mistral:tekken
    ours=out/bpe

Counts stand in the leaderboard's folder. A tokenizer is counted when it is new or its file is
another; all are, when the text or what counts it is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from corpora.corpus import Corpus
from corpora.errors import InputError, is_file, location
from corpora.files import file_sha256, read_bounded
from tokenize_lab.backends.forms import partner_of
from tokenize_lab.backends.objects import tokenizer_of
from tokenize_lab.counts.schema import Histogram, merged
from tokenize_lab.measurement import measure
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.results import RECORD, Results, load_results
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer

COUNTS = "counts"
_MOST_BYTES, _MOST_ENTRIES = 1 << 20, 1_000  # each is set beside every other
_FORM = "give a text file with one [NAME=]SPEC a line"


class Entry(NamedTuple):
    """A line of the file.

    Attributes:
        name: what tables call it: the name given, or the spec.
        spec: as seen from the working folder, without the name.
        place: file and line, for messages.
    """

    name: str
    spec: str
    place: str

    @property
    def fingerprint(self) -> str:
        """Hash of the spec and the files that hold it; a package's are there once it is loaded."""
        spec = TokenizerSpec.parse(self.spec)
        digest = hashlib.sha256(self.spec.encode())
        beside = None if spec.file is None else partner_of(spec.file)
        pattern = Path(spec.where.rpartition("@")[2])
        for file in (spec.file, beside, pattern):
            if file is not None and is_file(file):
                digest.update(file_sha256(file).encode())
        return digest.hexdigest()


def read_entries(path: Path) -> list[Entry]:
    """Read a file of tokenizers; of paths in it, those beside it are found.

    Raises:
        InputError: the file cannot be read, names no tokenizer or too many, or one name twice.
    """
    try:
        lines = read_bounded(path, _MOST_BYTES, _FORM).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8; {_FORM}") from error
    entries: dict[str, Entry] = {}
    for number, text in enumerate(lines, 1):
        line = text.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        place = location(path, line=number)
        spec = TokenizerSpec.parse(line).relative_to(path.parent)
        name = spec.name or TokenizerSpec.parse(line).unnamed
        if name in entries:
            first = entries[name].place
            raise InputError(
                f"{place}: a second tokenizer {name!r} ({first}); give it another name"
            )
        entries[name] = Entry(name, spec.unnamed, place)
    if not entries:
        raise InputError(f"{path}: names no tokenizer; one [NAME=]SPEC a line, such as mistral:v3")
    if len(entries) > _MOST_ENTRIES:
        raise InputError(
            f"{path}: names {len(entries):,} tokenizers; {_MOST_ENTRIES:,} can be ranked at most"
        )
    return list(entries.values())


def loaded(entry: Entry) -> Tokenizer:
    """Return an entry's tokenizer, under its name.

    Raises:
        InputError: it cannot be loaded; file and line are named.
    """
    try:
        return tokenizer_of(load_tokenizer(entry.spec), entry.name)
    except InputError as error:
        raise InputError(f"{entry.place}: {error}") from error


class Counted(NamedTuple):
    """Counts by language of every entry, and which of them were made now."""

    results: Results
    new: list[str]


def count_entries(
    entries: Sequence[Entry],
    corpora: Sequence[Corpus],
    out: Path,
    *,
    reference: str,
    replicates: int,
    seed: int,
    jobs: int = 0,
    cache: Path | None = None,
    progress: ReportProgress = silent,
    command: Sequence[str] = (),
) -> Counted:
    """Count the entries that the folder `out` has no counts of, and keep the counts of all.

    Arguments:
        reference, replicates, seed, jobs, cache, progress, command: as `measure` takes them.

    Raises:
        InputError: from the corpora or tokenizers; `out` cannot be written, or is damaged.
    """
    settings: dict[str, Any] = {
        "reference": reference, "replicates": replicates, "seed": seed, "jobs": jobs,
        "cache": cache, "progress": progress, "command": command,
    }  # fmt: skip
    folder = out / COUNTS
    kept = _kept(folder)
    known = {} if kept is None else kept.provenance.get("entries", {})
    new = [entry for entry in entries if known.get(entry.name) != entry.fingerprint]
    # The text is read all the same: it may be another.
    made = measure(corpora, [*map(loaded, new)] or ["byte"], **settings)
    if len(new) < len(entries) and (kept is None or not _of_one_make(kept, made)):
        new, kept = list(entries), None
        made = measure(corpora, [*map(loaded, new)], **settings)
    results = _together(entries, [made] if kept is None else [kept, made])
    results.save(folder)
    return Counted(results, [entry.name for entry in new])


def _kept(folder: Path) -> Results | None:
    """Return the counts of the last run; None where there are none that can be read."""
    try:
        return load_results(folder) if (folder / RECORD).exists() else None
    except InputError:  # what is damaged is counted again
        return None


def _of_one_make(one: Results, other: Results) -> bool:
    """Whether two results are of the same text, counted alike."""
    same = ("corpora", "counting_version", "versions")
    return all(one.provenance[name] == other.provenance[name] for name in same)


def _together(entries: Sequence[Entry], parts: Sequence[Results]) -> Results:
    """Return the counts by language of the entries, the later part's where two have them."""
    counts = {
        group: replace(part, histogram=Histogram())
        for results in parts
        for group, part in merged(results.counts, ["language"]).items()
    }
    facts = {told["name"]: told for part in parts for told in part.provenance["tokenizers"]}
    place = {entry.name: i for i, entry in enumerate(entries)}
    ordered = sorted(
        (group for group in counts if group.tokenizer in place),
        key=lambda group: place[group.tokenizer],
    )
    record = parts[-1].provenance
    settings = record["settings"] | {"baseline": entries[0].name}
    provenance = record | {
        "settings": settings,
        "tokenizers": [facts[entry.name] for entry in entries],
        "entries": {entry.name: entry.fingerprint for entry in entries},
    }
    return Results({group: counts[group] for group in ordered}, provenance, [])
