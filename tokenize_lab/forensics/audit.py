"""Everything that can be said of a vocabulary's tokens, ready for JSON.

The writing a token belongs to: its Unicode script (Unicode Standard Annex 24).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from corpora.arguments import whole
from corpora.corpus import Corpus
from tokenize_lab.backends.running_text import BytesProof, bytes_proof
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.forensics.merges import MergeRules, dead_merges, merge_rules
from tokenize_lab.forensics.reach import OPEN, PROVEN, Reach, Reached, find_reach
from tokenize_lab.forensics.usage import Usage, count_usage, language_rows, sharing
from tokenize_lab.forensics.utf8 import cut_of
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import TokenBytes, Tokenizer, TokenKind, readable
from tokenize_lab.tokenizer_spec import load_tokenizers

# Property values of Unicode 15; a character of any other script counts as `Other`.
SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Thaana",
    "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada",
    "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Hangul", "Ethiopic",
    "Cherokee", "Canadian_Aboriginal", "Ogham", "Runic", "Khmer", "Mongolian", "Hiragana",
    "Katakana", "Bopomofo", "Han", "Yi", "Gothic", "Tagalog", "Balinese", "Javanese", "Sundanese",
    "Nko", "Tifinagh", "Vai", "Ol_Chiki", "Meetei_Mayek", "Cham", "Adlam", "Braille", "Coptic",
    "Glagolitic", "Deseret", "Cuneiform", "Egyptian_Hieroglyphs",
)  # fmt: skip
COMMON = "no script"  # digits, punctuation, symbols, spaces, marks that any script uses
MIXED = "several scripts"
OTHER = "another script"
PARTIAL = "part of a character"
INVALID = "no UTF-8"


@cache
def _pattern() -> Any:
    import regex

    named = "|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in SCRIPTS)
    return regex.compile(rf"[\p{{Script=Common}}\p{{Script=Inherited}}]|{named}")


@cache
def script_of(character: str) -> str:
    """Return a character's script, `no script` for what all scripts share."""
    match = _pattern().match(character)
    if match is None:
        return OTHER
    return match.lastgroup or COMMON


def token_script(raw: bytes) -> str:
    """Return the script of a token's whole characters, or why it has none."""
    cut = cut_of(raw)
    if cut is None:
        return INVALID
    scripts = {script_of(character) for character in cut.middle} - {COMMON}
    if len(scripts) == 1:
        return scripts.pop().replace("_", " ")
    if scripts:
        return MIXED
    return PARTIAL if cut.tail or cut.head else COMMON


def script_counts(table: TokenBytes, ids: Sequence[int]) -> dict[str, int]:
    """Return how many of the ids are of each script, the most frequent first."""
    counts = Counter(token_script(table[i]) for i in ids)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


LISTED = 1000  # of a list in the JSON; the counts are of all
EXAMPLES = 40  # of the tokens mainly of one language


