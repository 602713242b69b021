"""Shares of languages in the text a BPE was trained on, read from the order of its merges.

Shares are of bytes, among the languages given: what is not among them is laid to the likest. The
method's own error on planted mixtures stands in LOG.md.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.arguments import whole
from corpora.bootstrap import DocumentBootstrap
from corpora.corpus import Corpus
from corpora.document import UNKNOWN_LANGUAGE, utf8_length
from corpora.errors import InputError
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_json import text_path
from tokenize_lab.backends.simple import character_to_byte
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.backends.watched import after_encoding, matcher
from tokenize_lab.forensics.audit import identity
from tokenize_lab.forensics.finding import TokenizerFinding
from tokenize_lab.forensics.merges import MergeRules, merge_rules
from tokenize_lab.forensics.program import GAP, Costs, Solution, relative_costs, solve
from tokenize_lab.forensics.replay import PairHistory, replay
from tokenize_lab.progress import ReportProgress, silent
from tokenize_lab.tokenizer import FloatArray, IntArray, Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizers
from tokenize_lab.workers import map_here

BLOCKS = 64  # per language; the units of a bootstrap
MOST_WORDS = 400_000  # distinct pieces that merges are replayed over: some 1 GB


@dataclass(frozen=True)
class MixtureWords:
    """The distinct pieces that merges stay inside, with how often each language holds them.

    Documents are dealt to blocks, and counted by block, so that resampling documents needs no
    second reading: a resample is a weight for each block.

    Attributes:
        pieces: [words] the bytes of each.
        languages: names, in the order of their first appearance.
        word, language, block, count: [entries] how often a word occurs in a block of a language.
        bytes: [languages, BLOCKS] int64, UTF-8 bytes of text.
        documents: [languages] int64.
        share_kept: of the text's bytes, in these pieces; the rarest of very many are left out.
    """

    pieces: Sequence[bytes]
    languages: Sequence[str]
    word: IntArray
    language: IntArray
    block: IntArray
    count: IntArray
    bytes: IntArray
    documents: IntArray
    share_kept: float = 1.0

    def weights(self, blocks: FloatArray) -> FloatArray:
        """Return how often each language holds each word, [words, languages], per million bytes.

        Arguments:
            blocks: [languages, BLOCKS] how often each block is taken.
        """
        size = (self.bytes * blocks).sum(1) / 1e6
        scaled = self.count * blocks[self.language, self.block] / size[self.language]
        flat = np.bincount(
            self.word * len(self.languages) + self.language,
            scaled,
            len(self.pieces) * len(self.languages),
        )
        shape = (len(self.pieces), len(self.languages))
        return np.asarray(flat, np.float64).reshape(shape)


def count_words(
    tokenizer: Tokenizer,
    corpora: Sequence[Corpus],
    most_bytes: int,
    progress: ReportProgress = silent,
    jobs: int = 1,
) -> MixtureWords:
    """Split the corpora as the tokenizer does and count the pieces by language.

    Arguments:
        most_bytes: of each language; what comes after is passed over.
        jobs: processes, as `map_here`.

    Raises:
        InputError: from the corpora; the tokenizer splits nothing, or is not one whose pieces are
            known.
    """
    index: dict[bytes, int] = {}
    languages: dict[str, int] = {}
    entries: list[NDArray[np.int32]] = []  # [4, entries] word, language, block and count of a batch
    sizes: list[list[int]] = []
    documents: list[int] = []

    def chosen() -> Iterator[tuple[tuple[Corpus, int], NumberedTexts]]:
        """Yield the texts to be split, with their corpus and the number of their language."""
        for corpus in corpora:
            for batch in corpus.batches():
                number = languages.setdefault(batch.language, len(languages))
                if number == len(sizes):
                    sizes.append([0] * BLOCKS)
                    documents.append(0)
                first, read, texts = documents[number], sum(sizes[number]), list[str]()
                for text in batch.texts:
                    if read >= most_bytes:
                        break
                    size = utf8_length(text)
                    sizes[number][documents[number] % BLOCKS] += size
                    documents[number] += 1
                    read += size
                    texts.append(text)
                yield (corpus, number), NumberedTexts(first, texts)

    start = partial(_block_counter, tokenizer)
    for (corpus, number), texts, counters in map_here(
        chosen(), start, jobs=jobs, cost=lambda texts: sum(map(len, texts.texts))
    ):
        for part, counter in counters.items():
            found = np.empty((4, len(counter)), np.int32)
            found[0] = [index.setdefault(piece, len(index)) for piece in counter]
            found[1], found[2], found[3] = number, part, list(counter.values())
            entries.append(found)
        progress(f"reading {corpus.name}", sum(map(utf8_length, texts.texts)))
    table = np.concatenate([np.zeros((4, 0), np.int32), *entries], axis=1)
    pieces, table, share = _commonest(list(index), table)
    word, language, block, count = table.astype(np.int64)
    return MixtureWords(
        pieces,
        list(languages),
        word,
        language,
        block,
        count,
        bytes=np.array(sizes, np.int64).reshape(-1, BLOCKS),
        documents=np.array(documents, np.int64),
        share_kept=share,
    )


class NumberedTexts(NamedTuple):
    """Texts of a language, and the number of the first among them all."""

    first: int
    texts: list[str]


def _block_counter(tokenizer: Tokenizer) -> Callable[[NumberedTexts], dict[int, Counter[bytes]]]:
    return partial(_pieces_by_block, splitter(tokenizer))


def _pieces_by_block(
    split: Callable[[str], list[bytes]], texts: NumberedTexts
) -> dict[int, Counter[bytes]]:
    """Return how often each piece occurs, by the block that its document is dealt to."""
    counters: dict[int, Counter[bytes]] = {}
    for number, text in enumerate(texts.texts, texts.first):
        counters.setdefault(number % BLOCKS, Counter()).update(split(text))
    return counters


def _commonest(
    pieces: list[bytes], table: NDArray[np.int32]
) -> tuple[list[bytes], NDArray[np.int32], float]:
    """Return the pieces that hold most of the text, at most `MOST_WORDS` of them, their entries,
    and the share of all pieces' bytes that they hold."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    held = np.bincount(table[0], table[3], len(pieces)) * lengths
    if len(pieces) <= MOST_WORDS:
        return pieces, table, 1.0
    kept = np.sort(np.argsort(-held, kind="stable")[:MOST_WORDS])
    place = np.full(len(pieces), -1)
    place[kept] = np.arange(len(kept))
    table = table[:, place[table[0]] >= 0]
    table[0] = place[table[0]]
    return [pieces[i] for i in kept.tolist()], table, float(held[kept].sum() / held.sum())


