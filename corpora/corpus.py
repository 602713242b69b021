"""A corpus: a name, and documents that can be read as often as needed.

Text held in memory as a corpus: a list of strings, or one for each language.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from corpora.arguments import has_values
from corpora.document import UNKNOWN_LANGUAGE, Batch, Document, batched
from corpora.errors import InputError
from corpora.readers.settings import InvalidText


class Corpus(Protocol):
    """Text to be measured or trained on.

    Attributes:
        name: what tables and reports call it.
        size_bytes: bytes it holds, about, for progress only; None where unknown (a stream).
        parallel: whether documents of equal alignment number are translations of one another.
    """

    @property
    def name(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...

    @property
    def parallel(self) -> bool: ...

    def batches(self) -> Iterator[Batch]:
        """Yield the text in a fixed order, in batches; memory does not grow with the corpus.

        Raises:
            InputError: naming file, line and remedy, at the first document that cannot be read.
        """
        ...


def total_bytes(corpora: Iterable[Corpus]) -> int | None:
    """Return how many bytes the corpora hold, about; None where that of one is not known."""
    sizes = [corpus.size_bytes for corpus in corpora]
    return None if None in sizes else sum(size or 0 for size in sizes)


class ReadCorpus(Corpus, Protocol):
    """A corpus read from outside, whose text may turn out not to be valid UTF-8.

    Attributes:
        invalid: the documents of the latest pass that were replaced or skipped for it.
    """

    @property
    def invalid(self) -> InvalidText: ...


@dataclass(frozen=True)
class DocumentCorpus:
    """Documents held in memory, as a corpus."""

    name: str
    documents: Sequence[Document]
    parallel: bool = False
    size_bytes: int | None = field(default=None, init=False)
    invalid: InvalidText = field(default_factory=InvalidText, init=False)  # strings are valid

    def batches(self) -> Iterator[Batch]:
        """Yield the documents in order, in batches."""
        return batched(self.documents)


@dataclass(frozen=True)
class JoinedCorpus:
    """Corpora one after the other, read as one.

    Aligned lines are numbered on from corpus to corpus, so that none stands for two; where a corpus
    is not aligned, the whole is not.
    """

    corpora: Sequence[Corpus]

    @property
    def name(self) -> str:
        """The corpora's names, of the first few."""
        names = [corpus.name for corpus in self.corpora]
        more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
        return " + ".join([*names[:_NAMED], *more])

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all, about; None where that of one is not known."""
        return total_bytes(self.corpora)

    @property
    def parallel(self) -> bool:
        """Whether all are."""
        return all(corpus.parallel for corpus in self.corpora)

    def batches(self) -> Iterator[Batch]:
        """Yield each corpus's batches in turn."""
        last = 0
        for corpus in self.corpora:
            shift: int | None = None
            before = last
            for batch in corpus.batches():
                first = batch.first_alignment
                if first is not None and not self.parallel:
                    batch = replace(batch, first_alignment=None)
                elif first is not None:
                    shift = max(0, before + 1 - first) if shift is None else shift
                    last = max(last, first + shift + len(batch.texts) - 1)
                    batch = replace(batch, first_alignment=first + shift)
                yield batch


def joined(corpora: Sequence[Corpus]) -> Corpus:
    """Return corpora as one: as it is where there is but one."""
    return corpora[0] if len(corpora) == 1 else JoinedCorpus(corpora)


_NAMED = 4  # corpora in the name of several

_DUMMY = "_"


def inflated_text(text: str, factor: int = 2) -> str:
    """Return text of exactly `factor` times the UTF-8 bytes, still readable as text.

    After each character come `factor` - 1 dummies for every byte of it, so that no character is
    torn.

    Raises:
        ValueError: `factor` is below 1.
    """
    if factor < 1:
        raise ValueError(f"factor {factor}: must be 1 or more")
    if text.isascii():
        out = bytearray(_DUMMY.encode() * (len(text) * factor))
        out[::factor] = text.encode("ascii")
        return out.decode("ascii")
    return "".join(c + _DUMMY * ((factor - 1) * len(c.encode("utf-8"))) for c in text)


