"""`tokenize-lab corpora`: what text is at hand, where it comes from, and that it is whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpora.document import SYNTHETIC
from corpora.errors import InputError, sanitize
from corpora.output import drawn, emit, json_object

if TYPE_CHECKING:
    from corpora.corpus import ReadCorpus
    from corpora.manifest import Manifest

app = typer.Typer(
    help="Corpora that are declared by name: list them, see one, verify its files.",
    no_args_is_help=True,
)

JsonOption = Annotated[
    bool, typer.Option("--json", help="strict JSON on stdout, nothing else there")
]
Name = Annotated[
    str, typer.Argument(help="A declared name, a manifest (.toml), synthetic:markov or :zipf.")
]

_SAMPLE_CHARACTERS = 60


@app.command("list")
def list_corpora(as_json: JsonOption = False) -> None:
    """List the declared corpora."""
    from corpora.manifest import Manifest
    from corpora.open import declared_names, manifest_path
    from corpora.synthetic import SOURCES
    from corpora.toml_file import read_toml

    manifests = [read_toml(manifest_path(name), Manifest) for name in declared_names()]
    rows: list[dict[str, Any]] = [
        {
            "name": manifest.name,
            "title": manifest.title,
            "licence": manifest.licence,
            "languages": len(manifest.languages) or None,
            "parallel": manifest.parallel,
            "where": _where(manifest),
        }
        for manifest in manifests
    ]
    rows += [
        {**_synthetic(f"{SYNTHETIC}{kind}"), "languages": 1, "parallel": False} for kind in SOURCES
    ]
    if as_json:
        emit(json_object(rows))
        return
    headings = ["name", "languages", "parallel", "licence", "title"]
    _print_table(headings, [[_shown(row[heading]) for heading in headings] for row in rows])


@app.command()
def show(name: Name, as_json: JsonOption = False) -> None:
    """Show where a corpus comes from, its licence, and its languages with their bytes."""
    from corpora.document import utf8_length

    corpus: ReadCorpus | None
    if name.startswith(SYNTHETIC):
        from corpora.synthetic import synthetic_corpus

        made = synthetic_corpus(name)
        corpus, declared = made, []
        rate = round(made.source.entropy_rate, 6)
        about = {**_synthetic(name), "parallel": False, "entropy_bits_per_byte": rate}
    else:
        from corpora.open import open_manifest
        from corpora.readers.settings import ReadSettings

        path, manifest = _manifest(name)
        # A hub data set is not read for this: that could be terabytes.
        corpus = None if manifest.hub else open_manifest(path, ReadSettings(), ())
        declared = manifest.languages
        about = {
            "name": manifest.name,
            "title": manifest.title,
            "source": manifest.source,
            "licence": manifest.licence,
            "parallel": manifest.parallel,
            "where": _where(manifest),
            "revision": manifest.hub.revision if manifest.hub else None,
        }
    unread = None if corpus is None else 0
    languages = {language: _entry(language, unread) for language in declared}
    for batch in corpus.batches() if corpus else ():
        # Records may name languages that the manifest does not.
        entry = languages.setdefault(batch.language, _entry(batch.language, 0))
        entry["documents"] += len(batch.texts)
        entry["bytes"] += sum(map(utf8_length, batch.texts))
        if entry["sample"] is None:
            entry["sample"] = next(filter(None, batch.texts[0].split("\n")), "")
    if as_json:
        emit(json_object({**about, "languages": list(languages.values())}))
        return
    facts = {key: _shown(value) for key, value in about.items() if value is not None}
    width = max(9, *map(len, facts))
    emit([*(f"{key:{width}} {value}\n" for key, value in facts.items()), "\n"])
    if corpus is None:
        emit([f"languages {', '.join(languages) or 'said by the data itself'}\n"])
        return
    rows = [
        [e["language"], f"{e['documents']:,}", f"{e['bytes']:,}", _shortened(e["sample"] or "")]
        for e in languages.values()
    ]
    _print_table(["language", "documents", "bytes", "sample"], rows)


@app.command("verify")
def verify_corpus(name: Name, as_json: JsonOption = False) -> None:
    """Check every file of a corpus against its declared SHA-256."""
    from corpora.manifest import verify

    if name.startswith(SYNTHETIC):
        raise InputError(f"{name}: made whenever it is read, so there are no files to verify")
    path, manifest = _manifest(name)
    files = verify(manifest, path.parent)
    if as_json:
        rows = [{"path": file.path, "sha256": file.sha256} for file in manifest.files]
        emit(json_object({"name": manifest.name, "verified": rows}))
    else:
        emit([f"{manifest.name}: {len(files)} files, each with its declared SHA-256\n"])


def _synthetic(name: str) -> dict[str, Any]:
    """Return what is said of a synthetic corpus."""
    from corpora.synthetic import SOURCES

    title = SOURCES[name.split(":")[1]].title
    return {"name": name, "title": title, "licence": "CC0-1.0", "where": "made when read"}


def _entry(language: str, size: int | None) -> dict[str, Any]:
    return {"language": language, "documents": size, "bytes": size, "sample": None}


def _shortened(sample: str) -> str:
    sample = sanitize(sample)
    return sample if len(sample) <= _SAMPLE_CHARACTERS else sample[:_SAMPLE_CHARACTERS] + "…"


def _manifest(name: str) -> "tuple[Path, Manifest]":
    from corpora.manifest import Manifest
    from corpora.open import manifest_path
    from corpora.toml_file import read_toml

    path = Path(name) if name.endswith(".toml") else manifest_path(name)
    return path, read_toml(path, Manifest)


def _where(manifest: "Manifest") -> str:
    return f"hub:{manifest.hub.dataset}" if manifest.hub else "files"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "many" if value is None else str(value)


def _print_table(headings: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        is_number = heading in ("documents", "bytes", "languages")
        table.add_column(heading, justify="right" if is_number else "left")
    for row in rows:
        # As Text, so that brackets in a sample are not taken for markup.
        table.add_row(*map(Text, row))
    emit(drawn([table]))
