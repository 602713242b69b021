"""What advice needs to know of a corpus: its parity, and bytes per token under a tokenizer.

The head of the corpus is enough for a price, and keeps the answer within seconds; `tokenize-lab
measure` counts all of it, with intervals.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike, fspath
from typing import Any, NamedTuple, cast

from corpora.arguments import real, refused, whole, word
from corpora.corpus import Corpus, Texts, corpus_of
from corpora.errors import InputError
from corpora.languages import same_languages
from corpora.open import open_corpus
from scaling.advise.answer import MeasuredTokenizer
from scaling.advise.placement import ENGLISH
from tokenize_lab.ceilings import PieceBytes, pieces_of
from tokenize_lab.counts.boundaries import lost_bytes, token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer, load_tokenizers, specs_of
from tokenize_lab.vocabulary_curves.curve import token_curve
from tokenize_lab.vocabulary_curves.job import VocabCurves, log_grid

EMBEDDED = "embedded"
CURVE_TOKENIZER = "mistral:tekken"  # its merges, cut at sizes, where no tokenizer asked has any
SAMPLE_BYTES = 4 << 20


@dataclass(frozen=True)
class Sample:
    """The head of a corpus in one language.

    Attributes:
        name: of the corpus.
        texts: its first documents.
        parity: its bytes over English's for the same aligned lines; None where there are none.
    """

    name: str
    texts: Sequence[str]
    parity: float | None

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of the texts."""
        return sum(len(text.encode()) for text in self.texts)


class _Lines(NamedTuple):
    texts: list[str]
    alignments: list[int]


class MeasuredSample(NamedTuple):
    """What a question needs of its corpus.

    Attributes:
        tokenizers: those asked about, with their bytes per token.
        curve: (vocabulary size, bytes per token); None where it was not asked for.
        parity: of the language; None where nothing tells it.
        pieces: by name, what the splitters of those that have one allow.
    """

    tokenizers: tuple[MeasuredTokenizer, ...]
    curve: list[tuple[int, float]] | None
    parity: float | None
    pieces: tuple[tuple[str, PieceBytes], ...] = ()


def measure_sample(
    language: str,
    corpus: str | PathLike[str] | Corpus | Texts | None,
    tokenizers: object,
    with_curve: bool,
) -> MeasuredSample:
    """Return tokenizers, vocabulary curve and parity as the corpus has them.

    Args:
        corpus: its spec, the corpus, or its texts; the embedded one by default.
        tokenizers: what `specs_of` takes, and the fields of `MeasuredTokenizer` of those that were
            measured elsewhere.
        with_curve: whether the curve is wanted, of the first tokenizer that can be cut to sizes.

    Raises:
        InputError: the corpus or a tokenizer cannot be read, or it holds other languages only.
    """
    specs = _specs(tokenizers)
    measured = {i: _measured(t) for i, t in enumerate(specs) if isinstance(t, tuple)}
    if corpus is None and len(measured) == len(specs):
        return MeasuredSample(tuple(measured.values()), None, embedded_parity(language))
    if corpus is None and embedded_parity(language) is None:
        raise InputError(f"the embedded corpus has no {language}; give `corpus`, text in it")
    sample = sample_of(EMBEDDED if corpus is None else corpus, language)
    loaded = load_tokenizers([t for i, t in enumerate(specs) if i not in measured])
    in_order = iter(loaded)
    rates = tuple(measured.get(i) or _rate(sample, next(in_order)) for i in range(len(specs)))
    curve = None
    if with_curve:
        curves = (vocabulary_curve(sample, tokenizer) for tokenizer in loaded)
        known = next((curve for curve in curves if curve is not None), None)
        curve = known or vocabulary_curve(sample, load_tokenizer(CURVE_TOKENIZER))
    parity = embedded_parity(language) if sample.parity is None else sample.parity
    return MeasuredSample(rates, curve, parity, pieces_of(language, sample.texts, loaded))


def _specs(tokenizers: object) -> list[object]:
    """Return tokenizers as a list; a tuple of a name and a number is one that was measured."""
    if isinstance(tokenizers, tuple) and any(isinstance(field, Real) for field in tokenizers):
        return [tokenizers]
    nothing = tokenizers is None or (isinstance(tokenizers, list | tuple) and not tokenizers)
    return [] if nothing else specs_of(tokenizers)


