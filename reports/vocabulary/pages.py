"""The pages on vocabulary curves, in their order."""

from reports.section import Section
from reports.vocabulary.material import Curves
from reports.vocabulary.sizes import gains, sizes
from reports.vocabulary.wanted import wanted


def vocabulary_sections(curves: Curves) -> list[Section]:
    """Return what there is to say of vocabulary curves."""
    return [sizes(curves), gains(curves), wanted(curves)]
