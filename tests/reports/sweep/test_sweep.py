"""The report of a sweep: planted truth is drawn where it lies, and nothing more is claimed."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from corpora.errors import InputError
from reports.build import OF_SWEEP, build_report, sections_of
from reports.charts.svg import Styles
from reports.numbers import power
from reports.sweep.curves import MOST_CURVES, chosen_curves, curves, differing, learning
from reports.sweep.grid import grid as grid_section
from reports.sweep.isoflops import sweep_isoflops
from reports.sweep.minima import isoflops_of, published_minima
from reports.sweep.overview import findings, sweep_overview
from reports.sweep.rates import best_by_rate, best_rates, front, inference, rate_sentences
from reports.sweep.results import (
    PER_DECADE,
    SweepResults,
    SweepRun,
    read_curve,
    read_sweep_results,
    sizes,
    views,
)
from scaling.record import failed_record, write_record
from scaling.spec import RunSpec
from scaling.sweep.folder import SweepFolder
from scaling.train.metrics import METRICS
from tests.reports.folders import HOSTILE
from tests.reports.sweep.sweeps import (
    BEST_RATE,
    BEST_SIZE,
    BUDGETS,
    RATES,
    SIZES,
    bowl,
    ended,
    grid,
    hostile_sweep,
    planted_sweep,
    slope,
    spec_of,
    unfinished_sweep,
)
from tests.reports.test_build import Page
from tests.scaling.sweep.sweeps import planned, tiny
from tests.scaling.train.runs import run as train_run

SECTIONS = ["sweep", "sweep-grid", "sweep-curves", "sweep-isoflop", "sweep-rates",
            "sweep-learning", "sweep-inference", "sweep-runs"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    return planted_sweep(tmp_path_factory.mktemp("sweep") / "planted", grid())


@pytest.fixture(scope="module")
def sweep(folder: SweepFolder) -> SweepResults:
    return read_sweep_results(folder.path)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    return unfinished_sweep(tmp_path_factory.mktemp("sweep") / "unfinished")


def results(path: Path, specs: list[RunSpec], **more: str) -> SweepResults:
    return read_sweep_results(planted_sweep(path, specs, **more).path)  # type: ignore[arg-type]


def test_a_sweep_becomes_one_page(folder: SweepFolder) -> None:
    path = build_report(folder.path)
    text = path.read_text("utf-8")
    page = Page(text)
    assert page.faults == [] and page.open == []
    assert [a["id"] for a in page.all("section")] == SECTIONS
    assert build_report(folder.path).read_text("utf-8") == text
    for _, attributes in page.elements:
        assert "style" not in attributes and "src" not in attributes
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identities)) == len(identities)


def test_the_planted_minimum_is_found_at_every_rate_and_budget(sweep: SweepResults) -> None:
    found = isoflops_of(sweep.runs)
    assert len(found) == 2 * len(RATES) * len(BUDGETS)
    size = f"{BEST_SIZE[0]}×{BEST_SIZE[1]}"
    for one in found:
        assert one.interior and one.verdict == "minimum inside" and one.bound is None
        best = next(run for run in one.runs if run.size == size)
        assert one.fit is not None
        assert one.fit.estimates["bytes_per_param_opt"] == pytest.approx(
            best.spec.bytes_per_param, rel=0.02
        )
    assert 'class="ring"' in sweep_isoflops(sweep).body


def test_where_no_minimum_lies_inside_none_is_given(tmp_path: Path) -> None:
    sweep = read_sweep_results(planted_sweep(tmp_path, grid(("static",)), slope).path)
    for one in isoflops_of(sweep.runs):
        assert not one.interior and one.bound is not None
        best, above = one.bound
        assert best.size == "1×16" and above
        assert one.verdict == "lowest at the smallest model, 1×16: no optimum"
    body = sweep_isoflops(sweep).body
    assert 'class="ring"' not in body and "no optimum" in body
    assert body.count(" or more</title>") == len(RATES) * len(BUDGETS)
    assert any(sentence.startswith("None of 8") for sentence in findings(sweep))
    assert all("may lie beyond" in one for one in rate_sentences(sweep))


def test_two_sizes_make_no_parabola(tmp_path: Path) -> None:
    sweep = results(tmp_path, [spec_of(size) for size in SIZES[:2]])
    (one,) = isoflops_of(sweep.runs)
    assert one.fit is None and not one.interior and one.bound is None
    assert one.verdict == "2 sizes long enough, and a parabola needs 3"
    assert "nothing to set beside" in sweep_isoflops(sweep).body


def hump(spec: RunSpec) -> float:
    """Return bits per byte that are lowest at the largest size and highest at one in between."""
    return {(1, 16): 2.7, (1, 32): 2.9}.get((spec.model.layers, spec.model.dim), 2.6)


def test_a_curve_that_falls_towards_both_ends_bounds_nothing(tmp_path: Path) -> None:
    specs = [spec_of(size, budget=3e12) for size in ((1, 16), (1, 32), (2, 32))]
    sweep = read_sweep_results(planted_sweep(tmp_path, specs, hump).path)
    (one,) = isoflops_of(sweep.runs)
    assert not one.interior and one.bound is None
    assert one.verdict == "the parabola has no minimum among these sizes"
    (said,) = (sentence for sentence in findings(sweep) if "isoFLOP" in sentence)
    assert said == (
        "None of 1 isoFLOP curve turns inside the sizes trained. Of 1, no best size can be read."
    )
    assert "nothing to set beside" in sweep_isoflops(sweep).body


def test_short_runs_are_shown_and_not_fitted(sweep: SweepResults) -> None:
    short = [run for run in sweep.runs if run.short]
    assert short
    fitted = {run.job.run_id for one in isoflops_of(sweep.runs) for run in one.runs}
    assert not fitted & {run.job.run_id for run in short}
    assert not {run.job.run_id for run in sweep.usable} & {run.job.run_id for run in short}
    assert sweep_isoflops(sweep).body.count(", too short</title>") == len(short)
    assert grid_section(sweep).body.count(">too short<") >= len(short)


def test_short_runs_do_not_flatten_what_is_fitted(tmp_path: Path) -> None:
    # At a tenth of the budget all but the smallest are too short, and lie far above.
    specs = [spec_of(size, 1.0, budget) for budget in (3e11, 3e12) for size in SIZES]

    def planted(spec: RunSpec) -> float:
        return bowl(spec) + (20 if spec.training.steps < 300 else 0)

    sweep = read_sweep_results(planted_sweep(tmp_path, specs, planted).path)
    assert any(run.short for run in sweep.runs) and sweep.usable
    body = sweep_isoflops(sweep).body.split("<details")[0]
    ticks = [
        float(one)
        for one in re.findall(r'class="tick"[^>]* text-anchor="end"[^>]*>([\d.]+)<', body)
    ]
    assert ticks and max(ticks) < 20


def test_a_sweep_of_runs_too_short_says_so(tmp_path: Path) -> None:
    sweep = results(tmp_path, [spec_of(size, budget=1e11) for size in SIZES])
    assert not sweep.usable
    assert findings(sweep) == [
        "5 of 5 runs are too short, of fewer than 300 steps, and left out of everything that is "
        "compared or fitted."
    ]


def test_what_entropy_patches_cost_is_said(tmp_path: Path, sweep: SweepResults) -> None:
    specs = [spec_of(size, rate, 3e12, "entropy") for rate in (2.0, 4.0) for size in SIZES]
    folder = planted_sweep(tmp_path, specs)
    for spec in specs:
        record = ended(spec, bowl(spec))
        write_record(folder.run(spec.run_id), replace(record, patching_flops=1.5e13))
    placed = read_sweep_results(tmp_path)
    words = (
        "The byte model that places the entropy patches took 1.5×10¹³ FLOPs more, which no budget "
        "here counts: 5 times the least of them."
    )
    assert words in findings(placed) and words in best_rates(placed).body
    body = inference(placed).body
    read = 1.5e13 / min(run.record.unique_bytes for run in placed.usable if run.record)
    assert f"at most {power(float(f'{read:.3g}'))} FLOPs per byte" in body
    # Where none was paid for, nothing is said.
    assert "byte model" not in inference(sweep).body + best_rates(sweep).body


def test_a_share_of_flops_that_is_not_nothing_does_not_read_as_nothing(tmp_path: Path) -> None:
    sweep = results(tmp_path, [spec_of((1, dim), 8.0, 3e12) for dim in (4, 8, 16)])
    found = re.search(r"took ([\d.]+) to ([\d.]+) % of the FLOPs", sweep_isoflops(sweep).body)
    assert found and 0 < float(found[1]) < 0.5 < float(found[2])


def test_the_best_rate_is_the_planted_one(sweep: SweepResults) -> None:
    best = best_by_rate(sweep.usable)
    assert len(best) == 2 * len(RATES) * len(BUDGETS)
    assert {run.size for run in best} == {f"{BEST_SIZE[0]}×{BEST_SIZE[1]}"}
    said = rate_sentences(sweep)
    assert len(said) == 2 and said[0].startswith("static: at 10¹² FLOPs")
    assert said[0].count(f"at T = {BEST_RATE:g}, between the rates trained") == len(BUDGETS)
    assert best_rates(sweep).body.count("whisker") == len(best)


def test_the_front_holds_what_nothing_beats(sweep: SweepResults) -> None:
    runs = [run for run in sweep.usable if run.budget == BUDGETS[0]]
    kept = front(runs)
    for one in runs:
        beaten = any(
            other.forward_flops <= one.forward_flops and other.loss < one.loss for other in runs
        )
        assert beaten == (one not in kept) or one.loss in [other.loss for other in kept]
    cost, loss = [run.forward_flops for run in kept], [run.loss for run in kept]
    assert cost == sorted(cost) and loss == sorted(loss, reverse=True)
    assert 'class="front"' in inference(sweep).body


def test_learning_rates_are_compared_only_where_nothing_else_differs(
    tmp_path: Path, sweep: SweepResults
) -> None:
    assert differing(sweep.runs) == []
    assert "No two runs of this sweep differ by learning rate alone" in learning(sweep).body
    rates = (1e-3, 3e-3, 6e-3)
    several = results(tmp_path, [spec_of(learning_rate=one) for one in rates] + [spec_of(seed=1)])
    (group,) = differing(several.runs)
    assert [run.spec.training.learning_rate for run in group] == list(rates)
    body = learning(several).body
    assert "Lowest between their ends: 1 of 1 line." in body
    assert body.count("<polyline") == 1
    # The grid shows the best of them, and the fit takes it.
    assert "finished (4 of 4)" in grid_section(several).body
    (one,) = isoflops_of(several.runs)
    assert sorted(run.spec.training.learning_rate for run in one.runs) == [3e-3, 3e-3]


def test_a_sweep_that_runs_is_shown_as_far_as_it_is(unfinished: SweepFolder) -> None:
    sweep = read_sweep_results(unfinished.path)
    assert len(sweep.runs) == 11 and len(sweep.unread) == 1
    body = grid_section(sweep).body
    for state in ("waiting", "running", "diverged", "failed", "unreadable", "finished"):
        assert f'<span class="state">{state}</span>' in body
        assert f"state-{state}" in body
    assert "50 %" in body
    assert "the loss is not finite &amp; &lt;b&gt;was&lt;/b&gt; 9.1" in body
    assert "its specification is not there" in body
    assert str(unfinished.path) not in body
    assert "It has not ended" in sweep_overview(sweep).body
    page = Page(build_report(unfinished.path).read_text("utf-8"))
    assert page.faults == [] and page.open == []


@pytest.mark.parametrize("keep", [0, 1])
def test_a_sweep_without_results_has_every_section(tmp_path: Path, keep: int) -> None:
    folder = planted_sweep(tmp_path, [spec_of(size) for size in SIZES])
    for run in sorted(folder.runs.iterdir())[keep:]:
        shutil.rmtree(run)
    sweep = read_sweep_results(tmp_path)
    assert [section.identity for section in sections_of(OF_SWEEP, sweep)] == SECTIONS
    assert len(sweep.unread) == len(SIZES) - keep
    build_report(tmp_path)


def test_a_damaged_list_of_jobs_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"sweep\.json"):
        build_report(tmp_path)


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    text = build_report(hostile_sweep(tmp_path).path).read_text("utf-8")
    page = Page(text)
    assert page.faults == [] and page.open == []
    assert len(page.all("script")) == 1 and not page.all("img")
    assert "<script>alert" not in text and "\u202e" not in text
    assert HOSTILE[0].replace("<", "&lt;").replace(">", "&gt;") in text
    assert not any("onload" in attributes for _, attributes in page.elements)


def test_curves_are_short_smooth_and_forgiving(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    lines = [
        json.dumps({"step": step, "train_bytes": step * 100, "bits_per_byte": 3 + (step % 2)})
        for step in range(1, 100_001)
    ]
    lines[10] = json.dumps({"step": 11, "train_bytes": 1100, "bits_per_byte": None})
    path.write_text("\n".join([*lines, "[]", '{"step": 1e999}', '{"step": 5, "train_by']), "utf-8")
    found = read_curve(path)
    assert len(found) <= 5 * PER_DECADE + 1
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert found[0] == (100.0, 4.0)
    assert found[-1][1] == pytest.approx(3.5, abs=0.01)
    assert read_curve(tmp_path / "none") == []


def test_a_sweep_that_spent_nothing_has_a_report(tmp_path: Path) -> None:
    specs = [spec_of(size) for size in SIZES]
    folder = planted_sweep(tmp_path, specs)
    for spec in specs:
        write_record(folder.run(spec.run_id), failed_record(spec, "out of memory"))
    assert "; none were spent in all." in sweep_overview(read_sweep_results(tmp_path)).body
    build_report(tmp_path)


def test_a_panel_holds_so_many_curves_and_says_so(tmp_path: Path) -> None:
    sweep = results(tmp_path, [spec_of(size, seed=seed) for seed in range(4) for size in SIZES])
    chosen = chosen_curves(sweep.runs)
    assert len(chosen) == MOST_CURVES < len(sweep.runs)
    seeds = [run.spec.seed for run in chosen]
    assert seeds == sorted(seeds) and seeds.count(0) == len(SIZES)
    body = curves(sweep).body
    assert body.count("<polyline") == MOST_CURVES
    assert "8 of 20 curves are left out" in body


def test_a_panel_without_room_keeps_the_largest_budgets(tmp_path: Path) -> None:
    budgets = (3e11, 1e12, 3e12, 1e13)
    sweep = results(tmp_path, [spec_of(size, budget=one) for one in budgets for size in SIZES])
    chosen = chosen_curves(sweep.runs)
    kept = [run.budget for run in chosen]
    assert kept.count(1e13) == kept.count(3e12) == len(SIZES) and 3e11 not in kept
    # Runs that ended before the part that is drawn are not counted as drawn.
    body = curves(sweep).body
    gone = re.search(r" (\d+) of 20 runs ended before that part begins", body)
    crowded = re.search(r" (\d+) of (\d+) curves are left out", body)
    assert gone and crowded and int(gone[1]) == 20 - int(crowded[2])
    assert body.count("<polyline") == int(crowded[2]) - int(crowded[1]) == MOST_CURVES


def test_curves_of_one_rate_are_drawn_side_by_side(sweep: SweepResults) -> None:
    figure = sweep_isoflops(sweep).body.split('id="sweep-minima-title"')[1]
    places = re.findall(r'<circle[^>]* cx="([\d.]+)"[^>]*><title>static, T = 4,', figure)
    assert len(places) == len(set(places)) == len(BUDGETS)
    tick = float(re.findall(r'class="tick[^>]* x="([\d.]+)"[^>]*>4<', figure)[0])
    assert sum(map(float, places)) / len(places) == pytest.approx(tick, abs=0.2)


def test_views_and_sizes_are_ordered(sweep: SweepResults) -> None:
    assert [one[1] for one in views(sweep.runs)] == ["static"] * 4 + ["entropy"] * 4
    assert [one[3] for one in views(sweep.runs)][:4] == list(RATES)
    assert sizes(sweep.runs) == [f"{layers}×{dim}" for layers, dim in SIZES]


def test_every_tokenizer_has_a_row_of_its_own(tmp_path: Path) -> None:
    specs = [spec_of(size, rate, kind="tokens") for rate in (2.0, 3.0) for size in SIZES]
    sweep = results(tmp_path, specs)
    assert [run.arm for run in best_by_rate(sweep.usable)] == ["tokens", "tokens"]
    body = grid_section(sweep).body
    assert "tokens: state" in body and "bpe:512" in body


def test_styles_tell_series_apart_by_two_things() -> None:
    styles = Styles(["a", "b"], [1, 2])
    drawn = {styles(one, other) for one in "ab" for other in (1, 2)}
    assert len(drawn) == 4
    assert [one.name for one in styles.key(["A", "B"], ["1", "2"])] == ["A", "B", "1", "2"]
    assert len(Styles(["a", "b"], [1]).key(["A", "B"], ["1"])) == 2


def test_published_minima_lie_inside_their_grids() -> None:
    found = published_minima()
    assert len(found) == 35
    assert all(40 < fit.estimates["bytes_per_param_opt"] < 120 for fit in found)


def test_runs_that_were_really_trained(tmp_path: Path) -> None:
    specs = [replace(tiny(seed, 12), compression_rate=4.0) for seed in range(2)]
    folder, jobs = planned(tmp_path, specs)
    shards = next(folder.shards.iterdir())
    sweep = read_sweep_results(tmp_path)
    assert [run.status.phase for run in sweep.runs] == ["waiting", "waiting"]
    train_run(sweep.runs[0].spec, shards, folder.run(jobs[0].run_id))
    sweep = read_sweep_results(tmp_path)
    first: SweepRun = sweep.runs[0]
    assert first.status.phase == "finished" and first.short
    assert first.curve and first.curve[-1][0] <= first.spec.train_bytes
    assert first.interval is not None and first.interval[0] < first.loss < first.interval[1]
    text = build_report(tmp_path).read_text("utf-8")
    assert f"{first.loss:.4f}" in text and "too short" in text


def test_nothing_in_a_folder_is_changed(folder: SweepFolder, tmp_path: Path) -> None:
    def state(paths: Sequence[Path]) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = state(sorted(folder.runs.rglob("*")))
    build_report(folder.path, tmp_path / "page.html")
    assert state(sorted(folder.runs.rglob("*"))) == before
