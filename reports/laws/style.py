"""The style sheet of the pages on laws."""

from reports.html import text_file
from reports.palette import heat_colours


def laws_style() -> str:
    """Return the sheet, with a fill for every step of the heat scale."""
    fills = [f"svg .f{i}{{fill:{colour}}}" for i, (colour, _) in enumerate(heat_colours())]
    return text_file("laws.css") + "\n".join(fills) + "\n"
