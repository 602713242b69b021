"""Tokenizers of the Hugging Face library: a `tokenizer.json`, a folder with one, a hub name.

Only the tokenizer.json is read; a repository's Python files are never run.

The library's threads are switched off around every call, through the variable it reads on each of
them, TOKENIZERS_PARALLELISM: corpora are spread over processes instead, and threads inside a forked
process are what the library itself warns of.
"""

import hashlib
import json
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from corpora.errors import InputError, is_file, is_folder, location
from corpora.files import read_bytes
from tokenize_lab.backends import apart
from tokenize_lab.backends.characters import read_alike, read_alike_each
from tokenize_lab.backends.common import (
    PROBES,
    LoadedTokenizer,
    difference_on_probes,
    encoding_of,
    interleaved,
    refuse_gaps,
    refused_text,
    refused_whole,
    short_name,
    threads,
)
from tokenize_lab.backends.first_sight import look_first
from tokenize_lab.backends.huggingface_fast import FAST_PARTS, FastPath, fast_path
from tokenize_lab.backends.huggingface_json import (
    ModelFacts,
    Vocabulary,
    byte_table,
    decoder_problem,
    lossy_reason,
    splitting,
    text_path,
    without_marks,
)
from tokenize_lab.backends.kept import kept
from tokenize_lab.backends.running_text import LETTERS, Frame, frame_of, running_bytes
from tokenize_lab.backends.watched import encode_apart, is_strange, pieces_apart
from tokenize_lab.patterns import Splitting
from tokenize_lab.tokenizer import Encoding, TokenBytes, WayBack

FILE_NAME = "tokenizer.json"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def _read(path: Path) -> str:
    try:
        # Windows editors put a byte order mark in front, which the library does not take.
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{location(path, byte=error.start)}: not a whole tokenizer.json (not UTF-8); fetch it"
            " again"
        ) from error


def _from_hub(name: str) -> Path:
    """Return the hub's tokenizer.json, from its cache or fetched."""
    from huggingface_hub import hf_hub_download

    # The library tells of each of its retries; one line at the end says it all.
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return Path(hf_hub_download(name, FILE_NAME))
    except Exception as error:  # its own kinds, and whatever its network library raises
        raise InputError(f"hf:{name}: {_hub_problem(error)}") from error
    finally:
        logger.setLevel(level)


def _hub_problem(error: Exception) -> str:
    from huggingface_hub import errors

    match error:
        case errors.LocalEntryNotFoundError():
            return "the hub cannot be reached; look at the network, or give a tokenizer.json"
        case errors.GatedRepoError():
            return "the hub wants to know who asks; set HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return "no such file or folder here, nor such a name on the hub"
        case errors.EntryNotFoundError():
            return f"it has no {FILE_NAME} on the hub"
    return f"not to be had from the hub ({type(error).__name__})"


