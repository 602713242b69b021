"""The files of findings, declared: what `report` can count on in an audit, a comparison, a mixture,
and a vocabulary extended or pruned."""

from pathlib import Path
from typing import Any, Literal, TypedDict

from corpora.json_file import Amount, Hex, Share, damaged, read_shape

REMEDY = "remove it or make it again"


class Identity(TypedDict):
    """What tells one tokenizer from another."""

    spec: str
    name: str
    sha256: str
    vocabulary_size: int


class Token(TypedDict):
    """A token by its id and raw bytes; `instead`, what its text is encoded as."""

    id: int
    hex: Hex


class ReachedToken(Token):
    """A token that no text was found for, why, and what its own text is encoded as."""

    why: str
    instead: list[Token] | None


class Reaching(TypedDict):
    """Which tokens some text leads to."""

    reached: int
    unreachable_proven: int
    not_found: int
    unreachable: list[ReachedToken]
    open: list[ReachedToken]


class MergesFound(TypedDict):
    """The merges of a tokenizer; whether its file lists them, or they were recovered."""

    listed: bool
    count: int
    never_fire: int


class LanguageUse(TypedDict):
    """What a language uses of the vocabulary, in ids."""

    language: str
    bytes: int
    used_ids: int
    exclusive_ids: int
    main_ids: int
    ids_for_90_percent: int
    examples: list[Token]


class VocabularyUse(TypedDict):
    """What a corpus uses of the vocabulary."""

    bytes: int
    tokens: int
    used: int
    never_used: int
    never_used_reachable: int
    never_used_parts_of_others: int | None
    not_whole_character_tokens: int
    unused: list[Token]
    languages: list[LanguageUse]


class Audit(TypedDict):
    """An audit; `corpus` is null where it read no text."""

    kind: Literal["audit"]
    tokenizer: Identity
    reach: Reaching
    merges: MergesFound | None
    characters: dict[
        Literal["whole", "single_bytes", "begin_inside", "end_inside", "both", "invalid"], int
    ]
    scripts: dict[str, int]
    corpus: VocabularyUse | None


class SettingPair(TypedDict):
    """A setting of both tokenizers, and whether it is the same."""

    setting: str
    a: str
    b: str
    same: bool


class MovedToken(Token):
    """A shared token with its ranks among the shared ones."""

    ranks: tuple[int, int]


class TwoVocabularies(TypedDict):
    """Tokens by raw bytes: shared ones, and those of one alone."""

    shared: int
    own: tuple[int, int]
    rank_correlation: float | None
    moves: list[MovedToken]
    examples: tuple[list[Token], list[Token]]


class CutShares(TypedDict):
    """How alike both cut a text; null where nothing was compared."""

    documents: int
    documents_not_compared: int
    bytes: int
    same_document_share: Share | None
    same_byte_share: Share | None
    shared_boundary_share: Share | None
    tokens_b_over_a: Amount | None


class LanguageCuts(CutShares):
    """The same of one language."""

    language: str


class CutWord(TypedDict):
    """A word with the places where either cuts it, in bytes."""

    hex: Hex
    count: int
    a: list[int]
    b: list[int]
    tokens_saved_by_a: float


class TextCuts(TypedDict):
    """How a corpus is cut."""

    all: CutShares
    languages: list[LanguageCuts]
    words: list[CutWord]
    words_cut_differently: int


class TokenizerComparison(TypedDict):
    """Two tokenizers beside each other; `text` is null where none was given."""

    kind: Literal["diff"]
    tokenizers: tuple[Identity, Identity]
    settings: list[SettingPair]
    vocabulary: TwoVocabularies
    text: TextCuts | None


class LanguageShare(TypedDict):
    """The share of a language in the training text."""

    language: str
    share: Share
    interval: tuple[Share, Share] | None
    share_published: Share
    bytes: int
    documents: int


class InferredMixture(TypedDict):
    """What a tokenizer learned from."""

    kind: Literal["mixture"]
    tokenizer: Identity
    languages: list[LanguageShare]
    merges: int
    merges_met: int
    slack_share: Amount


class KeptText(TypedDict):
    """Text of a language before and after the vocabulary was changed."""

    language: str
    texts: int
    changed: int
    bytes: int
    tokens_before: int
    tokens_after: int


class LearnedText(TypedDict):
    """What was read of a language."""

    documents: int
    bytes: int


class GainedLanguage(TypedDict):
    """The tokens of a language's text at every number of new ids, from none."""

    language: str
    documents: int
    bytes: int
    tokens: list[int]
    read: LearnedText


class Extended(TypedDict):
    """A vocabulary with more ids."""

    kind: Literal["extend"]
    tokenizer: Identity
    extended: Identity
    added: int
    reused: list[int]
    unseen: Share
    parallel: bool
    languages: list[GainedLanguage]
    kept: list[KeptText]
    tokens: list[Token]


class Pruned(TypedDict):
    """A vocabulary with fewer ids."""

    kind: Literal["prune"]
    tokenizer: Identity
    pruned: Identity
    dropped: int
    unused: bool
    kept: list[KeptText]
    tokens: list[Token]


_SHAPES: dict[str, type] = {
    "audit": Audit,
    "diff": TokenizerComparison,
    "mixture": InferredMixture,
    "extend": Extended,
    "prune": Pruned,
}
KINDS = tuple(_SHAPES)


def checked_finding(value: Any, kind: str, file: Path) -> dict[str, Any]:
    """Return the content of a finding's file, once it is what its kind declares.

    Raises:
        InputError: it is not; naming the field.
    """
    found: dict[str, Any] = read_shape(_SHAPES[kind], value, str(file), REMEDY)
    for name in ("tokenizer", "extended", "pruned"):
        if name in found and not found[name]["vocabulary_size"]:
            raise damaged(file, f"'{name}.vocabulary_size' is 0", REMEDY)
    if kind == "mixture" and not found["languages"]:
        raise damaged(file, "'languages' is empty", REMEDY)
    if kind == "extend":
        for place, row in enumerate(found["languages"], 1):
            if len(row["tokens"]) != found["added"] + 1:
                what = "has not a number for each of the ids added, and one for none"
                raise damaged(file, f"'languages.{place}.tokens' {what}", REMEDY)
            if len({count > 0 for count in row["tokens"]}) > 1:
                raise damaged(file, f"'languages.{place}.tokens' has zeros beside counts", REMEDY)
    for name in ("kept", "languages"):
        for place, row in enumerate(found.get(name, ()), 1):
            if row.get("texts", row.get("documents")) and not row["bytes"]:
                raise damaged(file, f"'{name}.{place}.bytes' is 0", REMEDY)
    return found
