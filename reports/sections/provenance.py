"""Where the numbers come from: enough to make them again and to see that they are the same."""

import shlex
from typing import Any

from reports import numbers
from reports.html import render
from reports.measured import Measured
from reports.section import Section
from reports.table import Column, sortable_table
from reports.words import name


def provenance(measured: Measured) -> Section:
    """Show the command, settings, hashes and versions; times in a block of their own."""
    record = measured.provenance
    tokenizers = sortable_table(
        "Tokenizers",
        [
            Column("tokenizer", numeric=False),
            Column("given as", numeric=False),
            Column("V"),
            Column("engine", numeric=False),
            Column("SHA-256", numeric=False),
        ],
        [
            [
                name(series.name),
                name(series.facts["spec"]),
                numbers.count(series.facts["vocabulary_size"]),
                name(series.facts["engine"]),
                render("hash.html", hash=series.facts["sha256"]),
            ]
            for series in measured.series
        ],
    )
    corpora = sortable_table(
        "Corpora",
        [
            Column("corpus", numeric=False),
            Column("aligned", numeric=False),
            Column("SHA-256 of the text", numeric=False),
        ],
        [
            [
                name(corpus["name"]),
                "yes" if corpus["parallel"] else "no",
                render("hash.html", hash=corpus["sha256"]),
            ]
            for corpus in record["corpora"]
        ],
    )
    body = render(
        "provenance.html",
        command=shlex.join(record["command"]),
        tokenizers=tokenizers,
        corpora=corpora,
        settings={key: _plain(value) for key, value in record["settings"].items()},
        versions=record["versions"],
        counting_version=record["counting_version"],
        run=_run(record["run"]),
    )
    return Section("provenance", "Provenance", body)


def _run(run: dict[str, Any]) -> dict[str, str]:
    """Return what differs from run to run, in words."""
    speeds = {
        tokenizer: "from the cache" if speed is None else f"{speed:.1f} MB/s"
        for tokenizer, speed in run["encoder_mb_per_second"].items()
    }
    whole = run["mb_per_second"]
    return {
        "finished": run["finished"],
        "platform": run["platform"],
        "seconds": f"{run['seconds']:.1f}",
        "text read": numbers.size(run["text_bytes"]),
        "whole measurement": numbers.UNMEASURED if whole is None else f"{whole:.1f} MB/s",
        "batches": f"{run['batches_encoded']} encoded, {run['batches_from_cache']} from the cache",
        **{f"encoder of {tokenizer}, one core": speed for tokenizer, speed in speeds.items()},
    }


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
