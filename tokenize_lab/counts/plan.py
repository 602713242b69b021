"""Which engine serves which tokenizer, and why."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tokenize_lab.counts.fields import TextSettings, WordSegmenter
from tokenize_lab.patterns import PATTERNS, CutRule, Splitting, rule_of
from tokenize_lab.tokenizer import Tokenizer


class EncodingPlan(NamedTuple):
    """How one tokenizer's counts come about.

    Attributes:
        tokenizer: its name.
        encoder: the library that turns text into ids.
        encoder_reason: why that one.
        rule: where text is cut, so that each distinct chunk is counted once for all tokenizers of
            that rule; None where the tokenizer encodes every text whole.
        literals: added tokens; a text that holds one is encoded whole.
        patterns: names of what it splits text with, or the expressions themselves.
        reason: why it is so.
    """

    tokenizer: str
    encoder: str
    encoder_reason: str
    rule: CutRule | None
    literals: tuple[str, ...]
    patterns: tuple[str, ...]
    reason: str


def encoding_plan(tokenizer: Tokenizer, settings: TextSettings) -> EncodingPlan:
    """Return how a tokenizer is served."""
    facts = _splitting(tokenizer)
    rule, reason = _rule(facts, tokenizer, settings)
    names = {pattern: name for name, pattern in PATTERNS.items()}
    return EncodingPlan(
        tokenizer.name,
        *_encoder(tokenizer),
        rule,
        facts.literals,
        tuple(names.get(pattern, pattern) for pattern in facts.patterns),
        reason,
    )


def encoding_plans(tokenizers: Sequence[Tokenizer], settings: TextSettings) -> list[EncodingPlan]:
    """Return how each tokenizer is served."""
    return [encoding_plan(tokenizer, settings) for tokenizer in tokenizers]


def unshared(tokenizers: Sequence[Tokenizer], settings: TextSettings) -> list[str]:
    """Return a line for each tokenizer whose pattern is known and yet of no use here."""
    return [
        f"{plan.tokenizer} encodes every text whole: {plan.reason}"
        for tokenizer, plan in zip(tokenizers, encoding_plans(tokenizers, settings), strict=True)
        if plan.patterns and plan.rule is None and tokenizer.lossless
    ]


def plan_rows(plan: Sequence[EncodingPlan]) -> list[dict[str, Any]]:
    """Return the plan as rows for `--json`."""
    return [
        {
            "tokenizer": row.tokenizer,
            "encoder": row.encoder,
            "encoder_reason": row.encoder_reason,
            "splits_by": list(row.patterns),
            "shared": row.rule is not None,
            "cut_rule": None if row.rule is None else row.rule.value,
            "shared_with": [
                other.tokenizer
                for other in plan
                if other is not row and row.rule is not None and other.rule is row.rule
            ],
            "reason": row.reason,
        }
        for row in plan
    ]


def _splitting(tokenizer: Tokenizer) -> Splitting:
    from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
    from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer
    from tokenize_lab.backends.simple import ByteTokenizer, CharacterTokenizer
    from tokenize_lab.backends.tiktoken import TiktokenTokenizer

    match tokenizer:
        case TiktokenTokenizer():
            return Splitting((tokenizer.pattern,))
        case HuggingFaceTokenizer():
            return tokenizer.splitting
        case SentencePieceTokenizer():
            return Splitting(obstacle="SentencePiece does not split a text before it merges")
        case ByteTokenizer() | CharacterTokenizer():
            return Splitting(obstacle="it merges nothing; looking pieces up would take longer")
    return Splitting(obstacle="nothing is known of how it splits a text")


def _encoder(tokenizer: Tokenizer) -> tuple[str, str]:
    """Return which library encodes, and why."""
    from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
    from tokenize_lab.backends.huggingface_fast import FastPath

    if not isinstance(tokenizer, HuggingFaceTokenizer):
        return tokenizer.engine, "its own"
    if isinstance(tokenizer.fast, FastPath):
        return tokenizer.fast.tiktoken.engine, "its merges follow from ranks: the ids are the same"
    return tokenizer.engine, f"its own: {tokenizer.fast}"


def _rule(
    facts: Splitting, tokenizer: Tokenizer, settings: TextSettings
) -> tuple[CutRule | None, str]:
    """Return where text may be cut for a tokenizer, and why; or why nowhere."""
    if facts.obstacle:
        return None, facts.obstacle
    if not tokenizer.lossless:
        return None, f"it is lossy: {tokenizer.lossy_reason}"
    if settings.segmenter is not WordSegmenter.WHITESPACE:
        return None, f"words by {settings.segmenter.value} are found in whole texts"
    rules = {rule_of(pattern) for pattern in facts.patterns}
    if None in rules:
        return None, "no places are proven at which its pattern always ends a piece"
    if len(rules) > 1:
        return None, "its patterns agree on no places to cut"
    return rules.pop(), "each distinct chunk of text is encoded once"
