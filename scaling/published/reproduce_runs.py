"""Published figures, reproduced from the published runs of other projects, where they are there."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.other_laws import fit_overtraining
from scaling.fits.powers import SEED_NOISE, fit_envelope, fit_given_optima, fit_with_seed_noise
from scaling.laws.registry import Options
from scaling.load_table import load_table
from scaling.published.figure import PublishedFigure, figures, for_context
from scaling.published.tables import BESIROGLU_REFIT, MARIN_ENVELOPE, PORIAN_POWERS
from scaling.read_runs import read_runs
from scaling.result import FitResult

PORIAN_PAIRS, PORIAN_POINTS = "porian_optimal_pairs.csv", "porian_isoflop_points.csv"
GADRE = "gadre_overtraining.csv"
TAKANO = "kyotakano_chinchilla.csv"
MARIN = "marin_envelope_4447.csv"
FILES = (PORIAN_PAIRS, PORIAN_POINTS, GADRE, TAKANO, MARIN)


def figures_of_runs(folder: Path, bootstrap: Bootstrap = CASES) -> Iterator[PublishedFigure]:
    """Yield the figures whose file the folder holds.

    Raises:
        InputError: it holds none of them.
    """
    present = {name for name in FILES if (folder / name).is_file()}
    if not present:
        raise InputError(
            f"{folder}: none of {', '.join(FILES)} is there; name the folder that has them"
        )
    if {PORIAN_PAIRS, PORIAN_POINTS} <= present:
        yield from _porian(folder, bootstrap)
    if GADRE in present:
        yield from _gadre(folder)
    if TAKANO in present:
        yield from _takano(folder, bootstrap)
    if MARIN in present:
        yield from _marin(folder)


def _table(path: Path, *columns: str) -> pl.DataFrame:
    frame = load_table(path).frame
    for name in columns:
        if name not in frame.columns:
            held = ", ".join(frame.columns)
            raise InputError(f"{path}: no column {name!r} ({held}); fetch the published table")
    return frame


# Porian's settings as the runs' files name them: warm-up, decay, parameter count.
_SETTINGS = {
    "kaplan": ("base", "long", "kaplan", "kaplan"),
    "head": ("base", "long", "kaplan", "standard"),
    "warmup": ("base", "short", "kaplan", "standard"),
    "decay": ("base", "short", "chinchilla", "standard"),
    "tuned": ("tuned", "short", "const", "standard"),
}
_SAME = ("dataset", "hparams", "warmup", "decay", "param_count")


def _porian(folder: Path, bootstrap: Bootstrap) -> Iterator[PublishedFigure]:
    pairs = _table(folder / PORIAN_PAIRS, "n_opt", "n_star_logstd", *_SAME).drop_nulls()
    points = _table(folder / PORIAN_POINTS, "source", *_SAME)
    note = "end of an interval of random draws: it scatters by a few hundredths of its width"
    for (data, setting), published in PORIAN_POWERS.items():
        dataset, _, attention = data.partition(" ")
        *hparams, params = _SETTINGS[setting]
        values = (dataset, *hparams, attention or params)
        same = [pl.col(name) == value for name, value in zip(_SAME, values, strict=True)]
        given = pairs.filter(*same)
        columns = (given[name].to_numpy() for name in ("flops", "n_opt", "n_star_logstd"))
        exponent = fit_given_optima(*columns)["a"]
        runs = read_runs(points.filter(*same).drop("source"), f"{data}, {setting}")
        interval = fit_with_seed_noise(runs, SEED_NOISE[dataset], bootstrap).intervals["a"]
        printed = published.intervals["a"]
        assert interval is not None and printed is not None
        group = f"Porian, {data}, {setting}"
        text = f"{published.estimates['a']:.4f}"
        yield PublishedFigure(group, "a", text, exponent, "digits", printed, interval)
        for end, text, value in (
            ("low", f"{printed.low:.4f}", interval.low),
            ("high", f"{printed.high:.4f}", interval.high),
        ):
            name = f"a, {end} end"
            yield PublishedFigure(group, name, text, value, "scatter", printed, note=note)


_GADRE_SMALL = ("d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8")


def _gadre(folder: Path) -> Iterator[PublishedFigure]:
    columns = ("dataset", "loss_c4_val", "token_multiplier", "model", "N")
    frame = _table(folder / GADRE, *columns).filter(pl.col("dataset") == "rpj")
    frame = frame.rename({"loss_c4_val": "loss"})
    ratio, model = pl.col("token_multiplier"), pl.col("model")
    small = (ratio == 20) & model.is_in(_GADRE_SMALL)
    overtrained = (ratio == 320) & (model == _GADRE_SMALL[0])
    runs = read_runs(frame.filter(small | overtrained), "RedPajama, 5 models")
    fit = fit_overtraining(runs, bootstrap=NO_BOOTSTRAP)
    found = dict(fit.estimates)
    for name, multiplier in (("open_lm_1b", 640), ("open_lm_7b", 20)):
        large = frame.filter((model == name) & (ratio == multiplier)).row(0, named=True)
        loss = fit.predict("loss", params=large["N"], tokens_per_param=multiplier).value
        error = 100 * abs(float(loss) / large["loss"] - 1)
        found[f"hold-out error, {name}, M = {multiplier}, %"] = error
    yield from figures("Gadre, RedPajama, 5 models", found)


def _takano(folder: Path, bootstrap: Bootstrap) -> Iterator[PublishedFigure]:
    runs = read_runs(folder / TAKANO)
    fit = fit_chinchilla(runs, Options("lower-edge"), bootstrap._replace(kind="none"))
    yield from figures("Takano, lower edge", fit.estimates)
    huber = fit_chinchilla(runs, Options("log-huber"), bootstrap)
    note = "theirs from 240 of Chinchilla's points, ours from 234"
    yield from for_context("Besiroglu, Chinchilla refitted", BESIROGLU_REFIT, huber, note)


def _marin(folder: Path) -> Iterator[PublishedFigure]:
    runs = read_runs(folder / MARIN, loss="loss_min_measured")
    six = runs.only(runs.column("compute_flops", "envelope") < 1e21)
    fit = fit_envelope(six, Options(irreducible=1.6), NO_BOOTSTRAP)
    found = {
        **fit.estimates,
        "loss predicted at 1e21, rounded coefficients": _loss(MARIN_ENVELOPE),
        "loss predicted at 1e21": _loss(fit),
    }
    yield from figures("Marin, envelope of 6 budgets", found)


def _loss(fit: FitResult) -> float:
    return float(fit.predict("loss", compute_flops=1e21).value)