# The library keeps about 100 bytes per token of a call; more at once is no faster.
TEXTS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True, repr=False)
class HuggingFaceTokenizer(LoadedTokenizer):
    """A tokenizer.json; a worker is sent the file's own text.

    Attributes:
        serialized: the tokenizer.json.
        splits: whether its pre-tokenizer confines merges to pieces of the text.
        splitting: into which pieces, as far as its settings say.
        strange: whether its patterns are such that text is encoded in a process apart.
        fast: tiktoken's engine, which gives the same ids in a fraction of the time; or why it does
            not serve.
    """

    serialized: str
    splits: bool
    splitting: Splitting
    strange: bool
    fast: FastPath | str

    @cached_property
    def library_tokenizer(self) -> Any:
        """The library's own object, set to encode plain text."""
        return _engine(self.serialized)

    def encode_batch(self, texts: Sequence[str]) -> Encoding:
        """Encode each text, adding no special tokens and recognising none.

        Raises:
            InputError: the library fails, which with a whole file it does not; or, as TextError,
                takes too long over a text by a pattern that is not a published one.
        """
        if self.strange and not apart.inside:
            return encode_apart(self, texts)
        if isinstance(self.fast, str):
            return self._encode_plainly(texts)
        quick = read_alike_each(texts)
        if literals := self.splitting.literals:
            found = (any(map(text.__contains__, literals)) for text in texts)
            quick = [alike and not held for alike, held in zip(quick, found, strict=True)]
        if all(quick):
            return self.fast.encode_batch(texts)
        if not any(quick):
            return self._encode_plainly(texts)
        return interleaved(
            quick,
            self.fast.encode_batch([text for text, fast in zip(texts, quick, strict=True) if fast]),
            self._encode_plainly([t for t, fast in zip(texts, quick, strict=True) if not fast]),
        )

    def _encode_plainly(self, texts: Sequence[str]) -> Encoding:
        encode = self.library_tokenizer.encode_batch_fast
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        chunks = (list(texts[start : start + TEXTS_AT_ONCE]) for start in starts)
        with threads(False), refused_text(self.spec):
            return encoding_of(
                e.ids for chunk in chunks for e in encode(chunk, add_special_tokens=False)
            )

    def decode_batch(self, ids: Sequence[Sequence[int]]) -> list[bytes]:
        """Return what the library itself makes of each list of ids, special ones too."""
        with refused_text(self.spec):
            return _decoded(self.library_tokenizer, ids)

    def pretoken_count(self, text: str) -> int | None:
        """Return into how many pieces the pre-tokenizer splits the normalised text."""
        if not self.splits:
            return None
        if self.strange and not apart.inside:
            return pieces_apart(self, text)
        if isinstance(self.fast, FastPath) and read_alike(text):
            return self.fast.tiktoken.pretoken_count(text)
        tokenizer = self.library_tokenizer
        with refused_text(self.spec):
            if tokenizer.normalizer is not None:
                text = tokenizer.normalizer.normalize_str(text)
            return len(tokenizer.pre_tokenizer.pre_tokenize_str(text))


# What `kept` is told that one is made of.
KEPT_PARTS = (HuggingFaceTokenizer, TokenBytes, Splitting, WayBack, *FAST_PARTS)


def load_huggingface(where: str, spec: str) -> HuggingFaceTokenizer:
    """Load the tokenizer.json at `where`: a file, a folder, or a name on the hub.

    Raises:
        InputError: there is none, it is torn, or its tokens cannot be led back to bytes.
    """
    path = Path(where)
    if is_folder(path):
        folder, path = path, path / FILE_NAME
        if not is_file(path):
            raise InputError(f"{folder}: no {FILE_NAME} in this folder")
    if is_file(path):
        return _loaded(path, spec, short_name(path, FILE_NAME), str(path))
    if where.endswith(".json") or not HUB_NAME.fullmatch(where):
        raise InputError(f"{where}: no such file or folder")
    fetched = _from_hub(where)
    look_first(f"hf:{fetched}", fetched)
    return _loaded(fetched, spec, where, where)


def _loaded(path: Path, spec: str, name: str, place: str) -> HuggingFaceTokenizer:
    """Load a file, or take what loading it found out at an earlier time."""
    text = _read(path)

    def bare() -> HuggingFaceTokenizer:
        return replace(huggingface_from_text(text, spec, name, place), serialized="")

    found = kept(text.encode(), (FILE_NAME, name), KEPT_PARTS, bare)
    return replace(found, spec=spec, serialized=text)