def splitter(tokenizer: Tokenizer) -> Callable[[str], list[bytes]]:
    """Return what splits a text into the pieces that merges stay inside, as bytes.

    Raises:
        InputError: the tokenizer is no byte-level BPE with a split.
    """
    if isinstance(tokenizer, TiktokenTokenizer):
        find = matcher(tokenizer.pattern, tokenizer.spec)
        return lambda text: [piece.encode() for piece in find(text)]
    if isinstance(tokenizer, HuggingFaceTokenizer) and _is_byte_level(tokenizer):
        engine = tokenizer.library_tokenizer
        letters = {ord(c): byte for c, byte in character_to_byte().items()}
        normal, pre = engine.normalizer, engine.pre_tokenizer

        def pieces(text: str) -> list[bytes]:
            if normal is not None:
                text = normal.normalize_str(text)
            found = (piece for piece, _ in pre.pre_tokenize_str(text))
            return [piece.translate(letters).encode("latin-1") for piece in found]

        return after_encoding(tokenizer, pieces)
    raise InputError(
        f"{tokenizer.spec}: the mixture is read from a byte-level BPE whose text is split before "
        "merging; this one has no such split"
    )


def _is_byte_level(tokenizer: HuggingFaceTokenizer) -> bool:
    """Whether it is a BPE over bytes in their alphabet, of pieces that no merge crosses."""
    content = json.loads(tokenizer.serialized)
    model, path = (
        content["model"],
        text_path(content.get("normalizer"), content.get("pre_tokenizer")),
    )
    marks = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
    return "merges" in model and path.byte_level and tokenizer.splits and not marks


INTERVAL = 1.96  # standard errors either side: 95 % of a normal distribution


