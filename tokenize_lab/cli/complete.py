"""What a shell completes: names of corpora, specs of tokenizers, kinds; and files beside them.

Install it with `tokenize-lab --install-completion`. Functions take the word so far and return what
it may become.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

Completion = Callable[[str], list[str]]


def words(known: Iterable[str]) -> Completion:
    """Return a function that completes one of the words."""
    known = list(known)

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return complete


def corpora(incomplete: str) -> list[str]:
    """Complete a corpus: a declared name, languages after its colon, or a file or folder."""
    from corpora.open import STDLIB, declared_names
    from corpora.synthetic import SOURCES

    name, colon, chosen = incomplete.partition(":")
    if colon and name in declared_names():
        before, comma, last = chosen.rpartition(",")
        return [f"{name}:{before}{comma}{code}" for code in _languages(name, last)]
    known = (*declared_names(), STDLIB, *(f"synthetic:{kind}" for kind in SOURCES), "hub:")
    return [*words(known)(incomplete), *_paths(incomplete)]


def tokenizers(incomplete: str) -> list[str]:
    """Complete a tokenizer's spec: a name, a prefix, what follows a prefix, or a file."""
    from tokenize_lab.tokenizer_spec import NAMES, PREFIXES, TokenizerSpec

    spec = TokenizerSpec.parse(incomplete)
    inner = spec.whole
    before = incomplete.removesuffix(inner)
    cuts = ("truncated:", "masked:", "dropout:", "dynamic:32x50:")
    known = dict.fromkeys((*NAMES, *PREFIXES, *cuts))
    found = words(known)(inner)
    paths = _paths(spec.where) if spec.prefix in ("", "hf:", "sp:", "tiktoken:") else []
    return [f"{before}{word}" for word in (*found, *(spec.prefix + path for path in paths))]


def kinds(incomplete: str) -> list[str]:
    """Complete a kind of tokenizer that can be trained."""
    from tokenize_lab.training.settings import ENGINES

    return words(ENGINES)(incomplete)


def toml_files(incomplete: str) -> list[str]:
    """Complete the file of a run or a sweep: one of the examples, or a file."""
    return [*words(("first", "gpu", "micro"))(incomplete), *_paths(incomplete)]


def _languages(name: str, begun: str) -> Sequence[str]:
    import tomllib

    from corpora.open import manifest_path

    manifest = tomllib.loads(manifest_path(name).read_text("utf-8"))
    named = [file["language"] for file in manifest.get("files", ())]
    codes = dict.fromkeys([*named, *manifest.get("hub", {}).get("configs", ())])
    return words(codes)(begun)


def _paths(incomplete: str) -> list[str]:
    """Return the paths that begin so; a folder's ends with a slash."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []
    head = incomplete[: incomplete.rfind("/") + 1]
    names = [f"{head}{entry.name}{'/' if entry.is_dir() else ''}" for entry in entries]
    hidden = Path(incomplete).name.startswith(".") and not incomplete.endswith("/")
    return [
        name
        for name in names
        if name.startswith(incomplete) and (hidden or not Path(name).name.startswith("."))
    ]
