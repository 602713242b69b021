"""The laws over languages: planted truth, who borrows, tables of every kind, what is refused."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tokenize_lab as tl
from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP, Bootstrap
from scaling.fits.fit import fit
from scaling.fits.languages import fit_languages
from scaling.fits.parities import given_parities
from scaling.predict import predict
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.result import FitResult
from tests.cli import answer, command, mistake
from tests.conftest import ROOT
from tests.scaling.fits.planted_languages import AT_1, SLOPE, planted_languages

PARITY = (1.0, 1.2, 1.4, 1.7, 2.1, 2.6)
OURS = ROOT / "scaling" / "experiments" / "results" / "languages.csv"


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def fitted(runs: pl.DataFrame, draws: int = 0) -> FitResult:
    bootstrap = Bootstrap("cases", draws) if draws else NO_BOOTSTRAP
    (found,) = fit_languages(read_runs(runs, "planted"), bootstrap=bootstrap)
    return found


def named(found: FitResult, finding: str) -> str:
    return " ".join(one.message for one in found.findings if one.name == finding)


def thinned(runs: pl.DataFrame) -> pl.DataFrame:
    """Leave l3 two rates and two sizes."""
    few = (pl.col("compression_rate") < 8) & (pl.col("global_params") < 3e8)
    return runs.filter((pl.col("language") != "l3") | few)


def test_truth_without_noise_is_found_exactly() -> None:
    """Every language where its runs put it, and the line through them."""
    planted = planted_languages(PARITY, generator())
    found = fitted(planted.runs)
    for name, truth in planted.truth.items():
        line = np.polyfit(np.log(PARITY), np.log(truth), 1)
        assert found.estimates[f"{name}_slope"] == pytest.approx(line[0], rel=1e-6)
        assert found.estimates[f"{name}_at_1"] == pytest.approx(np.exp(line[1]), rel=1e-6)
        for index, best in enumerate(truth):
            assert found.estimates[f"{name}_opt:l{index}"] == pytest.approx(best, rel=1e-6)
    assert found.ok and found.n == len(PARITY) and found.context["compute_flops"] == 1e20
    assert found.holdout is not None and "each language left out" in found.holdout.rule


def test_on_the_line_there_is_no_effect_to_tell() -> None:
    planted = planted_languages(PARITY, generator(), tau=0.0, noise=0.01)
    found = fitted(planted.runs)
    assert found.estimates["compression_rate_tau"] == pytest.approx(0, abs=0.02)
    quiet = planted_languages(PARITY, generator(4), tau=0.0, noise=0.03)
    zero = fitted(quiet.runs)
    assert zero.estimates["compression_rate_tau"] == 0
    assert "compression_rate: languages lie off the line by no more" in named(zero, "tau is 0")
    line = zero.predict("compression_rate_opt", parity=2.1).value
    assert zero.estimates["compression_rate_opt:l4"] == pytest.approx(line)


def test_a_language_of_few_runs_borrows_and_says_so() -> None:
    """Two rates and two sizes of one language, the whole grid of the others."""
    planted = planted_languages(PARITY, generator(), noise=0.004)
    found, whole = fitted(thinned(planted.runs), draws=300), fitted(planted.runs, draws=300)
    weight = "compression_rate_weight:l3"
    assert found.estimates[weight] < 0.6 < 0.8 < whole.estimates[weight]
    own, pooled = (found.estimates[f"compression_rate_{kind}:l3"] for kind in ("own", "opt"))
    line = float(found.predict("compression_rate_opt", parity=1.7).value)
    assert abs(np.log(pooled / line)) < abs(np.log(own / line))
    ends, alone = (found.intervals[f"compression_rate_{kind}:l3"] for kind in ("opt", "own"))
    assert ends is not None and alone is not None
    assert ends.high / ends.low < alone.high / alone.low


def test_a_language_of_one_rate_is_put_on_the_line() -> None:
    planted = planted_languages((*PARITY, 3.5), generator(), noise=0.004)
    one = planted.runs.filter((pl.col("language") != "l6") | (pl.col("compression_rate") == 4))
    found = fitted(one, draws=300)
    line = found.predict("compression_rate_opt", parity=3.5)
    assert found.estimates["compression_rate_opt:l6"] == pytest.approx(float(line.value))
    assert "compression_rate_own:l6" not in found.estimates
    assert "l6 has runs of one rate" in named(found, "borrows")
    assert "parity 3.5 of l6 lies beyond" in named(found, "extrapolated parity")
    ends = found.intervals["compression_rate_opt:l6"]
    assert ends is not None and line.outside == {"parity": pytest.approx(3.5 / 2.6)}
    assert (ends.low, ends.high) == pytest.approx((line.low, line.high), rel=0.15)


def test_a_new_language_is_as_unsure_as_languages_differ() -> None:
    """With next to no noise: Student's t about the line, tau and the line's own error."""
    planted = planted_languages(PARITY, generator(), noise=1e-5)
    found = fitted(planted.runs, draws=4000)
    x = np.stack([np.ones(6), np.log(PARITY)], axis=1)
    y = np.log(planted.truth["compression_rate"])
    line, squares, *_ = np.linalg.lstsq(x, y, rcond=None)
    at = np.array([1, np.log(2.0)])
    spread = np.sqrt(squares[0] / 4 * (1 + at @ np.linalg.inv(x.T @ x) @ at))
    told = found.predict("compression_rate_opt", parity=2.0)
    half = np.log(np.array([told.low, told.high])) - at @ line
    assert half == pytest.approx(2.776 * spread * np.array([-1, 1]), rel=0.08)
    data = found.predict("train_bytes_opt", latent_flops=1e20, parity=2.0)
    rate, ratio = (
        float(found.predict(f"{name}_opt", parity=2.0).value)
        for name in ("compression_rate", "bytes_per_param")
    )
    assert float(data.value) == pytest.approx(np.sqrt(1e20 * rate * ratio / 6))
    assert 6 * float(data.value) ** 2 / ratio / rate == pytest.approx(1e20)


def test_published_languages() -> None:
    """One optimum a language, without errors: least squares, and the languages as they are."""
    rows = tables.table(tables.LANGUAGES).filter(setting="monolingual")
    (found,) = fit_languages(read_runs(rows, "published"), bootstrap=Bootstrap("cases", 2000))
    x = np.log(rows["parity"].to_numpy())
    for name, column in (
        ("compression_rate", "compression_rate_opt"),
        ("bytes_per_param", "bytes_per_param_opt"),
        ("bits_per_byte", "bits_per_byte"),
    ):
        slope, level = np.polyfit(x, np.log(rows[column].to_numpy()), 1)
        assert found.estimates[f"{name}_slope"] == pytest.approx(slope, rel=1e-6)
        assert found.estimates[f"{name}_at_1"] == pytest.approx(np.exp(level), rel=1e-6)
        assert found.estimates[f"{name}_opt:hin_Deva"] == pytest.approx(rows[column][-1])
    assert found.estimates["compression_rate_slope"] == pytest.approx(0.798, abs=5e-4)
    assert found.estimates["bits_per_byte_slope"] == pytest.approx(-1.041, abs=5e-4)
    assert "no interval of an optimum" in named(found, "no errors")


def test_optima_with_intervals_are_drawn_towards_the_line() -> None:
    rows = tables.table(tables.LANGUAGES).filter(setting="monolingual")
    best = pl.col("compression_rate_opt")
    wide = pl.when(pl.col("language") == "vie_Latn").then(2.0).otherwise(1.02)
    ends = rows.with_columns(
        compression_rate_opt_low=best / wide, compression_rate_opt_high=best * wide
    )
    found = fitted(ends)
    assert found.estimates["compression_rate_weight:vie_Latn"] < 0.2
    assert found.estimates["compression_rate_weight:rus_Cyrl"] > 0.9
    assert "vie_Latn" in named(found, "borrows") and "rus_Cyrl" not in named(found, "borrows")
    wrong = ends.with_columns(compression_rate_opt_high=best / 2)
    with pytest.raises(InputError, match=r"row 1: compression_rate_opt 3.71 has the interval"):
        fitted(wrong)


def test_rows_of_several_languages_are_rows_of_each() -> None:
    """What a joint sweep writes: one row a model, its loss and realised rate in every language."""
    planted = planted_languages(PARITY, generator(), noise=0.004)
    keys = ("compute_flops", "compression_rate", "global_params", "train_bytes")
    wide = planted.runs.pivot("language", index=keys, values="bits_per_byte")
    losses = {f"l{i}": f"bits_per_byte:l{i}" for i in range(len(PARITY))}
    wide = wide.rename(losses).with_columns(
        pl.col("compression_rate").alias(f"compression_rate:l{i}") for i in range(len(PARITY))
    )
    parity = {f"l{i}": one for i, one in enumerate(PARITY)}
    found, long = fit(wide, "languages", parity=parity, draws=0), fitted(planted.runs)
    assert found.only.estimates == pytest.approx(long.estimates)
    other = wide.with_columns(pl.col(r"^bits_per_byte:.*$") * 1.1, dataset=pl.lit("other"))
    none = other.with_columns(pl.lit(0.0).alias("share:l3"), pl.lit(9.0).alias("bits_per_byte:l3"))
    alone = wide.head(1).with_columns(
        pl.lit(None, pl.Float64).alias(f"bits_per_byte:l{i}") for i in range(len(PARITY))
    )
    tables_ = [wide.with_columns(dataset=pl.lit("one")), none, alone]
    mixed = fit(pl.concat(tables_, how="diagonal"), "languages", parity=parity, draws=0).only
    for name in ("compression_rate_own:l3", "bytes_per_param_own:l5"):  # levels of their own
        assert mixed.estimates[name] == pytest.approx(long.estimates[name], rel=0.02)
    assert [gone.reason for gone in mixed.excluded] == ["of one text, where others read several"]
    damaged = wide.with_columns((-pl.col("bits_per_byte:l2")).alias("bits_per_byte:l2"))
    with pytest.raises(InputError, match=r"row 1: bits_per_byte:l2 is -.*, not a positive number"):
        fit(damaged, "languages", parity=parity)


def test_our_own_texts() -> None:
    """Five texts, one size, three seeds: too little for an effect of languages, and said so."""
    found = fit(OURS, "languages", parity="eng=1,eng_x2=2", draws=200).only
    assert found.estimates["compression_rate_tau"] == 0
    assert "most that of eng_x2" in named(found, "bowls differ")
    assert "eng_x2 31.5 (2 to 16)" in named(found, "minimum outside the grid")
    assert named(found, "parity").startswith("of the embedded corpus: rus_Cyrl 1.85")
    slope = found.intervals["compression_rate_slope"]
    assert slope is not None and slope.low < 0 < 1 < slope.high
    assert "bytes_per_param_slope" not in found.estimates  # one size


def test_three_languages_have_no_slope() -> None:
    planted = planted_languages((1.0, 1.6, 2.4), generator(), noise=0.004)
    found = fitted(planted.runs, draws=100)
    assert found.form == "no slope" and "compression_rate_slope" not in found.estimates
    assert "3 languages have optima of their own, and a slope" in named(found, "no slope")
    here, there = (found.predict("compression_rate_opt", parity=p).value for p in (1.0, 2.4))
    assert here == there
    alike = planted_languages((1.0, 1.01, 1.02, 1.0), generator(), noise=0.004)
    assert "all parities are alike" in named(fitted(alike.runs), "no slope")


def test_domes_are_no_bowls() -> None:
    planted = planted_languages(PARITY, generator())
    dome = planted.runs.with_columns(bits_per_byte=1 / pl.col("bits_per_byte"))
    found = fitted(dome)
    assert not found.ok and "form no bowl" in named(found, "not fitted")


def test_command_library_and_prediction_agree(tmp_path: Path) -> None:
    planted = planted_languages(PARITY, generator(), noise=0.004)
    planted.runs.write_csv(tmp_path / "runs.csv")
    line = f"scaling fit {tmp_path}/runs.csv --law languages --draws 200"
    one = answer(f"{line} --out {tmp_path}/out")
    same = tl.fit(tmp_path / "runs.csv", "languages", draws=200)
    assert one["estimates"] == same.only.estimates
    assert FitResult.from_json(same.only.to_json()) == same.only
    written = f"{tmp_path}/out/laws/languages.json"
    told = answer(f"scaling predict {written} --at parity=1.9")["predictions"]
    by = {row["quantity"]: row for row in told}
    assert set(by) == {f"{name}_opt" for name in AT_1}
    assert (
        by["compression_rate_opt"]["value"]
        == same.predict("compression_rate_opt", parity=1.9).value
    )
    assert by["compression_rate_opt"]["low"] < by["compression_rate_opt"]["value"]
    far = predict(same.only, parity=40.0)
    assert any("parity lies up to 15.4 times beyond" in said for said in far.cautions)
    shown = command(f"{line} --parity l0=1.1,l1=1.3").stdout
    assert "parity:l0" in shown and "1.1" in shown


def test_parity_from_what_measure_prints(tmp_path: Path) -> None:
    rows = [{"language": "hin_Deva", "parity": 2.6}, {"language": "eng_Latn", "parity": 1.0},
            {"language": None, "parity": None}]  # fmt: skip
    (tmp_path / "m.json").write_text(json.dumps(rows))
    assert given_parities(tmp_path / "m.json") == {"hin_Deva": 2.6, "eng_Latn": 1.0}
    measured = answer("measure -t byte embedded:eng_Latn,hin_Deva")
    (tmp_path / "real.json").write_text(json.dumps(measured))
    assert given_parities(str(tmp_path / "real.json"))["hin_Deva"] == pytest.approx(2.518, abs=1e-3)
    assert given_parities("hin_Deva=2.5, eng=1") == {"hin_Deva": 2.5, "eng": 1.0}


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    def refuses(runs: pl.DataFrame, more: str = "") -> str:
        runs.write_csv(tmp_path / "runs.csv")
        return mistake(f"scaling fit {tmp_path}/runs.csv --law languages {more}")

    runs = planted_languages(PARITY, generator()).runs
    bare = runs.drop("parity")
    one = pl.col("language") == "l0"
    assert "at least 3 languages of two compression rates or more, and there is 1" in refuses(
        runs.filter(one)
    )
    assert "nothing tells the parity of l0: give --parity l0=X" in refuses(bare)
    assert "nothing tells the parity of l1" in refuses(bare, "--parity l0=1")
    assert "--parity l0=-2: bytes per byte of English is a positive number" in refuses(
        bare, "--parity l0=-2"
    )
    assert "give a number for each, as tha=2.6" in refuses(bare, "--parity l0")
    negative = runs.with_columns(parity=-pl.col("parity"))
    assert "row 1: parity is -1.0, not a positive number" in refuses(negative)
    two = runs.with_columns(parity=pl.when(pl.col("compression_rate") > 4).then(3.0).otherwise(1.0))
    assert "parity of l0 is 1 in one row and 3 in another" in refuses(two)
    assert "no such file" in refuses(bare, f"--parity {tmp_path}/none.json")
    (tmp_path / "x.json").write_text("{}")
    assert "no parity in it" in refuses(bare, f"--parity {tmp_path}/x.json")
    (tmp_path / "x.json").write_text("[3]")
    assert "not what `measure --json` prints" in refuses(bare, f"--parity {tmp_path}/x.json")
    assert "needs the language of each run" in refuses(runs.filter(one).drop("language"))
    assert "no language has three compression rates" in refuses(
        runs.filter(pl.col("compression_rate") < 8)
    )
    assert "resamples no rows" in refuses(runs, "--block budget")
    assert "is fitted in stages" in refuses(runs, "--intervals profile")
    assert "--parity is for languages; leave it out of law2" in mistake(
        f"scaling fit {tmp_path}/runs.csv --law law2 --parity l0=1"
    )
    optima = tables.table(tables.LANGUAGES)
    assert "2 rows of eng_Latn; an optimum is one row a language" in refuses(optima)


def coverage(
    replications: int, noise: float, few: bool = False, draws: int = 250, tau: float = 0.1
) -> dict[str, float]:
    """Return the share of intervals that hold the truth: of the line, of languages with runs, and
    of a new one."""
    source, held = generator(7), dict[str, list[bool]]()
    for seed in range(replications):
        planted = planted_languages(PARITY, source, tau, noise)
        runs = read_runs(thinned(planted.runs) if few else planted.runs, "planted")
        (found,) = fit_languages(runs, bootstrap=Bootstrap("cases", draws, seed))
        for name in AT_1:
            truths = {f"{name}_at_1": AT_1[name], f"{name}_slope": SLOPE[name]}
            for coefficient, truth in truths.items():
                ends = found.intervals[coefficient]
                held.setdefault(coefficient, []).append(ends is not None and truth in ends)
            for kind in ("opt", "own"):
                ends = found.intervals[f"{name}_{kind}:l3"]
                within = ends is not None and planted.truth[name][3] in ends
                held.setdefault(f"{name}_{kind}:l3", []).append(within)
                for index, truth in enumerate(planted.truth[name]):
                    ends = found.intervals[f"{name}_{kind}:l{index}"]
                    held.setdefault(f"{name}_{kind}", []).append(ends is not None and truth in ends)
        told = found.predict("compression_rate_opt", parity=1.8)
        new = AT_1["compression_rate"] * 1.8 ** SLOPE["compression_rate"]
        new *= np.exp(source.normal(0, tau))
        held.setdefault("new", []).append(bool(told.low <= new <= told.high))
    return {name: float(np.mean(values)) for name, values in held.items()}


def test_intervals_hold_the_truth_most_times() -> None:
    shares = coverage(8, noise=0.01, draws=200)
    assert np.mean(list(shares.values())) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "few"),
    [(0.004, False), (0.02, False), (0.004, True)],
    ids=["own runs rule", "the line rules", "one has few runs"],
)
def test_intervals_cover(noise: float, few: bool) -> None:
    """90 to 99 % of 200 replications, whether languages' own runs tell or hide what they have."""
    shares = coverage(200, noise, few)
    assert {name: share for name, share in shares.items() if not 0.90 <= share <= 0.99} == {}
