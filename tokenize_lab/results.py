"""A measured folder: counts, histograms, samples and where they came from.

    counts.parquet      one row a unit: additive counts, never rates
    histograms.parquet  how often each token id occurs
    samples.json        a few documents and their tokens, for looking at
    provenance.json     hashes, versions, settings; times and host under `run`, and only there

The same inputs give the same bytes in all but `run`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corpora.arguments import path
from corpora.bootstrap import DocumentBootstrap
from corpora.document import Batch
from corpora.errors import InputError, did_you_mean, is_present, regular_file
from corpora.files import file_sha256, read_bytes, written_whole
from corpora.json_file import parsed, read_object
from corpora.languages import begins_with
from tokenize_lab.counts.documents import CountsByDocument
from tokenize_lab.counts.fields import FIELDS
from tokenize_lab.counts.files import PARTS, parquet, read_counts
from tokenize_lab.counts.schema import Group, GroupCounts, merged
from tokenize_lab.provenance import REMEDY, checked, checked_samples
from tokenize_lab.rows import MeasureRow, RowSettings, iterate_rows, rows_frame
from tokenize_lab.tokenizer import IntArray, Tokenizer, table_of

if TYPE_CHECKING:
    import polars as pl

RECORD = "provenance.json"
_FILES = ("counts.parquet", "histograms.parquet", "samples.json")
_MOST_BYTES = 4 << 30  # of a file; counts of a hundred million documents take less


@dataclass(frozen=True, repr=False)
class Results:
    """What `measure` finds, and reports read.

    Attributes:
        counts: by group, as finely as they were kept.
        provenance: where they came from; see `tokenize_lab.measurement.provenance`.
        samples: heads of documents with their tokens; see `tokenized_samples`.
    """

    counts: Mapping[Group, GroupCounts]
    provenance: dict[str, Any]
    samples: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        corpora, tokenizers = (
            ", ".join(part["name"] for part in self.provenance[kind])
            for kind in ("corpora", "tokenizers")
        )
        return f"<measured: {corpora} with {tokenizers}>"

    @property
    def row_settings(self) -> RowSettings:
        """How rows are made of the counts, as was asked when they were made."""
        settings = self.provenance["settings"]
        return RowSettings(
            {t["name"]: t["vocabulary_size"] for t in self.provenance["tokenizers"]},
            settings["word_segmenter"],
            settings["reference"],
            settings["baseline"],
            DocumentBootstrap(settings["replicates"], settings["seed"]),
        )

    def rows(self) -> Iterator[MeasureRow]:
        """Yield one row of counts, rates and intervals for each group that was asked for."""
        group_by = self.provenance["settings"]["group_by"]
        if isinstance(self.counts, CountsByDocument) and "document" in group_by:
            return iterate_rows(self.counts.merged(group_by), self.row_settings)
        return iterate_rows(merged(self.counts, group_by), self.row_settings)

    def frame(self) -> "pl.DataFrame":
        """Return the rows as a table: an interval is two columns, a difference three."""
        return rows_frame(self.rows())

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the folder's four files, all of them or none.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        folder = path("folder", folder)
        samples = json.dumps(list(self.samples), ensure_ascii=False, separators=(",", ":"))
        contents = {
            "counts.parquet": parquet(self._counts_frame(part) for part in self._pieces()),
            "histograms.parquet": parquet([_histogram_frame(self._with_histograms())]),
            "samples.json": (samples + "\n").encode(),
        }
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        record = json.dumps(
            {**self.provenance, "files": hashes}, ensure_ascii=False, indent=1, allow_nan=False
        )
        with ExitStack() as files:
            # All are on the disk before any takes its name; the record, entered first, is last.
            for name, content in {RECORD: (record + "\n").encode(), **contents}.items():
                files.enter_context(written_whole(folder / name)).write_bytes(content)

    def _pieces(self) -> Iterator[Mapping[Group, GroupCounts]]:
        """Yield the counts, some units at a time, whose table would be the most memory of all."""
        if isinstance(self.counts, CountsByDocument):
            return self.counts.pieces()
        return _pieces_of(self.counts)

    def _with_histograms(self) -> Mapping[Group, GroupCounts]:
        """Return the groups that have histograms; documents kept apart have none."""
        if isinstance(self.counts, CountsByDocument):
            return next(self.counts.pieces())
        return self.counts

    def _counts_frame(self, counts: Mapping[Group, GroupCounts]) -> "pl.DataFrame":
        import polars as pl

        tokenizers = {t["name"]: t for t in self.provenance["tokenizers"]}
        corpora = {c["name"]: c["sha256"] for c in self.provenance["corpora"]}
        units = [np.flatnonzero(part.column("documents")) for part in counts.values()]
        groups = pl.DataFrame(
            [
                {
                    **group._asdict(),
                    "tokenizer_sha256": tokenizers[group.tokenizer]["sha256"],
                    "vocabulary_size": tokenizers[group.tokenizer]["vocabulary_size"],
                    "corpus_sha256": corpora[group.corpus],
                    "word_segmenter": self.provenance["settings"]["word_segmenter"],
                    "aligned": part.aligned,
                }
                for group, part in counts.items()
            ],
            schema_overrides=dict.fromkeys(PARTS, pl.String),
        )
        unit = pl.DataFrame({"unit": np.concatenate(units).astype(np.int32)})
        named = _repeated(groups, [len(kept) for kept in units])
        return unit.select(*named, "unit", *_columns(counts, units))

    def remarks(self) -> list[str]:
        """Return what a person should know beside the rows, a line each."""
        run = self.provenance["run"]
        lines = []
        if not run["batches_encoded"]:
            lines.append("every count came from the cache; nothing was encoded")
        elif run["batches_from_cache"]:
            total = run["batches_encoded"] + run["batches_from_cache"]
            lines.append(f"{run['batches_from_cache']} of {total} batches came from the cache")
        lines += run.get("notices", [])
        told = [(t["name"], t.get("remark")) for t in self.provenance["tokenizers"]]
        lines += [f"{name}: {remark}" for name, remark in told if remark]
        lines += [
            f"{tokenizer['name']} is lossy: {tokenizer['lossy_reason']}"
            for tokenizer in self.provenance["tokenizers"]
            if not tokenizer["lossless"]
        ]
        return lines + self.missing_reference()

    def missing_reference(self) -> list[str]:
        """Return a line where no aligned language is the one that premiums are taken to."""
        reference = self.provenance["settings"]["reference"]
        groups = chain.from_iterable(part.items() for part in self._pieces())
        aligned = {group.language for group, part in groups if part.aligned and group.language}
        if len(aligned) < 2 or any(begins_with(code, reference) for code in aligned):
            return []
        near = did_you_mean(reference, aligned) or f" ({', '.join(sorted(aligned)[:8])})"
        return [f"no language begins with the reference {reference}: no parity, no premium{near}"]


def measured_before(folder: Path) -> str:
    """Return what the measurement in a folder is of, in a few words; or "" where there is none."""
    try:
        record = read_object(folder / RECORD, REMEDY)
        if record is None:
            return ""
        names = [[part["name"] for part in record[kind]] for kind in ("corpora", "tokenizers")]
        return " with ".join(", ".join(map(str, some)) for some in names)
    except (InputError, KeyError, TypeError):
        return "something that can no longer be read"


def load_results(folder: Path) -> Results:
    """Read a folder that `Results.save` wrote.

    Raises:
        InputError: it is not there, is not complete, is damaged, or mixed from two runs.
    """
    import polars as pl

    record = read_object(folder / RECORD, REMEDY)
    if record is None:
        raise _no_measurement(folder, RECORD)
    provenance = checked(record, folder / RECORD)
    hashes = provenance.pop("files")
    contents = {name: _content(folder / name, hashes.get(name)) for name in _FILES}
    corpora, tokenizers = (
        [part["name"] for part in provenance[kind]] for kind in ("corpora", "tokenizers")
    )
    try:
        samples = parsed(contents["samples.json"])
        counts = read_counts(contents["counts.parquet"], contents["histograms.parquet"])
    except (ValueError, KeyError, pl.exceptions.PolarsError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"{folder}: a file is damaged ({why}); {REMEDY}") from error
    if what := _fault_of_groups(counts, corpora, tokenizers):
        raise InputError(f"{folder}: a file is damaged ({what}); {REMEDY}")
    samples = checked_samples(samples, folder / "samples.json", corpora, tokenizers)
    return Results(counts, provenance, samples)


def _fault_of_groups(
    counts: Mapping[Group, GroupCounts], corpora: Sequence[str], tokenizers: Sequence[str]
) -> str:
    """Return what is wrong with what was counted; a corpus without text has no counts."""
    found = {(group.corpus, group.tokenizer) for group in counts}
    if not found:
        return "there are no counts"
    if not all(corpus in corpora and tokenizer in tokenizers for corpus, tokenizer in found):
        return f"counts of a corpus or tokenizer that {RECORD} does not name"
    if len(found) < len({corpus for corpus, _ in found}) * len(tokenizers):
        return f"no counts of a tokenizer that {RECORD} names"
    return ""


def _content(file: Path, sha256: str | None) -> bytes:
    """Return what a file of the folder holds, once its hash is the one that was recorded.

    What has another, as a file that claims gigabytes, is not read into memory.
    """
    if not is_present(file):
        raise _no_measurement(file.parent, file.name)
    if regular_file(file, REMEDY).stat().st_size > _MOST_BYTES:
        raise InputError(
            f"{file}: more than {_MOST_BYTES >> 30} GiB, and no such file has that; {REMEDY}"
        )
    if file_sha256(file) != sha256:
        what = f"{file.name} is not the one that {RECORD} was written with"
        raise InputError(f"{file.parent}: a file is damaged ({what}); {REMEDY}")
    return read_bytes(file)


def _no_measurement(folder: Path, missing: str) -> InputError:
    return InputError(
        f"{folder}: holds no measurement ({missing} is missing); "
        "make one with: tokenize-lab measure CORPUS -t TOKENIZER --out DIR"
    )


_PIECE_UNITS = 1 << 16


def _pieces_of(counts: Mapping[Group, GroupCounts]) -> Iterator[Mapping[Group, GroupCounts]]:
    """Yield groups, some at a time: at least one piece."""
    piece: dict[Group, GroupCounts] = {}
    units = 0
    for group, part in counts.items():
        if piece and units + part.size > _PIECE_UNITS:
            yield piece
            piece, units = {}, 0
        piece[group] = part
        units += part.size
    yield piece


# Groups of fewer units than this, on the average, are laid end to end whole.
_LONG_GROUPS = 16


def _columns(
    counts: Mapping[Group, GroupCounts], units: Sequence[IntArray]
) -> "Iterator[pl.Series | pl.Expr]":
    """Yield the counts of these units of all groups, a column at a time."""
    parts = list(zip(counts.values(), units, strict=True))
    whole = None
    if sum(map(len, units)) < _LONG_GROUPS * len(parts):
        whole = np.concatenate([part.units[kept] for part, kept in parts])
    for place, name in enumerate(FIELDS):
        if whole is None:
            column = np.concatenate([part.column(name)[kept] for part, kept in parts])
        else:
            column = whole[:, place]
        yield _column(name, column)


def _column(name: str, values: IntArray) -> "pl.Series | pl.Expr":
    """Return a column of a table; one that is the same throughout takes no memory."""
    import polars as pl

    if len(values) and (values == values[0]).all():
        return pl.lit(int(values[0]), pl.Int64).alias(name)
    return pl.Series(name, values)


def _histogram_frame(counts: Mapping[Group, GroupCounts]) -> "pl.DataFrame":
    import polars as pl

    histograms = [part.histogram.settle() for part in counts.values()]
    groups = pl.DataFrame(
        [group._asdict() for group in counts], schema=dict.fromkeys(PARTS, pl.String)
    )
    token_ids = pl.DataFrame({"token_id": np.concatenate([h.ids for h in histograms])})
    occurrences = np.concatenate([h.occurrences for h in histograms]).astype(np.int64)
    named = _repeated(groups, [len(histogram.ids) for histogram in histograms])
    return token_ids.select(*named, "token_id", pl.Series("occurrences", occurrences))


def _repeated(groups: "pl.DataFrame", times: Sequence[int]) -> "Iterator[pl.Series | pl.Expr]":
    """Yield the columns of a table of groups, the row of each as often as is said; of one value
    throughout, that value."""
    import polars as pl

    rows = np.repeat(np.arange(len(times)), times)
    for column in groups:
        if len(rows) and column.n_unique() == 1:
            yield pl.lit(column[0], column.dtype).alias(column.name)
        else:
            yield column[rows]


SAMPLE_CHARACTERS = 200
SAMPLES_A_GROUP = 2


def sample_texts(corpus: str, batch: Batch) -> list[dict[str, Any]]:
    """Return the heads of the batch's first documents; `alignment` is their number, or None."""
    return [
        {
            "corpus": corpus,
            "language": batch.language,
            "domain": batch.domain,
            "alignment": None if batch.first_alignment is None else batch.first_alignment + i,
            "text": text[:SAMPLE_CHARACTERS],
        }
        for i, text in enumerate(batch.texts[:SAMPLES_A_GROUP])
    ]


