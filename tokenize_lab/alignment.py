"""Which groups of counts may be compared line by line."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tokenize_lab.counts import Group, GroupCounts
from tokenize_lab.fields import FIELD_INDEX


class Place(NamedTuple):
    """A group but for its language: what is compared across languages."""

    tokenizer: str
    corpus: str
    domain: str | None
    document: str | None


def place_of(group: Group) -> Place:
    """Return the group's place."""
    return Place(group.tokenizer, group.corpus, group.domain, group.document)


def references(counts: dict[Group, GroupCounts], language: str) -> dict[Place, Group]:
    """Return, for each place, the group of the first language that begins with `language`."""
    result: dict[Place, Group] = {}
    for group, part in counts.items():
        if group.language is not None and part.aligned and group.language.startswith(language):
            result.setdefault(place_of(group), group)
    return result


def aligned_languages(counts: dict[Group, GroupCounts]) -> dict[tuple[str, str], Sequence[Group]]:
    """Return, by tokenizer and corpus, the aligned languages that hold every line.

    Languages that lack lines are left out, as are rows split further than by language: their costs
    are not the same text's. Fewer than two languages are none.
    """
    by_place: dict[tuple[str, str], list[Group]] = {}
    for group, part in counts.items():
        whole = group.language is not None and group.domain is None and group.document is None
        if whole and part.aligned:
            by_place.setdefault((group.tokenizer, group.corpus), []).append(group)
    result: dict[tuple[str, str], Sequence[Group]] = {}
    for key, groups in by_place.items():
        lines = {group: counts[group].units[:, FIELD_INDEX["documents"]] for group in groups}
        fullest = max(lines.values(), key=np.sum)
        complete = [group for group in groups if np.array_equal(lines[group], fullest)]
        if len(complete) > 1:
            result[key] = complete
    return result
