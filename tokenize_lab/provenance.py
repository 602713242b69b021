"""What a measured folder says of itself, declared: its settings, inputs, tools and samples.

People copy these files, edit them and lose parts of them; whoever reads a folder can count on what
is declared here once `checked` has seen it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from corpora.json_file import Amount, Hex, damaged, read_shape

REMEDY = "measure again"
MOST_REPLICATES = 100_000


class MeasureSettings(TypedDict):
    """What was asked for; as the arguments of `tokenize_lab.measurement.measure`."""

    word_segmenter: str
    baseline: str
    reference: str
    group_by: list[Literal["language", "domain", "document"]]
    replicates: int
    seed: int


class CorpusFacts(TypedDict):
    """A corpus that was measured; the hash is of its texts, in order."""

    name: str
    parallel: bool
    sha256: str


class TokenizerFacts(TypedDict):
    """A tokenizer that measured it; the hash is of its vocabulary and settings."""

    name: str
    spec: str
    sha256: str
    vocabulary_size: int
    engine: str
    lossless: bool
    lossy_reason: str
    remark: NotRequired[str]


class RunFacts(TypedDict):
    """What changes from run to run."""

    finished: str
    platform: str
    seconds: Amount
    text_bytes: int
    mb_per_second: Amount | None
    encoder_mb_per_second: dict[str, Amount | None]
    batches_encoded: int
    batches_from_cache: int
    notices: NotRequired[list[str]]


class Provenance(TypedDict):
    """provenance.json.

    `files` are the SHA-256 of the others; `entries`, of a leaderboard, the fingerprints by name.
    """

    command: list[str]
    settings: MeasureSettings
    corpora: list[CorpusFacts]
    tokenizers: list[TokenizerFacts]
    counting_version: int
    versions: dict[str, str]
    run: RunFacts
    files: dict[str, str]
    entries: NotRequired[dict[str, str]]


class SampleTokens(TypedDict):
    """Ids and bytes of the tokens of a sample; `bytes` in hexadecimal where they are others than
    the text's."""

    ids: list[int]
    sizes: list[int]
    bytes: Hex | None


class TokenizedSample(TypedDict):
    """The head of a document, and its tokens by tokenizer."""

    corpus: str
    language: str
    domain: str
    alignment: int | None
    text: str
    tokens: dict[str, SampleTokens]


def checked(value: Any, file: Path) -> dict[str, Any]:
    """Return the content of provenance.json, once it is what `Provenance` declares.

    Raises:
        InputError: it is not; naming the field.
    """
    found: Any = read_shape(Provenance, value, str(file), REMEDY)
    settings = found["settings"]
    if settings["replicates"] > MOST_REPLICATES:
        raise damaged(file, f"'settings.replicates' is more than {MOST_REPLICATES:,}", REMEDY)
    for kind in ("corpora", "tokenizers"):
        names = Counter(part["name"] for part in found[kind])
        if not names:
            raise damaged(file, f"'{kind}' is empty", REMEDY)
        name, times = names.most_common(1)[0]
        if times > 1:
            raise damaged(file, f"'{kind}' names {name!r} twice", REMEDY)
    tokenizers = [part["name"] for part in found["tokenizers"]]
    if settings["baseline"] not in tokenizers:
        what = f"'settings.baseline' is {settings['baseline']!r}, which no tokenizer is called"
        raise damaged(file, what, REMEDY)
    empty = next((i for i, p in enumerate(found["tokenizers"], 1) if not p["vocabulary_size"]), 0)
    if empty:
        raise damaged(file, f"'tokenizers.{empty}.vocabulary_size' is 0", REMEDY)
    result: dict[str, Any] = found
    return result


def checked_samples(
    value: Any, file: Path, corpora: Sequence[str], tokenizers: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the content of samples.json, once it is of these corpora and tokenizers and the tokens
    of each sample cover its bytes.

    Raises:
        InputError: it is not; naming the field.
    """
    found: list[Any] = read_shape(list[TokenizedSample], value, str(file), REMEDY)
    for place, sample in enumerate(found, 1):
        if sample["corpus"] not in corpora:
            raise damaged(file, f"'{place}.corpus' is none that was measured", REMEDY)
        if sample["tokens"].keys() != set(tokenizers):
            what = "are not those of the tokenizers measured"
            raise damaged(file, f"'{place}.tokens' {what}", REMEDY)
        for name, tokens in sample["tokens"].items():
            where = f"{place}.tokens.{name}"
            other = tokens["bytes"]
            raw = sample["text"].encode() if other is None else bytes.fromhex(other)
            if len(tokens["ids"]) != len(tokens["sizes"]) or sum(tokens["sizes"]) != len(raw):
                raise damaged(file, f"'{where}' does not cover the bytes of its text", REMEDY)
    return found