def audit(
    tokenizer: object,
    corpora: Sequence[Corpus] = (),
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Look at every token of a vocabulary: can it come out of a text at all, is it whole
    characters, which script; and is it ever used in the corpora, and by which languages.

    Lists hold at most `LISTED` tokens, each `{"id", "hex", "text"}`: its bytes in hexadecimal, and
    as text with `\\xNN` for what is not UTF-8.

    Arguments:
        tokenizer: one, or the spec of one.
        corpora: text that shows which tokens are used; none to look at the vocabulary alone.
        jobs: processes to count with, as of `measure`.
        cache: folder of counts already made.
        progress: told of each corpus, and of the bytes of text just counted.

    Raises:
        InputError: from the tokenizer or the corpora.
    """
    whole("jobs", jobs, 0)
    (loaded,) = load_tokenizers([tokenizer])
    usage = None
    if corpora:
        usage = count_usage(loaded, corpora, cache=cache, jobs=jobs, progress=progress)
    progress("looking at every token", 0)
    table = loaded.token_bytes
    rules = merge_rules(loaded)
    met = np.flatnonzero(usage.total).tolist() if usage else []
    reached = find_reach(loaded, rules, met)
    return TokenizerFinding(
        kind="audit",
        tokenizer=identity(loaded),
        ids={kind.name.lower(): int(np.count_nonzero(table.kinds == kind)) for kind in TokenKind},
        without_bytes=int(np.count_nonzero(table.lengths == 0)),
        reach=_reach(reached, table),
        merges=_merges(rules, table),
        characters=_characters(table),
        decoding=_decoding(bytes_proof(loaded), table),
        scripts=script_counts(table, np.flatnonzero(table.lengths).tolist()),
        corpus=_corpus(usage, reached, rules, table) if usage else None,
        notices=list(usage.notices) if usage else [],
    )


def _decoding(proof: BytesProof, table: TokenBytes) -> dict[str, Any]:
    found = proof.as_json(table)
    numbers = {f"{name}_count": len(found[name]) for name in ("differing", "open")}
    return found | numbers | {name: found[name][:LISTED] for name in ("differing", "open")}


def identity(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what tells one tokenizer from another."""
    return {
        "spec": tokenizer.spec,
        "name": tokenizer.name,
        "sha256": tokenizer.sha256,
        "vocabulary_size": tokenizer.vocabulary_size,
        "engine": tokenizer.engine,
        "lossless": tokenizer.lossless,
        "lossy_reason": tokenizer.lossy_reason,
        "prefix": readable(tokenizer.prefix),
    }


def token(table: TokenBytes, token_id: int) -> dict[str, Any]:
    """Return a token's id and bytes."""
    return {"id": token_id, "hex": table[token_id].hex(), "text": readable(table[token_id])}


def tokens(table: TokenBytes, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return up to `LISTED` tokens."""
    return [token(table, i) for i in list(ids)[:LISTED]]


def _reach(reached: Reached, table: TokenBytes) -> dict[str, Any]:
    def listed(*wanted: Reach) -> list[dict[str, Any]]:
        found = []
        for i in reached.ids(*wanted)[:LISTED]:
            instead = reached.instead.get(i)
            found.append(
                {
                    **token(table, i),
                    "why": Reach(int(reached.status[i])).name.lower(),
                    "instead": None if instead is None else [token(table, j) for j in instead],
                }
            )
        return found

    return {
        "counts": {
            state.name.lower(): int(np.count_nonzero(reached.status == state)) for state in Reach
        },
        "reached": len(reached.ids(Reach.REACHED)),
        "unreachable_proven": len(reached.ids(*PROVEN)),
        "not_found": len(reached.ids(*OPEN)),
        "texts_tried": reached.texts,
        "unreachable": listed(*PROVEN),
        "open": listed(*OPEN),
    }


def _merges(rules: MergeRules | None, table: TokenBytes) -> dict[str, Any] | None:
    if rules is None:
        return None
    dead = dead_merges(rules)
    return {
        "listed": bool(rules.listed),
        "count": len(rules.listed) if rules.listed else len(rules.in_order),
        "never_fire": len(dead),
        "parts_of_others": len(rules.parts),
        "dead": [
            {"left": token(table, merge.left), "right": token(table, merge.right)}
            for merge in dead[:LISTED]
        ],
    }


def _characters(table: TokenBytes) -> dict[str, int]:
    """Count ids by how they lie on characters; single bytes of longer ones are counted apart."""
    states = ("whole", "single_bytes", "begin_inside", "end_inside", "both", "invalid")
    counts: dict[str, int] = dict.fromkeys(states, 0)
    for i in np.flatnonzero(table.lengths).tolist():
        cut = cut_of(table[i])
        if cut and not cut.tail and not cut.head:
            counts["whole"] += 1
        elif table.lengths[i] == 1:
            counts["single_bytes"] += 1
        elif cut is None:
            counts["invalid"] += 1
        elif cut.tail and cut.head:
            counts["both"] += 1
        else:
            counts["begin_inside" if cut.tail else "end_inside"] += 1
    return counts


def _corpus(
    usage: Usage, reached: Reached, rules: MergeRules | None, table: TokenBytes
) -> dict[str, Any]:
    total = usage.total
    has_text = table.lengths > 0
    unused = np.flatnonzero((total == 0) & has_text)
    possible = unused[reached.status[unused] == Reach.REACHED]
    parts = rules.parts if rules else frozenset()
    scaffolds = [i for i in possible.tolist() if i in parts]
    return {
        "corpora_sha256": usage.corpora_sha256,
        "bytes": int(usage.bytes.sum()),
        "tokens": int(total.sum()),
        "used": int(np.count_nonzero(total)),
        "never_used": len(unused),
        "never_used_reachable": len(possible),
        "never_used_parts_of_others": len(scaffolds) if rules else None,
        "used_once": int(np.count_nonzero(total == 1)),
        "not_whole_characters_used": int(np.count_nonzero((total > 0) & table.splits_character)),
        "not_whole_character_tokens": int(total[table.splits_character].sum()),
        "unused": tokens(table, possible.tolist()),
        "ids_by_languages": sharing(usage),
        "languages": [
            {**row, "examples": _examples(usage, i, table)}
            for i, row in enumerate(language_rows(usage))
        ],
    }


def _examples(usage: Usage, row: int, table: TokenBytes) -> list[dict[str, Any]]:
    """Return the commonest tokens that occur in one language alone."""
    counts = usage.counts[row]
    alone = (usage.counts > 0).sum(0) == 1
    exclusive = np.flatnonzero((counts > 0) & alone)
    exclusive = exclusive[np.argsort(-counts[exclusive], kind="stable")][:EXAMPLES]
    return [{**token(table, i), "count": int(counts[i])} for i in exclusive.tolist()]
