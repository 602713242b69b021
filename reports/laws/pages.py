"""The pages on laws, in their order."""

from reports.laws.allocation import allocation
from reports.laws.bowl import bowls
from reports.laws.doubt import doubt
from reports.laws.isoflops import isoflops
from reports.laws.joint import joint
from reports.laws.optimal import optimal
from reports.laws.overview import opening
from reports.laws.profiles import profiles
from reports.laws.results import Laws
from reports.laws.shipped import reproduced
from reports.measured import Measured
from reports.page import Section


def law_sections(laws: Laws, measured: Measured | None) -> list[Section]:
    """Return what there is to say of the laws of a folder.

    Arguments:
        laws: fits and runs.
        measured: tokenizers measured on text, to be set beside the laws; None where there are none.
    """
    sections = [opening(laws), bowls(laws), isoflops(laws), allocation(laws), profiles(laws)]
    if measured is not None:
        sections.append(optimal(laws, measured))
    return [*sections, joint(laws), doubt(laws), reproduced(laws)]
