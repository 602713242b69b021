"""Whether the text of a language that is to be kept is encoded as before."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from corpora.corpus import Corpus
from corpora.document import utf8_length
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import Encoding, IntArray, Tokenizer

EXAMPLES = 3  # of changed texts
_LONGEST = 200  # characters of one
KeptRow = dict[str, Any]


def kept_rows(
    before: Tokenizer,
    after: Tokenizer,
    corpora: Iterable[Corpus],
    new_ids: IntArray | None = None,
    progress: ReportProgress = silent,
) -> list[KeptRow]:
    """Encode text with both tokenizers and count, by language, the texts whose encoding changed.

    Args:
        new_ids: [V] the new id of each old one, -1 for none; the same ids by default.
        progress: told of the bytes of text just compared.
    """
    rows: dict[str, KeptRow] = {}
    for corpus in corpora:
        for batch in corpus.batches():
            row = rows.setdefault(batch.language, _empty(batch.language))
            old, new = before.encode_batch(batch.texts), after.encode_batch(batch.texts)
            if new_ids is not None:
                old = Encoding(new_ids[old.ids.astype(np.int64)].astype(np.uint32), old.lengths)
            changed = changed_texts(old, new)
            size = sum(map(utf8_length, batch.texts))
            row["texts"] += len(batch.texts)
            row["changed"] += len(changed)
            row["bytes"] += size
            row["tokens_before"] += len(old.ids)
            row["tokens_after"] += len(new.ids)
            room = EXAMPLES - len(row["examples"])
            row["examples"] += [batch.texts[i][:_LONGEST] for i in changed[:room].tolist()]
            progress("comparing encodings", size)
    return [rows[language] for language in sorted(rows)]


def _empty(language: str) -> KeptRow:
    counts = dict.fromkeys(("texts", "changed", "bytes", "tokens_before", "tokens_after"), 0)
    return {"language": language, **counts, "examples": []}


def changed_texts(old: Encoding, new: Encoding) -> IntArray:
    """Return which texts have other ids: [changed] ascending."""
    differ = old.lengths != new.lengths
    of_old, of_new = (np.repeat(~differ, encoding.lengths) for encoding in (old, new))
    other = np.flatnonzero(old.ids[of_old] != new.ids[of_new])
    same_length = np.flatnonzero(~differ)
    ends = np.cumsum(old.lengths[same_length])
    differ[same_length[np.unique(np.searchsorted(ends, other, side="right"))]] = True
    return np.flatnonzero(differ)
