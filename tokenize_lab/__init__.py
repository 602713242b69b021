"""How many bytes should one token hold? Measure, train, fit and decide from Python.

    import tokenize_lab as tl
    m = tl.measure(["some text", ...], tokenizers=["byte", "mistral:v3", "mine=my/tokenizer.json"])
    m.frame()                      # polars: a row a language and tokenizer, intervals as columns
    m.figure("bytes_per_token")    # shows itself in a notebook; .save("rates.svg")
    m.report("report.html")        # all of it in one file

Text is a list of strings, a mapping from language to one, a path, the name of a declared corpus
(`embedded:eng_Latn,hin_Deva`), or any `corpora.corpus.Corpus`. Tokenizers are specs as of the
command's `-t`, or objects of `tokenizers`, `tiktoken`, `sentencepiece`, or your own with
`encode_batch` and a table of bytes. Bad input raises `InputError`, a `ValueError` of one line.
Nothing is loaded before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpora.errors import InputError
    from scaling.advise.advise import advise
    from scaling.predict import predict
    from scaling.read_runs import read_runs
    from tokenize_lab.library.laws import fit
    from tokenize_lab.library.measuring import load, measure
    from tokenize_lab.library.vocabularies import (
        audit,
        design,
        diff,
        mixture,
        train,
        vocab_curve,
    )

    __version__: str

__all__ = [
    "InputError",
    "advise",
    "audit",
    "design",
    "diff",
    "fit",
    "load",
    "measure",
    "mixture",
    "predict",
    "read_runs",
    "train",
    "vocab_curve",
]

_HOMES = {
    "corpora.errors": ("InputError",),
    "tokenize_lab.library.measuring": ("load", "measure"),
    "tokenize_lab.library.vocabularies": (
        *("audit", "design", "diff", "mixture", "train", "vocab_curve"),
    ),
    "tokenize_lab.library.laws": ("fit",),
    "scaling.predict": ("predict",),
    "scaling.read_runs": ("read_runs",),
    "scaling.advise.advise": ("advise",),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tokenize-lab")
    for home, names in _HOMES.items():
        if name in names:
            from tokenize_lab.__main__ import foreign_package

            if stranger := foreign_package():
                raise ImportError(stranger)
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tokenize_lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