def huggingface_from_text(text: str, spec: str, name: str, place: str) -> HuggingFaceTokenizer:
    """Build the tokenizer from a tokenizer.json's content; `place` names it in errors."""
    import tokenizers

    with refused_whole(place, "tokenizer.json"):
        engine = _engine(text)
    path = text_path(_part(engine.normalizer), _part(engine.pre_tokenizer))
    problem = decoder_problem(_part(engine.decoder), path)
    if not problem and is_strange(_part(engine.decoder)):
        problem = "its decoder could take for ever over a text"
    if problem:
        raise InputError(f"{place}: no way from its tokens back to bytes: {problem}")
    added = engine.get_added_tokens_decoder()
    ids = engine.get_vocab(with_added_tokens=True).values()
    if not ids:
        raise InputError(f"{place}: its vocabulary is empty")
    refuse_gaps(place, max(ids), len(ids))
    size = max(ids) + 1
    del ids  # 127 MB of a million tokens
    model = _model_facts(engine.model)
    with refused_text(spec):
        vocabulary, frame = _vocabulary(engine, size, model)
    reason = lossy_reason(vocabulary, model, path)
    stripping = [t.content for t in added.values() if not t.special and (t.lstrip or t.rstrip)]
    if stripping and not reason:
        reason = f"the added token {stripping[0]!r} swallows the spaces beside it"
    pieces = splitting(_part(engine.normalizer), _part(engine.pre_tokenizer))
    ordinary = [token.content for token in added.values() if not token.special]
    tokenizer = HuggingFaceTokenizer(
        spec=spec,
        name=name,
        sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        vocabulary_size=size,
        token_bytes=byte_table(vocabulary, model, path),
        prefix=path.prefix.encode("utf-8") or frame.prefix,
        lossless=not reason,
        lossy_reason=reason,
        suffix=frame.suffix,
        engine=f"tokenizers {tokenizers.__version__}",
        serialized=text,
        splits=path.splits,
        strange=is_strange(_part(engine.normalizer), _part(engine.pre_tokenizer)),
        splitting=pieces._replace(literals=tuple(ordinary)),
        fast="it is lossy" if reason else fast_path(json.loads(text)["model"], pieces, name),
    )
    tokenizer = _with_way_back(_with_engine(tokenizer, engine), model.unknown)
    # A lossy tokenizer too must be able to encode, so it is tried on the same texts.
    # The character that stands for a space comes back as one, which is all that is not looked at.
    mark = path.space_mark
    more = [f"a{content}b" for content in ordinary if not mark or mark not in content]
    difference = difference_on_probes(tokenizer, more)
    if difference and not reason:
        tokenizer = replace(tokenizer, lossless=False, lossy_reason=difference, fast="it is lossy")
        return _with_engine(tokenizer, engine)
    if isinstance(tokenizer.fast, FastPath) and not _same_ids(tokenizer):
        return replace(tokenizer, fast="tiktoken gives other ids on a probe")
    return tokenizer


def _with_engine(tokenizer: HuggingFaceTokenizer, engine: Any) -> HuggingFaceTokenizer:
    """Return the tokenizer with the library's object, which takes time to make, in place."""
    tokenizer.__dict__["library_tokenizer"] = engine
    return tokenizer


def _with_way_back(tokenizer: HuggingFaceTokenizer, unknown: str | None) -> HuggingFaceTokenizer:
    """Return the tokenizer with what its decoder does at the front of a text, found by trying."""
    if tokenizer.library_tokenizer.decoder is None:  # pieces are laid side by side, with spaces
        return tokenizer
    table, prefix = tokenizer.token_bytes, tokenizer.prefix

    def tried(text: str) -> tuple[bytes, bytes]:
        ids = tokenizer._encode_plainly([text]).ids.tolist()
        whole = b"".join(map(table.__getitem__, ids)).removesuffix(tokenizer.suffix)
        return whole, tokenizer.decode_batch([ids])[0]

    whole, back = tried(" a")
    taken = whole.removesuffix(back) if back and whole.endswith(back) else prefix
    unless_there = bool(prefix) and tried(f"{prefix.decode()}a")[0] == prefix + b"a"
    found = WayBack(taken, unless_there, (unknown or "").encode())
    engine = tokenizer.library_tokenizer
    tokenizer = _with_engine(replace(tokenizer, way_back=found), engine)
    if prefix and taken != prefix and tokenizer.lossless:
        left = f"its decoder leaves the {prefix.decode()!r} that is put before a text"
        return replace(tokenizer, lossless=False, lossy_reason=left, fast="it is lossy")
    if taken and not prefix:
        return replace(
            tokenizer, remark=f"its decoder takes {taken.decode()!r} off the front of a text"
        )
    return tokenizer


