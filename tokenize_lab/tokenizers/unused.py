"""How many ids a vocabulary may leave unused."""

from corpora.errors import InputError

# Vocabularies leave out a few thousand ids at most, and the largest published ones have about a
# million in all (XLM-V; Liang et al. 2023). A table is kept of all ids, so one damaged number
# could otherwise ask for all the memory there is.
MOST_UNUSED = 1_000_000


def refuse_gaps(place: str, largest: int, tokens: int) -> None:
    """Refuse a vocabulary whose largest id lies far beyond its number of tokens.

    Raises:
        InputError: more than `MOST_UNUSED` ids would have no token.
    """
    if largest + 1 - tokens > MOST_UNUSED:
        raise InputError(
            f"{place}: has an id {largest} for only {tokens} tokens; the file is damaged, fetch it "
            "again"
        )
