"""Runs on several languages in the sweep's page: a panel for each, every figure in a table."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports.build import build_report
from scaling.record import LanguageRecord, write_record, write_spec
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from tests.reports.sweep.sweeps import ended, spec_of

NAMES = ("eng", "<rus>")


def sweep_of(path: Path, mixtures: int) -> SweepFolder:
    """Write a sweep of finished runs of two languages, whose losses fall with their shares."""
    folder, jobs = SweepFolder(path), []
    for number in range(mixtures):
        share = number / max(1, mixtures - 1)
        shares = dict(zip(NAMES, (share, 1 - share), strict=True))
        spec = replace(spec_of(), shares=shares, seed=number)
        record = ended(spec, 2.0)
        parts = tuple(
            LanguageRecord(
                language=name,
                train_bytes=round(part * record.train_bytes),
                train_tokens=round(part * record.train_bytes / 4),
                validation_nats=(3 - part) * 1000,
                validation_bytes=1000,
                validation_tokens=250,
                validation_interval=((2.9 - part) / 0.6931, (3.1 - part) / 0.6931),
            )
            for name, part in shares.items()
        )
        write_spec(folder.run(spec.run_id), spec)
        write_record(folder.run(spec.run_id), replace(record, languages=parts))
        jobs.append(Job(run_id=spec.run_id, shards=spec.shards, text=f"mix{number}"))
    write_sweep(folder, Sweep("mixed", tuple(jobs), {}))
    return folder


@pytest.mark.parametrize("mixtures", [1, 8])
def test_every_language_of_every_run(tmp_path: Path, mixtures: int) -> None:
    page = build_report(sweep_of(tmp_path, mixtures).path).read_text()
    assert "Languages of one model" in page and "<rus>" not in page
    section = page[page.index('id="sweep-languages"') :]
    section = section[: section.index("</section>")]
    assert section.count("Bits per byte of ") >= 2
    assert len(re.findall(r"<tr[ >]", section)) >= 1 + 2 * mixtures
    assert ("--law mixture" in page) == (mixtures > 6)
    assert ("isoFLOP" in page) == (mixtures <= 6)


def test_runs_of_one_language_have_no_such_section(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    spec = spec_of()
    write_spec(folder.run(spec.run_id), spec)
    write_record(folder.run(spec.run_id), ended(spec, 2.0))
    write_sweep(
        folder, Sweep("one", (Job(run_id=spec.run_id, shards=spec.shards, text="eng"),), {})
    )
    assert "Languages of one model" not in build_report(tmp_path).read_text()
