"""What speaks against the fits: residuals, bootstrap clouds, conventions, named findings."""

from markupsafe import Markup

from reports.laws.clouds import clouds
from reports.laws.conventions import conventions
from reports.laws.material import Laws, shown_name
from reports.laws.residuals import residuals
from reports.section import Section
from reports.table import Column, sortable_table

_SEVERITIES = ("failure", "warning", "note")


def doubt(laws: Laws) -> Section:
    """Show everything a reader should know before trusting the fits."""
    parts = [
        ("Residuals", residuals(laws)),
        ("Bootstrap clouds", clouds(laws)),
        ("By which convention", conventions(laws)),
        ("Named findings", _findings(laws)),
    ]
    body = Markup("").join(Markup("<h3>{}</h3>{}").format(*part) for part in parts)
    return Section("laws-doubt", "What speaks against the fits", body)


def _findings(laws: Laws) -> Markup:
    said: dict[tuple[str, str, str], list[str]] = {}
    for fit in laws.fits:
        for one in fit.findings:
            said.setdefault((one.severity, one.name, one.message), []).append(
                shown_name(fit, laws.fits)
            )
    if not said:
        return Markup("<p>{}</p>").format("No check had anything to say.")
    ordered = sorted(said.items(), key=lambda item: (_SEVERITIES.index(item[0][0]), item[0]))
    return sortable_table(
        "What the checks of every fit had to say",
        [
            Column("severity", numeric=False),
            Column("check", numeric=False),
            Column("what was found", numeric=False),
            Column("fit", numeric=False),
        ],
        [[severity, name, message, _some(who)] for (severity, name, message), who in ordered],
        row_headers=2,
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
