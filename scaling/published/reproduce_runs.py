"""The golden numbers that other projects' published runs must give, where they are present."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.overtraining import fit_overtraining
from scaling.fits.porian import SEED_NOISE, fit_given_optima, fit_with_seed_noise
from scaling.fits.powers import fit_envelope
from scaling.published.coefficients import (
    BESIROGLU_REFIT,
    GADRE_REDPAJAMA,
    MARIN_ENVELOPE,
    PORIAN_POWERS,
    TAKANO_LOWER_EDGE,
)
from scaling.published.figure import Row, row
from scaling.read_runs import read_runs

PORIAN_PAIRS, PORIAN_POINTS = "porian_optimal_pairs.csv", "porian_isoflop_points.csv"
GADRE = "gadre_overtraining.csv"
TAKANO = "kyotakano_chinchilla.csv"
MARIN = "marin_envelope_4447.csv"
FILES = (PORIAN_PAIRS, PORIAN_POINTS, GADRE, TAKANO, MARIN)

# Porian's settings as the runs' files name them: warm-up, decay, parameter count.
_SETTINGS = {
    "kaplan": ("base", "long", "kaplan", ("kaplan", "attention")),
    "head": ("base", "long", "kaplan", ("standard",)),
    "warmup": ("base", "short", "kaplan", ("standard", "attention")),
    "decay": ("base", "short", "chinchilla", ("standard", "attention")),
    "tuned": ("tuned", "short", "const", ("standard", "attention")),
}
_GADRE_SMALL = ("d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8")
_KINK = "ours is the exact optimum (objective lower by 4e-7); L-BFGS stopped beside the kink"


def runs_rows(folder: Path, bootstrap: Bootstrap = CASES) -> Iterator[Row]:
    """Yield the rows whose file the folder holds.

    Raises:
        InputError: it holds none of them.
    """
    if not any((folder / name).is_file() for name in FILES):
        raise InputError(
            f"{folder}: none of {', '.join(FILES)} is there; name the folder that has them"
        )
    if (folder / PORIAN_PAIRS).is_file() and (folder / PORIAN_POINTS).is_file():
        yield from _porian(folder, bootstrap)
    if (folder / GADRE).is_file():
        yield from _gadre(folder)
    if (folder / TAKANO).is_file():
        yield from _takano(folder, bootstrap)
    if (folder / MARIN).is_file():
        yield from _marin(folder)


_SAME = ("dataset", "hparams", "warmup", "decay", "param_count")


def _table(path: Path, *columns: str) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a readable table ({reason}); fetch it again") from error
    for name in columns:
        if name not in frame.columns:
            held = ", ".join(frame.columns)
            raise InputError(f"{path}: no column {name!r} ({held}); fetch the published table")
    return frame


def _porian(folder: Path, bootstrap: Bootstrap) -> Iterator[Row]:
    pairs = _table(folder / PORIAN_PAIRS, "n_opt", "n_star_logstd", *_SAME).drop_nulls()
    points = _table(folder / PORIAN_POINTS, "source", *_SAME)
    for (data, setting), published in PORIAN_POWERS.items():
        dataset, _, attention = data.partition(" ")
        hparams, warmup, decay, counts = _SETTINGS[setting]
        same = [
            pl.col("dataset") == dataset,
            pl.col("hparams") == hparams,
            pl.col("warmup") == warmup,
            pl.col("decay") == decay,
            pl.col("param_count") == ("attention" if attention else counts[0]),
        ]
        given = pairs.filter(*same)
        columns = (given[name].to_numpy() for name in ("flops", "n_opt", "n_star_logstd"))
        exponent = fit_given_optima(*columns)["a"]
        runs = read_runs(points.filter(*same).drop("source"), f"{data}, {setting}")
        fit = fit_with_seed_noise(runs, SEED_NOISE[dataset], bootstrap)
        ours, theirs = fit.intervals["a"], published.intervals["a"]
        group = f"Porian, {data}, {setting}"
        yield row(
            group,
            "a",
            f"{published.estimates['a']:.4f}",
            exponent,
            theirs=theirs,
            interval=ours,
        )
        assert ours is not None and theirs is not None
        note = "end of an interval of random draws: it scatters by a few hundredths of its width"
        for end, printed, value in (
            ("low", theirs.low, ours.low),
            ("high", theirs.high, ours.high),
        ):
            text = f"{printed:.4f}"
            yield row(
                group, f"a, {end} end", text, value, judged="scatter", theirs=theirs, note=note
            )


def _gadre(folder: Path) -> Iterator[Row]:
    frame = _table(
        folder / GADRE, "dataset", "loss_c4_val", "token_multiplier", "model", "N"
    ).filter(pl.col("dataset") == "rpj")
    frame = frame.rename({"loss_c4_val": "loss"})
    ratio, model = pl.col("token_multiplier"), pl.col("model")
    five = ((ratio == 20) & model.is_in(_GADRE_SMALL)) | (
        (ratio == 320) & (model == _GADRE_SMALL[0])
    )
    fit = fit_overtraining(read_runs(frame.filter(five), "RedPajama, 5 models"), NO_BOOTSTRAP)
    group = "Gadre, RedPajama, 5 models"
    for name, printed in (("a", "166.21"), ("b", "366.69"), ("eta", "-.27285"), ("E", "1.8366")):
        assert float(printed) == GADRE_REDPAJAMA.estimates[name]
        yield row(group, name, printed, fit.estimates[name])
    for name, multiplier, printed in (("open_lm_1b", 640, ".7103"), ("open_lm_7b", 20, ".7320")):
        one = frame.filter((model == name) & (ratio == multiplier)).row(0, named=True)
        predicted = float(fit.predict("loss", params=one["N"], tokens_per_param=multiplier).value)
        error = 100 * abs(predicted / one["loss"] - 1)
        yield row(group, f"hold-out error, {name}, M = {multiplier}, %", printed, error)


def _takano(folder: Path, bootstrap: Bootstrap) -> Iterator[Row]:
    runs = read_runs(folder / TAKANO)
    fit = fit_chinchilla(runs, "lower-edge", bootstrap._replace(kind="none"))
    printed = {"E": "1.7002", "A": "184.69", "B": "1633.5", "alpha": ".2890", "beta": ".3558"}
    for name, text in printed.items():
        assert float(text) == TAKANO_LOWER_EDGE.estimates[name]
        beside = name in ("A", "B")
        yield row(
            "Takano, lower edge",
            name,
            text,
            fit.estimates[name],
            judged="context" if beside else "digits",
            note=_KINK if beside else "",
        )
    huber = fit_chinchilla(runs, "log-huber", bootstrap)
    note = "theirs from 240 of Chinchilla's points, ours from 234"
    for name, value in BESIROGLU_REFIT.estimates.items():
        yield row(
            "Besiroglu, Chinchilla refitted",
            name,
            f"{value:g}",
            huber.estimates[name],
            judged="context",
            theirs=BESIROGLU_REFIT.intervals[name],
            interval=huber.intervals[name],
            note=note,
        )


def _marin(folder: Path) -> Iterator[Row]:
    runs = read_runs(folder / MARIN, loss="loss_min_measured")
    fit = fit_envelope(
        runs.only(runs.column("compute_flops", "envelope") < 1e21), 1.6, NO_BOOTSTRAP
    )
    group = "Marin, envelope of 6 budgets"
    yield row(group, "A", "95.25", fit.estimates["A"])
    yield row(group, "alpha", ".0941", fit.estimates["alpha"])
    predicted = float(fit.predict("loss", compute_flops=1e21).value)
    note = "2.606 comes from the rounded coefficients; unrounded ones give 2.6055"
    rounded = float(MARIN_ENVELOPE.predict("loss", compute_flops=1e21).value)
    yield row(group, "loss predicted at 1e21, rounded coefficients", "2.606", rounded)
    yield row(group, "loss predicted at 1e21", "2.606", predicted, judged="context", note=note)
