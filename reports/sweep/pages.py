"""The pages on a sweep, in their order."""

from reports.page import Section
from reports.sweep.curves import curves
from reports.sweep.grid import grid
from reports.sweep.inference import inference
from reports.sweep.isoflops import isoflops
from reports.sweep.learning import learning
from reports.sweep.overview import opening, runs_table
from reports.sweep.rates import rates
from reports.sweep.results import SweepResults


def sweep_sections(sweep: SweepResults) -> list[Section]:
    """Return what there is to say of a sweep, finished or not."""
    return [
        opening(sweep),
        grid(sweep),
        curves(sweep),
        isoflops(sweep),
        rates(sweep),
        learning(sweep),
        inference(sweep),
        runs_table(sweep),
    ]
