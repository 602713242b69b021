"""Batches kept large where records of many languages and domains stand mixed in a file."""

from collections.abc import Iterable, Iterator
from itertools import chain

from corpora.document import Batch

# In characters, which are one to four bytes each.
_ENOUGH = 64 << 10
_MOST_HELD = 8 << 20
_DOCUMENT = 100  # what a document costs beside its characters: an empty one is not free

_Key = tuple[str, str, str]


def gathered(
    batches: Iterable[Batch], enough: int = _ENOUGH, most_held: int = _MOST_HELD
) -> Iterator[Batch]:
    """Yield the batches, small ones of one language, domain and source joined.

    Every batch that counts are cached for costs time and a file, so that a thousand domains,
    shuffled, would cost a batch for nearly each record. Within a language, domain and source the
    order stays. Aligned batches pass as they are.

    Args:
        enough: characters at which a batch is yielded.
        most_held: characters held back at most; beyond them the largest batch is yielded.
    """
    held: dict[_Key, list[Batch]] = {}
    sizes: dict[_Key, int] = {}
    total = 0
    for batch in batches:
        key = (batch.language, batch.domain, batch.source)
        size = sum(map(len, batch.texts)) + _DOCUMENT * len(batch.texts)
        if batch.first_alignment is not None or (size >= enough and key not in held):
            yield batch
            continue
        held.setdefault(key, []).append(batch)
        sizes[key] = sizes.get(key, 0) + size
        total += size
        while sizes.get(key, 0) >= enough or total > most_held:
            full = key if sizes.get(key, 0) >= enough else max(sizes, key=sizes.__getitem__)
            total -= sizes.pop(full)
            yield _joined(held.pop(full))
    yield from map(_joined, held.values())


def _joined(batches: list[Batch]) -> Batch:
    first, *rest = batches
    if not rest:
        return first
    texts = list(chain.from_iterable(batch.texts for batch in batches))
    ids = list(chain.from_iterable(batch.document_ids for batch in batches))
    return Batch(texts, first.language, first.domain, first.source, ids)
