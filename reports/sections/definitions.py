"""Every measure on the page, defined."""

from reports.html import render
from reports.measured import Measured
from reports.measures import MEASURES
from reports.section import Section
from tokenize_lab.fields import FIELDS


def definitions(measured: Measured) -> Section:
    """Define measures and counts."""
    return Section(
        "definitions",
        "Definitions",
        render(
            "definitions.html",
            measures=list(MEASURES.values()),
            fields=FIELDS,
            settings=measured.provenance["settings"],
        ),
    )
