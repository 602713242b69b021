"""From corpora to shards of text, split into what is trained on and what is held out."""

import array
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.corpus import Corpus
from corpora.document import Batch, Document, batched
from corpora.errors import InputError
from corpora.files import write_text
from corpora.locks import scratch_folder
from scaling.data.folders import file_entries, finished, publish
from scaling.data.shards import (
    BYTES,
    DOCUMENTS,
    LANGUAGES,
    MANIFEST,
    SPLITS,
    ShardManifest,
    Split,
    SplitCounts,
    Stream,
    content_key,
)

Advance = Callable[[int], object]

_CHUNK = 1 << 22
_MOST_LANGUAGES = 1 << 16


class ReadText(NamedTuple):
    """What is known of each document of some corpora, in the order read; none is empty.

    Attributes:
        names: of the corpora.
        lengths: [D] int64, bytes. languages: [D] uint16, an index into `language_names`.
        digests: [D, 2] uint64, 128 bits of a cryptographic hash of each text.
        language_names: in order of first appearance. empty: documents without any text, left out.
        sha256: of all texts, their lengths and languages.
    """

    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    languages: NDArray[np.uint16]
    digests: NDArray[np.uint64]
    language_names: tuple[str, ...]
    empty: int
    sha256: str


class Sides(NamedTuple):
    """Which documents are on which side.

    Attributes:
        train, held_out: [D] bool. A document in neither repeats one that is held out.
    """

    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def split_documents(text: ReadText, held_out_bytes: int | Mapping[str, int]) -> Sides:
    """Hold out whole documents from the end of each language.

    Each language gives its share of `held_out_bytes`, in proportion to its bytes, or what is asked
    of it by name, rounded up to whole documents. A document before them with the same text as one
    of them is left out, so that nothing held out is ever trained on. With 0 bytes all is held out:
    text to evaluate on.

    Raises:
        InputError: there is no text, or none of a language that is named, or a language is left
            with none to train on.
    """
    corpus = ", ".join(text.names)
    total = int(text.lengths.sum())
    if not total:
        raise InputError(f"{corpus}: holds no text; name a corpus that does")
    shares = held_out_bytes if isinstance(held_out_bytes, Mapping) else {}
    for name in shares:
        if name not in text.language_names:
            raise InputError(f"{corpus}: {name} holds no text; give it some, or leave it out")
    asked = sum(shares.values()) if isinstance(held_out_bytes, Mapping) else held_out_bytes
    if asked < 0:
        raise InputError(f"{asked} bytes to hold out; give 0 or more")
    held_out = np.zeros(len(text.lengths), np.bool_)
    if asked == 0:
        return Sides(train=held_out, held_out=~held_out)  # all of it, and none to train on
    for language, name in enumerate(text.language_names):
        spoken = np.flatnonzero(text.languages == language)
        from_end = np.cumsum(text.lengths[spoken[::-1]])
        share = shares.get(name, -(-asked * int(from_end[-1]) // total))
        taken = int(np.searchsorted(from_end, share)) + 1
        held_out[spoken[max(0, len(spoken) - taken) :]] = True
    train = ~held_out & ~_among(text.digests, text.digests[held_out])
    for language, name in enumerate(text.language_names):
        spoken = text.languages == language
        if not train[spoken].any():
            count = int(spoken.sum())
            raise InputError(
                f"{corpus}: {name} has {count:,} document{'s' if count > 1 else ''} of"
                f" {int(text.lengths[spoken].sum()):,} bytes, and holding out {asked:,} of"
                f" {total:,} bytes leaves none of them to train on; give more text, hold out less,"
                " or leave that language out"
            )
    return Sides(train, held_out)


def _among(digests: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which digests [D, 2] are among `wanted` [n, 2]: [D] bool."""
    # The first halves sift; the few that pass are compared whole.
    found: NDArray[np.bool_] = np.isin(digests[:, 0], wanted[:, 0])
    exact = set(map(tuple, wanted.tolist()))
    maybe = np.flatnonzero(found)
    found[maybe] = [tuple(digest) in exact for digest in digests[maybe].tolist()]
    return found


def build_text(
    corpora: Sequence[Corpus],
    folder: Path,
    *,
    held_out_bytes: int | Mapping[str, int],
    advance: Advance | None = None,
) -> Path:
    """Read corpora once and return their shards in `folder`, which is named by their content.

    Memory grows by some 26 bytes a document. The text is kept on disk beside the shards until they
    are whole. Equal text, languages and split give the same shards, whatever the corpora are
    called; if they are there already, nothing is written.

    Args:
        corpora: their documents follow one another; empty ones are left out.
        held_out_bytes: to hold out at least, from the end of each language, in all or by name
            (`split_documents`); 0 to hold out everything, for a corpus to evaluate on.
        advance: called with the number of bytes just read.

    Raises:
        InputError: a corpus cannot be read, there is too little text for both sides, or the folder
            cannot be written.
    """
    with scratch_folder(folder, ".text-") as scratch:
        spool = scratch / "spool"
        text = _read(corpora, spool, advance)
        sides = split_documents(text, held_out_bytes)
        key = content_key({"kind": "text", "text": text.sha256, "held_out": held_out_bytes})
        target = folder / key
        if finished(target):
            return target
        made = scratch / "made"
        splits: dict[Split, SplitCounts] = {}
        for split, keep in zip(SPLITS, sides, strict=True):
            _write_side(made / split, text, keep, spool)
            splits[split] = _counts(text, keep)
        neither = ~(sides.train | sides.held_out)
        manifest = ShardManifest(
            kind="text",
            key=key,
            text=key,
            languages=text.language_names,
            splits=splits,
            files=file_entries(made),
            made_of={"corpora": list(text.names), "held_out_bytes": held_out_bytes},
            left_out={
                "empty": text.empty,
                "repeats_of_held_out": int(neither.sum()),
                "repeated_bytes": int(text.lengths[neither].sum()),
            },
        )
        write_text(made / MANIFEST, manifest.to_json())
        return publish(made, target)


def _read(corpora: Sequence[Corpus], spool: Path, advance: Advance | None) -> ReadText:
    lengths, languages = array.array("q"), array.array("H")
    digests = bytearray()
    numbers: dict[str, int] = {}
    content = hashlib.sha256()
    empty = 0
    with spool.open("wb") as out:
        for corpus in corpora:
            for batch in corpus.batches():
                encoded = [text.encode() for text in batch.texts]
                kept = [text for text in encoded if text]
                empty += len(encoded) - len(kept)
                if kept:
                    number = numbers.setdefault(batch.language, len(numbers))
                    if number >= _MOST_LANGUAGES:
                        raise InputError(f"{corpus.name}: over {_MOST_LANGUAGES:,} languages")
                    lengths.extend(map(len, kept))
                    languages.extend([number] * len(kept))
                    for text in kept:
                        digests += hashlib.blake2b(text, digest_size=16).digest()
                raw = b"".join(kept)
                content.update(raw)
                out.write(raw)
                if advance is not None:
                    advance(len(raw))
    content.update(lengths.tobytes() + languages.tobytes() + "\0".join(numbers).encode())
    return ReadText(
        names=tuple(corpus.name for corpus in corpora),
        lengths=np.array(lengths, np.int64),
        languages=np.array(languages, np.uint16),
        digests=np.frombuffer(digests, np.uint64).reshape(-1, 2),
        language_names=tuple(numbers),
        empty=empty,
        sha256=content.hexdigest(),
    )


def _write_side(side: Path, text: ReadText, keep: NDArray[np.bool_], spool: Path) -> None:
    side.mkdir(parents=True)
    ends = np.cumsum(text.lengths)
    begins = ends - text.lengths
    kept = np.flatnonzero(keep)
    # Runs of kept documents that lie side by side in the spool.
    opens = kept[np.diff(kept, prepend=-2) > 1]
    closes = kept[np.diff(kept, append=len(keep) + 1) > 1]
    with spool.open("rb") as source, (side / BYTES).open("wb") as out:
        for begin, end in zip(begins[opens].tolist(), ends[closes].tolist(), strict=True):
            source.seek(begin)
            _copy(source, out, end - begin)
    offsets = np.concatenate([[0], np.cumsum(text.lengths[keep])])
    (side / DOCUMENTS).write_bytes(offsets.astype("<i8").tobytes())
    (side / LANGUAGES).write_bytes(text.languages[keep].astype("<u2").tobytes())


def _copy(source: BinaryIO, out: BinaryIO, size: int) -> None:
    while size:
        chunk = source.read(min(size, _CHUNK))
        assert chunk, "the spool is shorter than what was written to it"
        out.write(chunk)
        size -= len(chunk)


def _counts(text: ReadText, keep: NDArray[np.bool_]) -> SplitCounts:
    by_language = {
        name: int(text.lengths[keep & (text.languages == number)].sum())
        for number, name in enumerate(text.language_names)
    }
    total = sum(by_language.values())
    return SplitCounts(int(keep.sum()), total, total, by_language)


@dataclass(frozen=True)
class StreamCorpus:
    """The documents of a stream of bytes, as a corpus: what is trained on, and nothing held out.

    Attributes:
        stream: of bytes. name: what tables call it.
    """

    stream: Stream
    name: str

    @property
    def size_bytes(self) -> int | None:
        """Bytes of the stream."""
        return self.stream.byte_count

    @property
    def parallel(self) -> bool:
        """No document translates another."""
        return False

    def batches(self) -> Iterator[Batch]:
        """Yield the documents in order."""
        documents = (self.stream.document(index) for index in range(self.stream.document_count))
        return batched(Document(np.asarray(d, np.uint8).tobytes().decode()) for d in documents)
