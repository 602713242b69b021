"""`tl.load` and `tl.measure`: bytes per token of any text under any tokenizers."""

from typing import Any

from tokenize_lab.library.inputs import Text, corpora_of
from tokenize_lab.library.shown import Measurement
from tokenize_lab.measurement import measure as measured
from tokenize_lab.progress import progress
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers, specs_of


def load(tokenizer: object) -> Tokenizer:
    """Return a tokenizer whose tokens are raw bytes.

    Arguments:
        tokenizer: a spec as of the command's `-t` (`byte`, `mistral:v3`, `mine=my/tokenizer.json`,
            `truncated:4096:SPEC`), a path, or an object: a `tokenizers.Tokenizer`, a
            `tiktoken.Encoding`, a `sentencepiece.SentencePieceProcessor`, or one of your own with
            `encode_batch` and a table of bytes (`tokenize_lab.tokenizer.Tokenizer`).

    Raises:
        InputError: there is no such tokenizer, or it has no way back to bytes.
    """
    (loaded,) = load_tokenizers(specs_of(tokenizer))
    return loaded


def measure(
    text: Text,
    tokenizers: object = ("byte",),
    *,
    language: str | None = None,
    parallel: bool | None = None,
    **settings: Any,
) -> Measurement:
    """Measure bytes per token, and what it does to languages.

    Arguments:
        text: a list of strings, a mapping from language to one, a path, the name of a declared
            corpus, or corpora; see `tokenize_lab.library.inputs.corpora_of`.
        tokenizers: one or several, as `load` takes them.
        language: of all the text, where it does not say, as `hin_Deva`.
        parallel: whether documents of all languages are translations of one another, one by one.
        settings: `baseline`, `reference`, `group_by`, `words`, `graphemes`, `replicates`, `seed`,
            `jobs`, `cache`: as `tokenize_lab.measurement.measure` takes them.

    Raises:
        InputError: from the text or a tokenizer; an unknown setting's value.
    """
    corpora = corpora_of(text, language=language, parallel=parallel)
    with progress() as bars:
        results = measured(corpora, specs_of(tokenizers), progress=bars.report, **settings)
    return Measurement(results.counts, results.provenance, results.samples)
