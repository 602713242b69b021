"""Text files: a document per line, or per file; aligned files keep their line numbers."""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corpora.document import Batch, Document, Numbers, batched
from corpora.errors import InputError
from corpora.readers.bytes import (
    UTF8_SIGNATURE,
    decoded,
    decoded_lines,
    line_blocks,
    longest,
    too_long,
)
from corpora.readers.decompressed import TornFileError, blocks
from corpora.readers.settings import Reading


class LineDomain(NamedTuple):
    """The domain of lines `first` to `last` of every file, both counted from 1 and included."""

    name: str
    first: int
    last: int


def read_lines(reading: Reading) -> Iterator[Batch]:
    """Yield each line as a document named by its number; an empty line holds no text.

    Raises:
        InputError: the file cannot be read, or is not UTF-8 and that is refused.
    """
    file = reading.file
    language, domain = reading.labels
    for block in line_blocks(reading):
        lines = decoded_lines(block, reading)
        texts = [line for line in lines if line]
        if not texts:
            continue
        ids: Sequence[str] = Numbers(block.first_line, len(texts))
        if len(texts) < len(lines):
            ids = [str(n) for n, line in enumerate(lines, start=block.first_line) if line]
        yield Batch(texts, language, domain, file.source, ids)


def read_aligned(
    reading: Reading, document_ids: Sequence[str] | None = None, domains: Sequence[LineDomain] = ()
) -> Iterator[Batch]:
    """Yield each line, empty ones too, as a document whose alignment is its line number.

    A line that is skipped leaves its number out, so that the rest stays aligned.

    Args:
        document_ids: the document each line belongs to; None to name lines by their number.
        domains: the domain of ranges of lines; others have the file's.

    Raises:
        InputError: the file cannot be read, or is not UTF-8 and that is refused.
    """
    file = reading.file
    language, plain = reading.labels
    if reading.settings.domain:
        domains = ()
    for block in line_blocks(reading):
        lines = decoded_lines(block, reading)
        first = block.first_line
        numbers = Numbers(first, len(lines))
        ids = numbers if document_ids is None else document_ids[first - 1 : first - 1 + len(lines)]
        texts = [line for line in lines if line is not None]
        if len(texts) == len(lines) and not domains:
            yield Batch(texts, language, plain, file.source, ids, first)
            continue
        yield from batched(
            Document(text, language, _domain(number, domains, plain), file.source, name, number)
            for number, (text, name) in enumerate(zip(lines, ids, strict=True), start=first)
            if text is not None
        )


def read_whole(reading: Reading) -> Iterator[Batch]:
    """Yield the whole file, line ends included, as one document named by its source.

    Raises:
        InputError: the file cannot be read, is longer than the limit, or is not UTF-8 and that is
            refused.
    """
    file, most = reading.file, longest(reading)
    whole = io.BytesIO()
    try:
        for block in blocks(file):
            if whole.tell() + len(block) > most:
                raise too_long(file.place, "file", reading)
            whole.write(block)
    except TornFileError as error:
        raise InputError(f"{file.place}: {error}; fetch the file again or recompress it") from error
    data = whole.getvalue()
    whole.close()
    start = len(UTF8_SIGNATURE) if data.startswith(UTF8_SIGNATURE) else 0
    text = decoded(data[start:], None, start, reading)
    if text:
        language, domain = reading.labels
        yield Batch([text], language, domain, file.source, [file.source])


def _domain(line: int, domains: Sequence[LineDomain], otherwise: str) -> str:
    return next((d.name for d in domains if d.first <= line <= d.last), otherwise)