def mixture(
    tokenizer: object,
    corpora: Sequence[Corpus],
    *,
    merges: int = 1000,
    most_bytes: int = 4_000_000,
    replicates: int = 0,
    seed: int = 0,
    jobs: int = 1,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Infer how much of each language a BPE was trained on, from the order of its merges.

    Arguments:
        tokenizer: one, or the spec of one.
        corpora: text of every language it may be of.
        merges: how many of the first merges to read.
        most_bytes: text to use of each language.
        replicates: resamples of each language's documents, in blocks, for the intervals; 0 for
            none. They say what a different sample of our text would have given, and nothing of how
            far the trainer's text was of another kind.
        seed: of the resamples.
        jobs: processes to split text in; 0 for one a core.
        progress: told of what is being done, and of the bytes of text just read.

    Raises:
        InputError: from the tokenizer or the corpora; fewer than two languages; no BPE whose text
            is split; none of its merges occurs in the text.
    """
    whole("merges", merges, 2)
    whole("most_bytes", most_bytes, 1)
    whole("replicates", replicates, 0, 10_000)
    whole("seed", seed, 0)
    (loaded,) = load_tokenizers([tokenizer])
    splitter(loaded)  # what cannot be read is refused before any text is
    words = count_words(loaded, corpora, most_bytes, progress, jobs)
    return infer_mixture(
        loaded, words, merges=merges, replicates=replicates, seed=seed, progress=progress
    )


def infer_mixture(
    tokenizer: Tokenizer,
    words: MixtureWords,
    *,
    merges: int,
    replicates: int = 0,
    seed: int = 0,
    progress: ReportProgress = silent,
) -> TokenizerFinding:
    """Return the languages' shares with all that is needed to judge them, ready for JSON.

    `share` is that of the programme with relative costs, `share_published` that of the published
    one; `slack_share` is the published one's slack over the frequency of all pairs merged. `gap`
    says how near either is to the least slack, `bounded` whether the search was ended before that.
    """
    known = [language for language in words.languages if language != UNKNOWN_LANGUAGE]
    if len(known) < 2 or len(known) < len(words.languages):
        raise InputError(
            "a mixture is of two languages or more, and each text must say which it is: name the "
            "files xxx_Xxxx.txt or xxx.jsonl, or give records a language"
        )
    rules = merge_rules(tokenizer)
    chosen = rules.first(merges) if rules else []
    if rules is None or not chosen:
        raise InputError(f"{tokenizer.spec}: is no BPE, so it has no order of merges to read")

    progress("replaying merges", 0)
    history = replay(symbols(rules, words), chosen)
    if not (history.merged >= 0).any():
        raise InputError(
            f"{tokenizer.spec}: none of its merges occurs in the text; give other text"
        )
    counts = history.counts(words.weights(np.ones((len(known), BLOCKS))))
    published = solve(history, counts, progress=_told("published programme", progress))
    costs = relative_costs(history, counts, published.shares)
    solution = solve(history, counts, costs, published, progress=_told("programme", progress))
    draws = _resampled(history, words, solution, costs, replicates, seed, progress)
    merged = counts[history.merged[history.merged >= 0]] @ published.shares
    gap = max(published.gap, solution.gap)
    bounded = (
        f"the search ended at {solution.constraints:,} constraints: the least slack may be "
        f"{gap:.1%} above what was found"
    )
    return TokenizerFinding(
        kind="mixture",
        tokenizer=identity(tokenizer),
        languages=_rows(words, solution, published, draws),
        merges=len(chosen),
        merges_met=solution.steps_used,
        distinct_words=len(words.pieces),
        words_share=words.share_kept,
        slack=published.slack,
        slack_share=published.slack / float(merged.sum()),
        gap=gap,
        bounded=gap > GAP,
        notices=[bounded] if gap > GAP else [],
        constraints=solution.constraints,
        rounds=published.rounds + solution.rounds,
        replicates=replicates,
        seed=seed,
    )


def _told(what: str, progress: ReportProgress) -> ReportProgress:
    return lambda doing, amount: progress(f"{what}: {doing}", amount)


def symbols(rules: MergeRules, words: MixtureWords) -> list[list[int]]:
    """Return each word as the ids of its bytes."""
    of_byte = {text[0]: i for i, text in enumerate(rules.texts) if len(text) == 1}
    missing = next((b for piece in words.pieces for b in piece if b not in of_byte), None)
    if missing is not None:
        raise InputError(
            f"no token for byte 0x{missing:02X}: only byte-level vocabularies are read"
        )
    return [[of_byte[byte] for byte in piece] for piece in words.pieces]


def _resampled(
    history: PairHistory,
    words: MixtureWords,
    solution: Solution,
    costs: Costs,
    replicates: int,
    seed: int,
    progress: ReportProgress,
) -> FloatArray:
    """Return the shares of each resample: [replicates, languages]."""
    bootstrap = DocumentBootstrap(replicates, seed)
    filled = words.bytes > 0
    # Languages are resampled independently of one another.
    drawn = [bootstrap.draws(n, stratum) for stratum, n in enumerate(filled.sum(1).tolist(), 1)]
    draws = np.zeros((replicates, len(words.languages)))
    for replicate in range(replicates):
        blocks = np.zeros(filled.shape)
        for language, present in enumerate(filled):
            blocks[language, present] = drawn[language][replicate]
        counts = history.counts(words.weights(blocks))
        draws[replicate] = solve(history, counts, costs, solution, solution.chosen).shares
        progress("resampling", 0)
    return draws


def _rows(
    words: MixtureWords, solution: Solution, published: Solution, draws: FloatArray
) -> list[dict[str, Any]]:
    errors = draws.std(0, ddof=1) if len(draws) > 1 else None
    rows = []
    for i, language in enumerate(words.languages):
        share = float(solution.shares[i])
        interval = None
        if errors is not None:
            reach = INTERVAL * float(errors[i])
            interval = [max(0.0, share - reach), min(1.0, share + reach)]
        rows.append(
            {
                "language": language,
                "share": share,
                "interval": interval,
                "share_published": float(published.shares[i]),
                "bytes": int(words.bytes[i].sum()),
                "documents": int(words.documents[i]),
            }
        )
    return sorted(rows, key=lambda row: (-row["share"], row["language"]))