def _vocabulary(engine: Any, size: int, model: ModelFacts) -> tuple[Vocabulary, Frame]:
    """Return the vocabulary; and what the decoder puts around tokens that no setting tells of."""
    pieces = [engine.id_to_token(token_id) for token_id in range(size)]
    added = engine.get_added_tokens_decoder()
    literal = {token_id for token_id, token in added.items() if not token.special}
    special = {*added} - literal
    frame = _frame(engine, pieces, model, special)
    decode = partial(_decoded, engine)
    # What the model itself puts out is text, whatever it is called.
    written = running_bytes(frame, decode, sorted(special)) if frame else {}
    forms = {form for i in special for form in (pieces[i], written.get(i, b"").decode())}
    texts = [text for form in sorted(forms) for text in (form, f"a{form}b")]
    with threads(False):
        encoded = engine.encode_batch_fast(texts, add_special_tokens=False)
    special.difference_update(*(row.ids for row in encoded))
    if frame is None:
        return Vocabulary(pieces, special, literal, {}), Frame((), b"", b"")
    if model.continuing_prefix or model.end_suffix:
        used = [i for i, piece in enumerate(pieces) if piece is not None and i not in special]
        decoded = running_bytes(frame, decode, used)
        ends = (i for i in decoded if model.end_suffix and pieces[i].endswith(model.end_suffix))
        words = ((decoded[i], without_marks(pieces[i], model).encode()) for i in ends)
        end = next((whole[len(bare) :] for whole, bare in words if whole.startswith(bare)), b"")
        return Vocabulary(pieces, special, literal, decoded, end), frame
    decoded = running_bytes(frame, decode, sorted({*added} - special))
    return Vocabulary(pieces, special, literal, decoded), Frame((), b"", b"")


def _frame(
    engine: Any, pieces: Sequence[str | None], model: ModelFacts, special: Collection[int]
) -> Frame | None:
    """Return a letter to decode ids between; None where the library has no way back to text."""
    if engine.decoder is None:  # pieces are laid side by side, as they are written
        return None
    used = [i for i, piece in enumerate(pieces) if piece is not None and i not in special]
    letters = [(engine.encode(c, add_special_tokens=False).ids, c.encode()) for c in LETTERS]
    # A word's last piece shows what the decoder makes of its end.
    ending = sorted(used, key=lambda i: not (pieces[i] or "").endswith(model.end_suffix))
    words = ((i, without_marks(pieces[i] or "", model)) for i in ending)
    letters += islice((([i], bare.encode()) for i, bare in words if bare.isalnum()), len(LETTERS))
    return frame_of(letters, partial(_decoded, engine), used)


def _decoded(engine: Any, ids: Sequence[Sequence[int]]) -> list[bytes]:
    with threads(False):
        decoded = engine.decode_batch([list(row) for row in ids], skip_special_tokens=False)
    return [text.encode("utf-8") for text in decoded]


def _same_ids(tokenizer: HuggingFaceTokenizer) -> bool:
    """Whether both engines give the same ids on texts that tokenizers trip over."""
    ours, theirs = tokenizer.encode_batch(PROBES), tokenizer._encode_plainly(PROBES)
    return np.array_equal(ours.ids, theirs.ids) and np.array_equal(ours.lengths, theirs.lengths)


def _engine(text: str) -> Any:
    """Return the library's tokenizer, set to encode plain text, whole and the same every time."""
    import tokenizers

    engine = tokenizers.Tokenizer.from_str(text)
    engine.encode_special_tokens = True
    engine.no_truncation()
    engine.no_padding()
    if getattr(engine.model, "dropout", None) is not None:
        engine.model.dropout = None
    return engine


def _part(component: Any) -> dict[str, Any] | None:
    """Return a component's settings as the tokenizer.json has them."""
    state = "null" if component is None else component.__getstate__()
    return json.loads(state)  # type: ignore[no-any-return]  # the library writes an object


def _model_facts(model: Any) -> ModelFacts:
    kind = type(model).__name__
    if kind == "Unigram":  # its settings are not attributes
        state = json.loads(model.__getstate__())
        unknown_id = state["unk_id"]
        unknown = None if unknown_id is None else state["vocab"][unknown_id][0]
        return ModelFacts(kind, unknown, state.get("byte_fallback", False), "", "")
    return ModelFacts(
        kind,
        getattr(model, "unk_token", None),
        getattr(model, "byte_fallback", False),
        getattr(model, "continuing_subword_prefix", None) or "",
        getattr(model, "end_of_word_suffix", None) or "",
    )
