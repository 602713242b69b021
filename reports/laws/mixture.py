"""The mixture of texts: the best one, what each share does to each language, what caps cost, and
tokenizers side by side."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from reports.charts.chart import Axis, Chart, Panel, linear, octaves, panels, round_ticks
from reports.charts.rows import Dot, dot_plot
from reports.charts.svg import INK, Series, legend, series_style
from reports.html import columns, sortable_table
from reports.laws.results import Laws
from reports.numbers import ends_of, ends_text, listed, plural, significant, with_interval
from reports.page import Section, behind, bullets, figure, heading, lead, note
from scaling.engine.newton import Array
from scaling.mixtures.arms import apart_lines
from scaling.mixtures.design import epoch_caps
from scaling.mixtures.optimum import LanguageDraws, best_mixture
from scaling.mixtures.result import MixtureArm, MixtureLaw, spread

_STEPS = 41  # points of a line over a share
_EPOCHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_MOST_TEXTS = 12  # drawn, those of the largest best shares
_TARGET = series_style(0)._replace(colour=INK)


def mixture(laws: Laws) -> Section | None:
    """Show the mixture law of a folder; None where there is none."""
    law = laws.mixture
    if law is None:
        return None
    shown = _texts_shown(law)
    best = _best_shares(law, shown)
    body = lead(_answer(law)) + figure(best.picture, best.caption, _key(law))
    if law.apart:
        said = [". ".join(line.strip() for line in apart_lines(law, pair)) for pair in law.apart]
        body += bullets(said)
    body += behind("Table: best shares, caps, and the mean of the best draws", _shares_table(law))
    for place, arm in enumerate(law.arms):
        body += heading(f"Loss over each share{_of(arm)}") + _over_shares(law, arm, shown, place)
    body += heading("What caps cost") + _caps(law)
    body += behind("Table: loss of each language at the best mixture", _losses_table(law))
    body += behind("Table: how well each form predicts runs left out", _errors_table(law))
    findings = [
        f"{f'{arm.name}: ' if arm.name else ''}{found.message}."
        for arm in law.arms
        for found in arm.findings
    ]
    return Section("mixture", "Which mixture of texts", body + bullets(findings))


def _of(arm: MixtureArm) -> str:
    return f", {arm.name}" if arm.name else ""


def _texts_shown(law: MixtureLaw) -> list[int]:
    largest = np.max([arm.best.shares for arm in law.arms], axis=0)
    chosen = np.argsort(-largest, kind="stable")[:_MOST_TEXTS]
    return sorted(int(place) for place in chosen)


def _answer(law: MixtureLaw) -> Markup:
    """Return the best mixture of the first arm, in a sentence."""
    arm = law.arms[0]
    ranked = sorted(zip(law.texts, arm.best.shares, strict=True), key=lambda pair: -pair[1])
    parts = [f"{text} {share:.0%}" for text, share in ranked if share >= 0.005]
    return Markup(
        "For the {} the best mixture is <b>{}</b>, with a loss of {} <small>{}</small>{}{}."
    ).format(
        law.name if law.name.startswith("mean") else f"loss of {law.name}",
        listed(parts),
        significant(arm.best.loss, 4),
        ends_text(arm.best.loss_interval, 4),
        f" {law.unit}" if law.unit != "loss" else "",
        f", by the runs of {arm.name}" if arm.name else "",
    )


def _key(law: MixtureLaw) -> Markup:
    if len(law.arms) == 1:
        return Markup("")
    return legend([Series(arm.name, series_style(i)) for i, arm in enumerate(law.arms)])


def _best_shares(law: MixtureLaw, shown: Sequence[int]) -> Panel:
    rows = []
    for j in shown:
        dots = []
        for i, arm in enumerate(law.arms):
            share, ends = arm.best.shares[j], arm.best.intervals[j]
            hint = f"{law.texts[j]}{_of(arm)}: {significant(share)} {ends_text(ends)}".strip()
            dots.append(Dot(series_style(i), i, share, ends_of(ends), hint))
        rows.append((law.texts[j], dots))
    more = len(law.texts) - len(shown)
    left_out = f"; {plural(more, 'text')} of the smallest shares not drawn" if more else ""
    title = "The best share of each text"
    return Panel(
        title,
        dot_plot(
            "mixture-best",
            title,
            f"Each with its {law.level:.0%} interval{left_out}.",
            "share of the bytes trained on",
            rows,
            origin=0.0,
        ),
    )


def _shares_table(law: MixtureLaw) -> Markup:
    rows = []
    for arm in law.arms:
        for j, text in enumerate(law.texts):
            cap = arm.best.caps[j]
            rows.append(
                [
                    text,
                    arm.name,
                    with_interval(arm.best.shares[j], arm.best.intervals[j]),
                    significant(cap) if cap < 1 else "none",
                    significant(arm.sampled[j], 2),
                ]
            )
    return sortable_table(
        "Best shares",
        columns(
            "text: | tokenizer: | best share | cap | best of draws",
            {
                "cap": "largest share: epochs times the text's bytes over the budget's",
                "best of draws": f"mean of the 128 best of 100,000 draws, by {law.form}: the "
                "published way",
            },
        ),
        rows,
    )


def _over_shares(law: MixtureLaw, arm: MixtureArm, shown: Sequence[int], place: int) -> Markup:
    """Return a chart for each text: losses as its share grows from the best mixture, the others
    shrinking alike."""
    names = [name for name, weight in law.target.items() if weight]
    series = [Series(name, series_style(i)) for i, name in enumerate(names)]
    lines = {j: _along(law, arm, names, j) for j in shown}
    values = [value for _, losses in lines.values() for value in losses.ravel()]
    y = linear(law.unit, values)
    drawn = []
    for j, (shares, losses) in lines.items():
        chart = Chart(_share_axis(law.texts[j]), y, height=240)
        marks = [chart.rule(x=arm.best.shares[j])]
        for one, values_ in zip(series, losses.T, strict=True):
            points = list(zip(shares.tolist(), values_.tolist(), strict=True))
            marks.append(chart.line(one.style, points, one.name))
        if len(names) > 1:
            weights = np.array([law.target[name] for name in names])
            mean = losses @ (weights / weights.sum())
            points = list(zip(shares.tolist(), mean.tolist(), strict=True))
            marks.append(chart.line(_TARGET, points, law.name))
        drawn.append(
            chart.panel(
                law.texts[j],
                f"mixture-{place}-{j}",
                f"Losses over the share of {law.texts[j]}",
                f"The other texts keep their proportions in the best mixture{_of(arm)}.",
                marks,
            )
        )
    if len(names) > 1:
        series = [*series, Series(law.name, _TARGET)]
    words = (
        f"By {law.form}. From the best mixture (dashed) the share of one text grows or shrinks, and"
        " the others keep their proportions; lines end at the largest share of a run."
    )
    return legend(series, lines=True) + panels(drawn) + note(words)


def _along(
    law: MixtureLaw, arm: MixtureArm, names: Sequence[str], text: int
) -> tuple[Array, Array]:
    """Return [steps] shares of a text, and [steps, languages] losses."""
    best = np.array(arm.best.shares)
    others = best.copy()
    others[text] = 0.0
    if others.sum() <= 0:
        others = np.ones(len(best))
        others[text] = 0.0
    others /= others.sum()
    highest = max(float(arm.shares[:, text].max()), best[text])  # beyond it nothing was tried
    shares = np.linspace(0, highest, _STEPS)
    mixtures = (1 - shares)[:, None] * others
    mixtures[:, text] = shares
    losses = [arm.value(law.form, {name: 1.0}, mixtures) for name in names]
    return shares, np.stack(losses, axis=1)


def _share_axis(text: str) -> Axis:
    return Axis(f"share of {text}", 0.0, 1.0, round_ticks(0.0, 1.0, 5))


def _caps(law: MixtureLaw) -> Markup:
    """Return the lowest loss over how often each text may be read."""
    unknown = [text for text in law.texts if text not in law.text_bytes]
    if unknown or law.train_bytes is None:
        lacks = "bytes a run read (train_bytes)" if not unknown else (
            f"size of {listed(unknown[:4])}{' and others' if len(unknown) > 4 else ''}"
            " (unique_bytes:NAME)"
        )  # fmt: skip
        return note(
            f"The table does not tell the {lacks}, so how often a text would be read is not known."
            " tokenize-lab scaling advise --mixture FIT.json takes them by --text-bytes and"
            " --bytes."
        )
    lines = []
    for arm in law.arms:
        points = []
        for epochs in _EPOCHS:
            caps = _caps_of(law, epochs)
            if caps[arm.tried].sum() >= 1:
                best = best_mixture(
                    LanguageDraws(arm.regressions, law.target), caps, law.level, arm.tried
                )
                points.append((epochs, best.loss, ends_of(best.loss_interval)))
        lines.append(points)
    known = [point for points in lines for point in points]
    if not known:
        return note("The texts are too small for the runs' budget at any number of epochs drawn.")
    ends = [end for _, loss, pair in known for end in (loss, *(pair or ()))]
    chart = Chart(
        octaves("epochs of a text, at most", [epochs for epochs, _, _ in known]),
        linear(law.unit, ends),
        width=640,
    )
    marks = []
    for i, (arm, points) in enumerate(zip(law.arms, lines, strict=True)):
        marks += chart.banded(series_style(i), points, arm.name or law.name)
        for epochs, loss, pair in points:
            hint = (
                f"{significant(epochs)} epochs{_of(arm)}: {significant(loss, 4)} {ends_text(pair)}"
            )
            marks.append(chart.mark(series_style(i), epochs, loss, hint))
    panel = chart.panel(
        "",
        "mixture-caps",
        "The lowest loss over how often texts may be read",
        f"At the runs' own budget, {significant(law.train_bytes)} bytes.",
        marks,
    )
    costs = [
        f"{f'{arm.name}: ' if arm.name else ''}four epochs cost"
        f" {significant(arm.best.cost)} {ends_text(arm.best.cost_interval)} {law.unit}"
        for arm in law.arms
    ]
    words = (
        f"The loss of the best mixture where no text is read more often, at the runs' own"
        f" {significant(law.train_bytes)} bytes; {'; '.join(costs)}."
    )
    return _key(law) + panels([panel], wide=True) + note(words)


def _caps_of(law: MixtureLaw, epochs: float) -> Array:
    assert law.train_bytes is not None
    caps = epoch_caps(law.text_bytes, law.train_bytes, dict.fromkeys(law.texts, epochs))
    return np.array([caps[text] for text in law.texts])


def _losses_table(law: MixtureLaw) -> Markup:
    rows = []
    for arm in law.arms:
        even = np.full(len(law.texts), 1 / len(law.texts))
        laws = LanguageDraws(arm.regressions, law.target)
        losses, drawn = laws.losses(laws.point, even), laws.losses(laws.draws, even)
        for i, (name, loss) in enumerate(arm.best.losses.items()):
            at_even = spread(float(losses[i]), drawn[:, i], law.level)
            rows.append(
                [
                    name,
                    arm.name,
                    with_interval(loss, arm.best.loss_intervals[name], 4),
                    with_interval(at_even.value, at_even.interval, 4),
                ]
            )
    return sortable_table(
        f"Losses, {law.unit}",
        "language: | tokenizer: | at the best mixture | at equal shares",
        rows,
    )


def _errors_table(law: MixtureLaw) -> Markup:
    rows = [
        [
            law.name if row.of == "target" else row.of,
            arm.name,
            row.form,
            significant(row.rmse),
            with_interval(row.rank_correlation, row.interval),
        ]
        for arm in law.arms
        for row in arm.errors
    ]
    chosen = "the lowest error of the target chose it" if law.chosen else "as asked"
    return sortable_table(
        f"Each run left out in turn; losses here are predicted by {law.form} ({chosen})",
        columns(
            "of: | tokenizer: | form: | RMSE | rank correlation",
            {"rank correlation": "Spearman's, of predictions and losses"},
        ),
        rows,
    )


def mixture_panels(law: MixtureLaw) -> list[Panel]:
    """Return the chart of the best shares alone, for a figure."""
    return [_best_shares(law, _texts_shown(law))._replace(caption="")]
