"""Mixtures of a real sweep: of two texts that are one text, any share is as good as half."""

from pathlib import Path

import pytest

from tests.cli import answer, command
from tests.scaling.config.test_sweep_file import TRAINING
from tests.scaling.sweep.test_mixing import STATIC
from tests.scaling.sweep.test_plan import QUICK

SHARES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)


@pytest.mark.slow
def test_two_texts_that_are_one_share_by_half_as_far_as_runs_tell(tmp_path: Path) -> None:
    texts = "".join(
        f'[texts.{name}]\ncorpus = ["embedded:eng_Latn"]\nheld_out_bytes = 2000\n'
        for name in ("first", "second")
    )
    mixtures = "".join(
        f"[[mixtures]]\nweights = {{ first = {share}, second = {1 - share:.1f} }}\n"
        for share in SHARES
    )
    file = tmp_path / "sweep.toml"
    file.write_text(f'name = "twins"\ncompute_flops = [1e9]\n{texts}{mixtures}{STATIC}{TRAINING}')
    out = tmp_path / "out"
    assert command(f"scaling sweep {file} --out {out} {QUICK}").exit_code == 0
    found = answer(f"scaling fit {out} --law mixture --keep-short --draws 200 --out {out}")
    low, high = found["intervals"]["share:first"]
    assert low <= 0.5 <= high
    assert any(finding["name"] == "texts alike" for finding in found["entries"][0]["findings"])
    assert command(f"report {out}").exit_code == 0
