"""The pages on vocabulary curves, in their order."""

from reports.page import Section
from reports.vocabulary.best import wanted
from reports.vocabulary.curves import Curves, gains, sizes


def vocabulary_sections(curves: Curves) -> list[Section]:
    """Return what there is to say of vocabulary curves."""
    return [sizes(curves), gains(curves), wanted(curves)]