def tokenized_samples(
    samples: Sequence[dict[str, Any]], tokenizers: Sequence[Tokenizer]
) -> list[dict[str, Any]]:
    """Return each sample with its `tokens`, by tokenizer.

    Tokens are `{"ids": [...], "sizes": [...]}`, sizes in raw bytes with the tokenizer's prefix left
    out: laid end to end over the text's bytes they are its tokens. Where a tokenizer does not give
    the text back exactly, `"bytes"` holds what its tokens stand for, in hexadecimal; else null.
    """
    result = [{**sample, "tokens": {}} for sample in samples]
    for tokenizer in tokenizers:
        encoding = tokenizer.encode_batch([sample["text"] for sample in samples])
        ids, lengths = encoding
        table = table_of(tokenizer, encoding)
        at = 0
        for entry, length in zip(result, lengths.tolist(), strict=True):
            tokens = ids[at : at + length].tolist()
            pieces = _without([table[i] for i in tokens], tokenizer.prefix)
            raw = b"".join(pieces)
            entry["tokens"][tokenizer.name] = {
                "ids": tokens,
                "sizes": [len(piece) for piece in pieces],
                "bytes": None if raw == entry["text"].encode() else raw.hex(),
            }
            at += length
    return result


def _without(pieces: list[bytes], prefix: bytes) -> list[bytes]:
    """Return the pieces without the prefix, which may lie over several; as they are if they do not
    begin with it."""
    left = len(prefix) if b"".join(pieces).startswith(prefix) else 0
    bare = []
    for piece in pieces:
        bare.append(piece[left:])
        left = max(0, left - len(piece))
    return bare