def curve_points(curve: VocabCurves | Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return (vocabulary size, bytes per token) of a curve.

    Raises:
        InputError: it is of several tokenizers or languages, or no such pairs.
    """
    pairs: Iterable[Any] = curve if not isinstance(curve, VocabCurves) else ()
    if isinstance(curve, VocabCurves):
        if len(curve.curves) != 1:
            raise InputError(
                f"`curve`: {len(curve.curves)} curves; give one, of one tokenizer and language"
            )
        pairs = [(row["vocabulary_size"], row["bytes_per_token"]) for row in curve.rows()]
    try:
        points = [(size, rate) for size, rate in pairs]
    except (TypeError, ValueError):
        points = []
    if not points:
        raise refused("curve", curve, "pairs of vocabulary size and bytes per token")
    return [(whole("curve", size, 1), real("curve", rate, 0)) for size, rate in points]


def sample_of(source: str | PathLike[str] | Corpus | Texts, language: str) -> Sample:
    """Return the text in the language of a corpus, of the one of that spec, or of texts.

    A corpus whose documents do not say their language, or are all of one, is taken to be of it.

    Raises:
        InputError: it cannot be read, or holds other languages only.
    """
    if isinstance(source, str | PathLike):
        try:
            corpus: Corpus = open_corpus(fspath(source))
        except InputError as error:
            if isinstance(source, str) and " " in source:
                raise InputError(f"{error}; text itself is given in a list: [text]") from error
            raise
    elif hasattr(source, "batches"):
        corpus = cast(Corpus, source)
    elif isinstance(source, Mapping) and not same_languages(language, map(str, source)):
        raise InputError(f"`corpus`: has no {language}, but {', '.join(map(str, source))}")
    elif not isinstance(source, Iterable) or hasattr(type(source), "columns"):
        raise refused("corpus", source, "a list of strings, a path or a name")
    else:
        corpus = corpus_of(source, language=language)
    found = _by_language(corpus, language, others=not corpus.parallel)
    if language in found:
        lines = found[language]
    elif len(found) == 1 and not corpus.parallel:
        lines = next(iter(found.values()))
    else:
        held = ", ".join(sorted(found)) or "none of its lines"
        raise InputError(f"{corpus.name}: holds no {language} ({held}); name the language it is in")
    english = found.get(ENGLISH)
    parity = _parity(lines, english) if corpus.parallel and english else None
    return Sample(corpus.name, lines.texts, parity)


def embedded_parity(language: str) -> float | None:
    """Return the language's parity in the embedded corpus, None where it is not there."""
    found = _by_language(open_corpus(EMBEDDED), language)
    return _parity(found[language], found[ENGLISH]) if language in found else None


def _by_language(corpus: Corpus, language: str, *, others: bool = False) -> dict[str, _Lines]:
    """Return the text in the language and in English, under these names whatever the corpus calls
    them, and that in others where it is asked for."""
    found: dict[str, _Lines] = {}
    sizes: dict[str, int] = {}
    for batch in corpus.batches():
        asked = [w for w in (language, ENGLISH) if same_languages(batch.language, [w])]
        if not (asked or others):
            continue
        name = asked[0] if asked else batch.language
        size = sizes.get(name, 0)
        if size < SAMPLE_BYTES:
            lines = found.setdefault(name, _Lines([], []))
            lines.texts.extend(batch.texts)
            first = batch.first_alignment or 0
            lines.alignments.extend(range(first, first + len(batch.texts)))
            sizes[name] = size + sum(len(text.encode()) for text in batch.texts)
        elif not corpus.parallel:
            break
    if language in found and same_languages(language, [ENGLISH]):
        found[ENGLISH] = found[language]  # asked for as `eng`, say
    return found


def _parity(lines: _Lines, english: _Lines) -> float | None:
    reference = dict(zip(english.alignments, english.texts, strict=True))
    pairs = [
        (len(text.encode()), len(reference[line].encode()))
        for line, text in zip(lines.alignments, lines.texts, strict=True)
        if line in reference
    ]
    below = sum(size for _, size in pairs)
    return sum(size for size, _ in pairs) / below if below else None


def _measured(fields: tuple[Any, ...]) -> MeasuredTokenizer:
    try:
        name, rate, size, lost = MeasuredTokenizer(*fields)
        known_size = None if size is None else whole("tokenizers", size)
        given = word("tokenizers", name), real("tokenizers", rate)
        return MeasuredTokenizer(*given, known_size, real("tokenizers", lost))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`tokenizers`: {fields}; give a name, bytes per token and, if known, a vocabulary size"
        ) from error


def _rate(sample: Sample, tokenizer: Tokenizer) -> MeasuredTokenizer:
    encoding = tokenizer.encode_batch(sample.texts)
    tokens = int(encoding.lengths.sum())
    if not tokens:
        raise InputError(f"{sample.name}: has no text to tokenize")
    text = TextBytes.of(sample.texts)
    exact = token_boundaries(text, encoding, tokenizer).exact
    lost = int(lost_bytes(text, encoding, tokenizer, exact).sum()) / sample.bytes
    return MeasuredTokenizer(tokenizer.name, sample.bytes / tokens, tokenizer.vocabulary_size, lost)


def vocabulary_curve(sample: Sample, tokenizer: Tokenizer) -> list[tuple[int, float]] | None:
    """Return (vocabulary size, bytes per token) of a BPE's first merges, smallest size first.

    None for tokenizers that cannot be cut, and for no text.
    """
    try:
        curve = token_curve(tokenizer, sample.texts)
    except InputError:
        return None
    if not curve.bytes:
        return None
    first, rates = curve.first_size, curve.bytes_per_token
    sizes = log_grid(first, first + len(rates) - 1)
    return [(size, float(rates[size - first])) for size in sizes]
