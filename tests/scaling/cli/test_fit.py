"""`scaling fit`: strict JSON on stdout, one line on stderr for a mistake, exit codes."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scaling.laws.registry import LAWS
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.result import FitResult
from tests.cli import answer, command, mistake

ISOFLOP, OPTIMA = tables.path(tables.ISOFLOP), tables.path(tables.OPTIMA)
FIT = "scaling fit"


def test_surface_has_an_entry_per_budget() -> None:
    whole = answer(f"scaling fit {ISOFLOP} --law isoflop-surface --draws 50")
    assert whole["n"] == 311 and 0.9 < whole["r2"] < 1
    entries = {one["compute_flops"]: one for one in whole["entries"]}
    assert sorted(entries) == [1e19, 2e19, 1e20, 2e20, 1e21, 2e21]
    assert round(entries[1e20]["compression_rate_opt"], 2) == 3.71
    assert entries[1e20]["language"] == "eng_Latn"
    assert whole["estimates"]["compression_rate_opt@1e+20"] == entries[1e20]["compression_rate_opt"]
    low, high = entries[1e20]["intervals"]["bytes_per_param_opt"]
    assert low < 62.1 < high
    one = answer(f"scaling fit {ISOFLOP} --law isoflop-surface --budget 1e20 --draws 0")
    assert one["n"] == 64 and round(one["estimates"]["bytes_per_param_opt"], 1) == 62.1
    assert one["intervals"]["bytes_per_param_opt"] is None


def test_other_intervals() -> None:
    for kind in ("hessian", "profile"):
        one = answer(f"scaling fit {OPTIMA} --law law2 --intervals {kind}")
        low, high = one["intervals"]["gamma"]
        assert low < one["estimates"]["gamma"] < high and one["seed"] is None
    assert "is fitted in stages" in mistake(f"scaling fit {ISOFLOP} --law law1 --intervals hessian")


def test_law2_and_its_predictions() -> None:
    one = answer(f"scaling fit {OPTIMA} --law law2 --form compute-dependent --draws 100")
    assert set(one) >= {"law", "n", "estimates", "intervals", "r2", "rmse", "predictions"}
    at = {row["compute_flops"]: row for row in one["predictions"]}
    assert round(at[1e20]["compression_rate_opt"], 2) == 3.70
    assert at[1e22]["outside"]["compute_flops"] == pytest.approx(5)
    up_to = answer(f"scaling fit {OPTIMA} --law law2 --form mean --up-to 1e21 --draws 0")
    assert up_to["n"] == 42 and round(up_to["r2"], 4) == 0.9411


@pytest.mark.parametrize("law", ["isoflop", "law1", "joint", "joint-terms", "chinchilla"])
def test_laws_of_runs(law: str, tmp_path: Path) -> None:
    out = tmp_path / "fit"
    whole = answer(f"scaling fit {ISOFLOP} --law {law} --draws 40 --out {out}")
    files = sorted((out / "laws").glob("*.json"))
    assert len(files) == len(whole["entries"])
    read = FitResult.from_json(files[0].read_bytes())
    assert read.law.startswith(law)
    (copied,) = (out / "laws").glob("*.csv")
    assert read_runs(copied).sha256 == read.data_sha256
    assert read.summary() in (out / "laws" / f"{law}.txt").read_text()
    text = command(f"scaling fit {ISOFLOP} --law {law} --draws 0")
    assert "R2" in text.stdout and text.exit_code == 0


def two_languages(folder: Path) -> Path:
    frame = tables.table(tables.ISOFLOP)
    other = frame.with_columns(
        pl.lit("hin_Deva").alias("language"), (pl.col("bits_per_byte") * 0.4).alias("bits_per_byte")
    )
    path = folder / "two.csv"
    pl.concat([frame, other]).write_csv(path)
    return path


def test_languages_are_fitted_on_their_own(tmp_path: Path) -> None:
    whole = answer(f"scaling fit {two_languages(tmp_path)} --law law1 --draws 20")
    assert [one["language"] for one in whole["entries"]] == ["eng_Latn", "hin_Deva"]
    same = {name.split("@")[0]: value for name, value in whole["estimates"].items()}
    assert same["alpha"] == pytest.approx(whole["estimates"]["alpha@eng_Latn"])


def test_every_law_is_named_by_the_help_of_fit() -> None:
    words = command("scaling fit --help").stdout
    assert set(LAWS) <= set(re.findall(r"[\w-]+", words))


def test_a_failed_fit_is_written_and_exits_1(tmp_path: Path) -> None:
    frame = tables.table(tables.ISOFLOP).filter(pl.col("compute_flops") == 1e20)
    dome = frame.with_columns((2 - pl.col("bits_per_byte")).alias("bits_per_byte"))
    dome.write_csv(tmp_path / "dome.csv")
    out = tmp_path / "o"
    result = command(f"scaling fit {tmp_path}/dome.csv --law isoflop-surface --json --out {out}")
    assert result.exit_code == 1
    whole = result.json()
    assert whole["status"] == "not converged"
    found = {one["name"] for one in whole["findings"]}
    # A linear solve cannot run out of iterations: the shape alone is what is wrong.
    assert "concave surface" in found
    assert "not converged" not in found
    written = FitResult.from_json((out / "laws" / "isoflop-surface.json").read_bytes())
    assert written.status == "not converged" and not written.ok
    assert "not to be used" in result.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    assert "did you mean 'law2'" in mistake(f"scaling fit {ISOFLOP} --law lw2")
    assert "no such file" in mistake(f"scaling fit {tmp_path}/x.csv --law law2")
    assert "has no form 'constnt'; did you mean 'constant'" in mistake(
        f"scaling fit {OPTIMA} --law law2 --form constnt"
    )
    assert "no run at that --budget" in mistake(f"scaling fit {ISOFLOP} --law isoflop --budget 3")
    assert "give --irreducible" in mistake(f"scaling fit {OPTIMA} --law envelope")
    assert "give --base" in mistake(f"scaling fit {ISOFLOP} --law repeated")
    assert "no such fit" in mistake(f"scaling fit {ISOFLOP} --law repeated --base {tmp_path}/b")
    (tmp_path / "b.json").write_text('{"law": 3}')
    assert "not a fit" in mistake(f"scaling fit {ISOFLOP} --law repeated --base {tmp_path}/b.json")
    assert "no column 'los'" in mistake(f"scaling fit {ISOFLOP} --law chinchilla --loss los")
    for law in LAWS:
        assert law in mistake(f"scaling fit {ISOFLOP} --law {law}x")
    assert "vocabulary needs nonembedding_params" in mistake(
        f"scaling fit {ISOFLOP} --law vocabulary"
    )


def test_envelope_by_command(tmp_path: Path) -> None:
    path = tmp_path / "envelope.csv"
    path.write_text(
        "flops,best\n1e18,3.522\n3e18,3.339\n1e19,3.154\n3e19,3.0\n1e20,2.848\n3e20,2.725\n"
    )
    one = answer(f"scaling fit {path!s} --law envelope --irreducible 1.6 --loss best")
    assert round(one["estimates"]["alpha"], 4) == 0.0941
    assert one["holdout"]["n"] == 1


def test_a_fit_escapes_what_a_table_may_hold(tmp_path: Path) -> None:
    hostile = "a\x1b[31mred"
    frame = tables.table(tables.ISOFLOP).with_columns(pl.lit(hostile).alias("language"))
    path = tmp_path / "runs.csv"
    frame.write_csv(path)
    result = command(f"scaling fit {path} --law isoflop --draws 0 --out {tmp_path}")
    kept = (tmp_path / "laws" / "isoflop.txt").read_text()
    for text in (result.stdout, kept):
        assert "a\\x1b[31mred" in text and "\x1b" not in text


def test_draws_that_cannot_stand_for_the_uncertainty_give_no_interval(tmp_path: Path) -> None:
    # Three sizes determine a parabola exactly: its residuals are nothing, and so is what they say.
    path = tmp_path / "three.csv"
    rows = "\n".join(
        f"1e18,{n},{1e18 / (6 * n)},{loss}" for n, loss in ((1e7, 1.3), (3e7, 1.2), (1e8, 1.25))
    )
    path.write_text("compute_flops,global_params,train_bytes,bits_per_byte\n" + rows + "\n")
    whole = command(f"scaling fit {path} --law isoflop --json").json()
    assert whole["estimates"]
    assert set(whole["intervals"].values()) == {None}


def _bowls(*losses: list[float], **more: list[Any]) -> pl.DataFrame:
    """Return isoFLOP runs of one budget, sizes doubling, a curve of losses a rate."""
    rows: list[dict[str, Any]] = []
    for rate, curve in zip((2.0, 4.0, 8.0), losses, strict=False):
        for i, loss in enumerate(curve):
            params = 1e7 * 2.0**i
            data = 1e18 * rate / (6 * params)
            row = {"compression_rate": rate, "global_params": params, "train_bytes": data}
            rows.append({"compute_flops": 1e18, **row, "bits_per_byte": loss})
    return pl.DataFrame(rows).with_columns(*(pl.Series(name, one) for name, one in more.items()))


CURVE = [1.2, 1.1, 1.05, 1.11, 1.19]


def _written(frame: pl.DataFrame, path: Path) -> str:
    frame.write_csv(path)
    return str(path)


def test_rows_without_a_language_are_fitted_as_one_more(tmp_path: Path) -> None:
    named = _bowls(CURVE, language=["en"] * 5)
    nameless = _bowls(CURVE, language=[None] * 5).cast({"language": pl.String})
    both = _written(pl.concat([named, nameless]), tmp_path / "both.csv")
    fits = answer(f"scaling fit {both} --law isoflop --draws 20")["entries"]
    assert [one["language"] for one in fits] == ["", "en"]


@pytest.mark.parametrize("law", ["isoflop", "isoflop-surface", "law1", "chinchilla", "joint"])
def test_losses_that_do_not_vary_are_refused(tmp_path: Path, law: str) -> None:
    flat = _written(_bowls([1.5] * 5, [1.5] * 5, [1.5 + 1e-15] * 5), tmp_path / "flat.csv")
    assert "bits_per_byte is 1.5 in every row" in mistake(f"scaling fit {flat} --law {law}")


def test_a_curve_that_is_straight_but_for_rounding_has_no_minimum(tmp_path: Path) -> None:
    flat = _written(_bowls([1.5] * 5, CURVE), tmp_path / "flat.csv")
    done = command(f"scaling fit {flat} --law isoflop --json --draws 20")
    assert done.exit_code == 1
    straight, curved = done.json()["entries"]
    assert straight["estimates"] == {} and straight["status"] == "not converged"
    assert curved["status"] == "converged"


@pytest.mark.parametrize(
    ("column", "factor"),
    [("bits_per_byte", 1e200), ("compute_flops", 1e290), ("train_bytes", 1e95)],
)
def test_numbers_beyond_reason_are_refused_by_row(
    tmp_path: Path, column: str, factor: float
) -> None:
    frame = _bowls(CURVE, CURVE).with_columns(pl.col(column) * factor)
    table = _written(frame, tmp_path / "huge.csv")
    said = mistake(f"scaling fit {table} --law isoflop")
    assert f"row 1: {column} is " in said and "at most 1e+100" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--minima lowest", "--minima is for law2; leave it out of isoflop"),
        ("--irreducible .5", "--irreducible is for envelope"),
        ("--base muennighoff-repeated", "--base is for repeated"),
        ("--flops-convention full", "has no column flops_convention"),
    ],
)
def test_what_a_law_does_not_take_is_refused(tmp_path: Path, words: str, said: str) -> None:
    table = _written(_bowls(CURVE), tmp_path / "runs.csv")
    assert said in mistake(f"scaling fit {table} --law isoflop {words}")
    assert "--irreducible: -inf; must be a finite number" in mistake(
        f"scaling fit {OPTIMA} --law envelope --irreducible=-inf"
    )


def test_a_fit_takes_the_place_of_the_last_one_of_its_law(tmp_path: Path) -> None:
    three = _written(_bowls(CURVE, CURVE, CURVE), tmp_path / "three.csv")
    one = _written(_bowls(CURVE), tmp_path / "one.csv")
    out = str(tmp_path / "out")
    folder = tmp_path / "out" / "laws"
    for table, names in (
        (three, ["isoflop-1.json", "isoflop-2.json", "isoflop-3.json"]),
        (one, ["isoflop.json"]),
        (three, ["isoflop-1.json", "isoflop-2.json", "isoflop-3.json"]),
    ):
        answer(f"scaling fit {table} --law isoflop --draws 20 --out {out}")
        assert sorted(path.name for path in folder.glob("*.json")) == names
    answer(f"scaling fit {ISOFLOP} --law law1 --draws 20 --out {out}")
    assert len(list(folder.glob("*.json"))) == 4


def test_sizes_are_counted_and_not_their_repetitions(tmp_path: Path) -> None:
    thrice = pl.concat([_bowls([1.2, 1.1, 1.15]), _bowls([1.21, 1.12, 1.14])])
    seeds = thrice.with_columns(pl.Series("seed", [0, 0, 0, 1, 1, 1]))
    table = _written(seeds, tmp_path / "seeds.csv")
    fit = answer(f"scaling fit {table} --law isoflop --draws 20")
    assert "few sizes" in {one["name"] for one in fit["findings"]}
    cases = answer(f"scaling fit {table} --law isoflop --intervals cases")
    assert "too few cases" in {one["name"] for one in cases["findings"]}
    assert "too few cases" not in {one["name"] for one in fit["findings"]}


def test_a_law_is_set_beside_rivals_and_published_coefficients() -> None:
    whole = answer(
        f"scaling fit {OPTIMA} --law law2 --draws 40 --compare law2:constant"
        " --compare law2:compute-dependent"
        " --compare cot-law2-latent"
    )
    (compared,) = whole["comparison"]
    assert [one["form"] for one in compared["laws"]] == [
        "shrinking", "compute-dependent", "constant",
    ]  # fmt: skip
    assert compared["laws"][0]["delta_aicc"] == 0 and compared["laws"][1]["delta_aicc"] > 60
    assert round(compared["laws"][2]["holdout_rmse"], 4) == 0.0102
    rows = {one["name"]: one for one in compared["coefficients"]["cot-law2-latent"]}
    assert rows["gamma"]["second"] == -0.206 and rows["gamma"]["in_second"] is None
    joint = f"scaling fit {ISOFLOP} --law joint --draws 0 --compare"
    text = command(joint, "joint-terms").stdout
    assert "lowest AICc first" in text and "sum of powers" in text
    for other, said in (
        ("law2", "36, 311 rows cannot be weighed"),
        ("law9", "did you mean 'law2'"),
        ("hoffmann-approach3", "no coefficients in common"),
    ):
        assert said in mistake(joint, other)


def test_a_law_under_every_convention(tmp_path: Path) -> None:
    frame = _bowls(CURVE, CURVE[::-1], CURVE)
    frame = frame.with_columns(total_params=pl.col("global_params") + 2e6)
    table = _written(frame, tmp_path / "runs.csv")
    line = f"scaling fit {table} --law isoflop --draws 0 --conventions"
    rows = answer(line)["conventions"]
    assert {(one["params"], one["flops"]) for one in rows} == {
        ("global_params", "compute_flops"),
        ("total_params", "compute_flops"),
    }
    assert len(rows) == 6 and rows[0]["context"] == {"compute_flops": 1e18, "compression_rate": 2}
    ratios = [one["estimates"]["bytes_per_param_opt"] for one in rows]
    assert ratios[0] > ratios[3]
    text = command(line).stdout
    assert "counted otherwise" in text and "total_params" in text


def test_a_folder_called_laws_is_where_the_fits_lie(tmp_path: Path) -> None:
    done = command(f"scaling fit {OPTIMA} --law law2 --draws 0 --out {tmp_path / 'laws'}")
    assert f"(then: tokenize-lab report {tmp_path})" in done.stderr
    assert (tmp_path / "laws" / "law2.json").is_file()
    for folder in (tmp_path, tmp_path / "laws"):
        page = Path(command(f"report {folder}").stdout.strip()).read_text("utf-8")
        assert '<section id="laws-two"' in page