@dataclass(frozen=True)
class InflatedCorpus:
    """A corpus with every text inflated; its languages are marked, as `eng_Latn_x2`.

    "English x2" says what English says in twice the bytes, as a language with a longer encoding
    needs. What depends on information, and not on how many bytes spell it, must not change.
    """

    corpus: Corpus
    factor: int = 2
    size_bytes: int | None = field(default=None, init=False)  # compressed files do not say it

    @property
    def name(self) -> str:
        """The corpus's name with the factor, as `embedded x2`."""
        return f"{self.corpus.name} x{self.factor}"

    @property
    def parallel(self) -> bool:
        """As the corpus."""
        return self.corpus.parallel

    def batches(self) -> Iterator[Batch]:
        """Yield the corpus's batches, inflated."""
        for batch in self.corpus.batches():
            texts = [inflated_text(text, self.factor) for text in batch.texts]
            yield replace(batch, texts=texts, language=f"{batch.language}_x{self.factor}")


@dataclass(frozen=True)
class MixedCorpus:
    """A mixture: batches of the corpora in turn, each time of the one furthest behind its share.

    It ends with the first corpus that is used up, so the shares hold to within a batch of every
    corpus, whatever their sizes; what is left of the others is not read.

    Attributes:
        corpora: whose text it is. weights: shares of the bytes, of any sum.
    """

    corpora: Sequence[Corpus]
    weights: Sequence[float]
    parallel: bool = field(default=False, init=False)
    size_bytes: int | None = field(default=None, init=False)  # it ends with the first used up

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            InputError: there is not one positive weight for each corpus.
        """
        if not self.corpora or len(self.weights) != len(self.corpora) or min(self.weights) <= 0:
            raise InputError("a mixture needs corpora, and one weight above 0 for each")

    @property
    def name(self) -> str:
        """The corpora's names with their shares, as `0.75 eng + 0.25 hin`."""
        total = sum(self.weights)
        pairs = zip(self.weights, self.corpora, strict=True)
        return " + ".join(f"{weight / total:.4g} {corpus.name}" for weight, corpus in pairs)

    def batches(self) -> Iterator[Batch]:
        """Yield batches of the corpora, in an order that follows from their bytes alone."""
        sources = [corpus.batches() for corpus in self.corpora]
        read = [0.0] * len(sources)  # bytes over the weight
        while True:
            behind = read.index(min(read))
            batch = next(sources[behind], None)
            if batch is None:
                return
            yield batch
            size = sum(len(text.encode("utf-8")) for text in batch.texts)
            read[behind] += size / self.weights[behind]


Texts = Iterable[str] | Mapping[str, Iterable[str]]


def corpus_of(
    texts: Texts,
    *,
    name: str = "text",
    language: str = UNKNOWN_LANGUAGE,
    domain: str = "",
    parallel: bool = False,
) -> DocumentCorpus:
    """Return strings as a corpus; each is a document, which is encoded by itself.

    Args:
        texts: the documents, or a mapping from language (as `hin_Deva`) to its documents.
        name: what tables call the corpus.
        language: of documents that are not in a mapping.
        domain: of all of them; `code` has code measures.
        parallel: whether the documents of all languages, in order, are translations of one another.

    Raises:
        InputError: there is no text, something is no string or holds a surrogate (which has no
            UTF-8 form), or the languages of a parallel corpus differ in number of documents.
    """
    if isinstance(texts, str):
        raise InputError(f"{name}: a single string; give a list of strings, one a document")
    by_language = texts if isinstance(texts, Mapping) else {language: texts}
    documents: list[Document] = []
    counts: dict[str, int] = {}
    for label, group in by_language.items():
        if isinstance(group, str):
            raise InputError(f"{name}: {label} has a single string; give a list, one a document")
        if not has_values(group):
            kind = type(group).__name__
            raise InputError(f"{name}: {label} has a {kind}; give a list, one a document")
        found = [
            Document(
                _checked(text, f"{name}: document {number} of {label}"),
                label,
                domain,
                name,
                str(number),
                number if parallel else None,
            )
            for number, text in enumerate(group, 1)
        ]
        counts[label] = len(found)
        documents += found
    if not documents:
        raise InputError(f"{name}: no text; give at least one document")
    for label, count in counts.items() if parallel else ():
        first = next(iter(counts))
        if count != counts[first]:
            raise InputError(
                f"{name}: {label} has {count} documents, but {first} has {counts[first]}; those of"
                " a parallel corpus are translations one by one (else say `parallel=False`)"
            )
    return DocumentCorpus(name, documents, parallel)


def _checked(text: object, place: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{place}: {type(text).__name__}, not a string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: character {error.start} is a surrogate, which no UTF-8 text has"
        ) from error
    return text
