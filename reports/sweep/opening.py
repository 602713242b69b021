"""What a sweep is, how it stands, and what it found."""

from markupsafe import Markup

from reports.html import text_file
from reports.laws.style import laws_style
from reports.laws.text import power
from reports.numbers import listed, plural
from reports.section import Section
from reports.sweep.material import SweepResults, budgets, lowest
from reports.sweep.minima import isoflops_of
from reports.sweep.rates import rate_sentences
from reports.words import strong
from scaling.sweep.status_text import duration


def opening(sweep: SweepResults) -> Section:
    """Say how the sweep stands and what its runs show."""
    lead = Markup('<p class="lead">{} {}</p>').format(strong(sweep.status.name), _stands(sweep))
    items = Markup("").join(Markup("<li>{}</li>").format(one) for one in findings(sweep))
    body = lead + (Markup('<ul class="findings">{}</ul>').format(items) if items else Markup(""))
    return Section("sweep", "This sweep", body, style=laws_style() + text_file("sweep.css"))


def _stands(sweep: SweepResults) -> str:
    status = sweep.status
    counts = [f"{count:,} {phase}" for phase, count in status.counts.items() if count]
    words = f"is {plural(len(status.runs), 'run')}: {listed(counts)}." if counts else "has no runs."
    spent = [power(one) for one in budgets(sweep.runs)]
    if 0 < len(spent) <= 6:
        words += f" Each was given {listed(spent).replace(' and ', ' or ')} training FLOPs;"
        total = power(float(f"{status.flops:.3g}")) if status.flops else "none"
        words += f" {total} were spent in all."
    if not status.ended:
        words += " It has not ended, and this page shows what there is"
        left = status.seconds_left
        words += "." if left is None else f"; some {duration(left)} are left."
    return words


def findings(sweep: SweepResults) -> list[str]:
    """Return what the runs show, a sentence each, in plain text."""
    if not sweep.usable:
        return []
    sentences = []
    for text in sweep.texts:
        runs = [run for run in sweep.usable if run.job.text == text]
        if len(runs) > 1:
            best = lowest(runs)
            said = (
                f"lowest of all, {best.loss:.4f} bits per byte, by {best.tokenization} at "
                f"T = {best.rate_text}, {best.size} global layers × width, "
                f"{power(best.budget)} FLOPs."
            )
            sentences.append(f"{text}: {said}" if sweep.several_texts else f"L{said[1:]}")
    sentences += rate_sentences(sweep)
    curves = [one for one in isoflops_of(sweep.runs) if one.fit is not None]
    if curves:
        inside = sum(one.interior for one in curves)
        words = f"{inside or 'None'} of {plural(len(curves), 'isoFLOP curve')} turn inside the "
        words += "sizes trained"
        if inside < len(curves):
            words += "; where one does not, no best size can be read, only which side it is on"
        sentences.append(f"{words}.")
    sentences.append(
        "All this is of small models on little text: it compares what was trained here, and "
        "forecasts nothing of models a million times as large."
    )
    return sentences
