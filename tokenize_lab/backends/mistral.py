"""Mistral's vocabularies, from the data files inside the installed mistral-common package.

The package is located but not imported: importing it takes a second, and the files are all that
is needed. SentencePiece and tiktoken encode, as they do inside mistral-common.
"""

import base64
import binascii
import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora.errors import InputError, did_you_mean
from corpora.files import read_bytes
from tokenize_lab.backends.common import refuse_gaps
from tokenize_lab.backends.kept import kept
from tokenize_lab.backends.sentencepiece import load_sentencepiece
from tokenize_lab.backends.tiktoken import KEPT_PARTS, TiktokenTokenizer, table_of_ranks
from tokenize_lab.tokenizer import Tokenizer

SENTENCEPIECE_FILES = {
    "v1": "tokenizer.model.v1",
    "v2": "mistral_instruct_tokenizer_240216.model.v2",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
    "v7": "mistral_instruct_tokenizer_241114.model.v7",
}
# The special tokens of tekken files that do not name theirs, from id 0 on (mistral-common's
# Tekkenizer); ids without a name are called after their number, there and here.
_SPECIALS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
    "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
)  # fmt: skip


def load_mistral(version: str, spec: str) -> Tokenizer:
    """Load Mistral's vocabulary `v1`, `v2`, `v3`, `v7`, `tekken` (the newest), `tekken-YYMMDD`.

    Raises:
        InputError: no such vocabulary, or mistral-common or the file is not there.
    """
    folder = _data_folder()
    tekkens = _tekkens(folder)
    if version in tekkens:
        return load_tekken(tekkens[version], spec, spec)
    if version in SENTENCEPIECE_FILES:
        return load_sentencepiece(folder / SENTENCEPIECE_FILES[version], spec, spec)
    known = sorted([*SENTENCEPIECE_FILES, *tekkens])
    near = did_you_mean(version, known)
    raise InputError(f"{spec}: no such Mistral vocabulary{near} (known: {', '.join(known)})")


def mistral_versions() -> list[str]:
    """Return the versions that the package has, each vocabulary once: not the names of the newest.

    Raises:
        InputError: mistral-common is not there.
    """
    return sorted([*SENTENCEPIECE_FILES, *(set(_tekkens(_data_folder())) - {"tekken"})])


def _tekkens(folder: Path) -> dict[str, Path]:
    found = {path.stem.replace("_", "-"): path for path in folder.glob("tekken_*.json")}
    return {**found, "tekken": found[max(found)]} if found else {}


def load_tekken(path: Path, spec: str, name: str) -> TiktokenTokenizer:
    """Load a `tekken.json`: the first `default_vocab_size - default_num_special_tokens` ranks.

    Special tokens come first in Mistral's ids, so rank r has id `default_num_special_tokens + r`.

    Raises:
        InputError: the file cannot be read, or is not a whole tekken file.
    """
    content = read_bytes(path)
    asked = ("tekken", name)
    loaded = kept(content, asked, KEPT_PARTS, lambda: _tekken(path, content, spec, name))
    return replace(loaded, spec=spec)


def _tekken(path: Path, content: bytes, spec: str, name: str) -> TiktokenTokenizer:
    import tiktoken

    try:
        # Each entry is reduced as it is read: 150,000 dictionaries would take 100 MB.
        parsed = json.loads(content, object_hook=_rank_and_bytes)
        config, vocab = parsed["config"], parsed["vocab"]
        size, specials = config["default_vocab_size"], config["default_num_special_tokens"]
        refuse_gaps(str(path), size - 1, len(vocab))
        refuse_gaps(str(path), specials - 1, 0)
        ranks = {piece: rank for rank, piece in vocab if rank < size - specials}
        if specials < 0 or sorted(ranks.values()) != list(range(size - specials)):
            raise ValueError("a rank is missing")
        if any(bytes([byte]) not in ranks for byte in range(256)):
            raise ValueError("a byte is missing")
        pattern = config["pattern"]
        named = {token["rank"]: token["token_str"] for token in parsed.get("special_tokens") or ()}
        names = named or dict(enumerate(_SPECIALS))
        # The engine reads the pattern only now; with bytes for a vocabulary that takes no time.
        letters = {bytes([byte]): byte for byte in range(256)}
        tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=letters, special_tokens={})
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise InputError(f"{path}: not a whole tekken.json ({error!r}); fetch it again") from error
    return TiktokenTokenizer(
        spec=spec,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        vocabulary_size=size,
        token_bytes=table_of_ranks(ranks, size, specials),
        engine=f"tiktoken {tiktoken.__version__}",
        pattern=pattern,
        first_id=specials,
        tekken_version=str(config.get("version", "")),
        specials=tuple((str(names.get(i, f"<SPECIAL_{i}>")), i) for i in range(specials)),
    )


def _rank_and_bytes(entry: dict[str, Any]) -> Any:
    if "token_bytes" in entry:
        return entry["rank"], base64.b64decode(entry["token_bytes"], validate=True)
    return entry


def _data_folder() -> Path:
    package = importlib.util.find_spec("mistral_common")
    if package is None or not package.submodule_search_locations:
        raise InputError("mistral: needs the package mistral-common; pip install mistral-common")
    return Path(package.submodule_search_locations[0]) / "data"
