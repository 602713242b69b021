"""What the demo prints of the laws: sentences that the fits and the counts support."""

from reports.languages import language_name
from reports.laws.distance import BUDGET, placed
from reports.laws.material import Laws
from reports.laws.profiles import best_rates_sentence, law2_of
from reports.laws.text import estimated, power, significant
from reports.measured import Measured
from reports.numbers import listed

_LANGUAGES = ("eng", "hin")  # one that the laws were fitted to, one that has a T* of its own


def best_rate_sentences(laws: Laws, measured: Measured, tokenizer: str) -> list[str]:
    """Return T* at two budgets, and what a tokenizer does beside it in English and Hindi."""
    fit = law2_of(laws)
    if fit is None or not measured.corpora:
        return []
    parts = []
    for one in placed(measured, measured.corpora[0], fit):
        own = next((each for each in one.distances if each.tokenizer == tokenizer), None)
        if one.language[:3] in _LANGUAGES and own is not None:
            parts.append(
                f"{significant(own.rate)} bytes per token of {language_name(one.language)}, where "
                f"the best rate is {estimated(one.best)} (price {estimated(own.price, 2)} bits per "
                "byte)"
            )
    sentences = [best_rates_sentence(fit, laws)]
    if parts:
        sentences.append(
            f"At {power(BUDGET)} FLOPs, if tokens are worth what patches are: {tokenizer} holds "
            f"{listed(parts)}."
        )
    return sentences
