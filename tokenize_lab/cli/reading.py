"""How a command reads text: options that typer shows one by one, and the command gets as one."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Annotated, Any, cast, get_type_hints

import typer

from corpora.errors import as_options
from corpora.readers.settings import (
    LEAST_DOCUMENT_BYTES,
    MAX_DOCUMENT_BYTES,
    OnInvalid,
    Unit,
)

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus

TEXT = "What text is read"
_input = partial(typer.Option, rich_help_panel=TEXT)
_OPTIONS = {"language": "--language", "language_field": "--language-field", "glob": "--glob"}
_DONE = {"replace": "bad bytes replaced", "skip": "skipped"}
_PLAIN = ("text_field", "language_field", "glob", "unit", "on_invalid", "max_document_bytes")

MaxDocumentBytes = Annotated[
    int,
    _input(
        min=LEAST_DOCUMENT_BYTES,
        help="a longer line, record or file is refused; it takes twice as much memory",
    ),
]


@dataclass(frozen=True)
class ReadOptions:
    """How a command reads text (`corpora.open.open_corpus`), each field with its option."""

    text_field: Annotated[str, _input(help="field or column that holds the text")] = "text"
    language: Annotated[str | None, _input(help="language of all the text, whatever files say")] = (
        None
    )
    language_field: Annotated[
        str | None,
        _input(
            help="field or column that holds each record's language",
            show_default="language, lang or locale",
        ),
    ] = None
    domain: Annotated[
        str | None, _input(help="domain of all the text; `code` adds code measures")
    ] = None
    glob: Annotated[
        list[str] | None,
        _input(
            "--glob",
            metavar="PATTERN",
            help="which files of a folder to read, e.g. '*.md'; may be repeated",
            show_default="those of known kinds",
        ),
    ] = None
    unit: Annotated[Unit, _input(help="what a document of a .txt file is: line or file")] = "line"
    on_invalid: Annotated[
        OnInvalid, _input(help="what to do with invalid UTF-8: refuse, replace or skip")
    ] = "refuse"
    max_document_bytes: MaxDocumentBytes = MAX_DOCUMENT_BYTES
    parallel: Annotated[
        bool | None,
        _input(
            help="whether a folder of files named by language is one aligned corpus",
            show_default="by its line counts",
        ),
    ] = None

    def open(self, specs: Sequence[str]) -> "list[ReadCorpus]":
        """Open corpora, under names that tell them apart.

        Raises:
            InputError: as `open_corpora`.
        """
        from corpora.open import open_corpora

        return open_corpora(specs, **{**asdict(self), "glob": list(self.glob or ())})

    def remarks(
        self, corpora: "Sequence[ReadCorpus]", *, by_language: bool = True
    ) -> Iterator[str]:
        """Yield what a person should know of corpora that have been read, a line each.

        Arguments:
            by_language: whether results are by language, so that text without one is worth a line.
        """
        from corpora.document import UNKNOWN_LANGUAGE
        from corpora.file_corpus import AlignedCorpus, FileCorpus
        from corpora.open import STDLIB

        for corpus in corpora:
            if corpus.invalid.documents:
                yield (
                    f"{corpus.name}: {corpus.invalid.documents} documents are not valid UTF-8 "
                    f"({_DONE[self.on_invalid]}; the first: {corpus.invalid.first})"
                )
        files = [corpus for corpus in corpora if isinstance(corpus, FileCorpus | AlignedCorpus)]
        for read in files:
            for line in read.seen.notes():
                yield as_options(f"{read.name}: {line}", _OPTIONS)
        languages = {language for read in files for language in read.languages_read}
        plain = len(files) == len(corpora) and all(read.name != STDLIB for read in files)
        if by_language and plain and languages == {UNKNOWN_LANGUAGE} and self.domain != "code":
            yield (
                "warning: no file or record says its language, so all is counted as und; name "
                "files by language (de.txt, hin_Deva.txt), or give --language or --language-field"
            )
        elif by_language and plain and UNKNOWN_LANGUAGE in languages:
            yield "note: text of which no name or field says the language is counted as und"


def reads_text(
    *more: str, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command have the options of `ReadOptions` in place of its parameter `reading`.

    Typer takes options from a function's signature, so it is shown one in which they stand one by
    one.

    Arguments:
        more: fields beyond those that every text needs.
        without: fields of those that this command has no use for.
    """
    asked = {*_PLAIN, *more}.difference(without)
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(ReadOptions, name),
            annotation=annotation,
        )
        for name, annotation in get_type_hints(ReadOptions, include_extras=True).items()
        if name in asked
    ]

    def declared(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        parameters = []
        for parameter in signature.parameters.values():
            parameters += options if parameter.name == "reading" else [parameter]

        def run(**given: Any) -> None:
            reading = ReadOptions(**{name: given.pop(name) for name in asked})
            command(**given, reading=reading)

        shown: Any = wraps(command)(run)
        shown.__signature__ = signature.replace(parameters=parameters)
        shown.__annotations__ = {p.name: p.annotation for p in parameters}
        return cast(Callable[..., None], shown)

    return declared
