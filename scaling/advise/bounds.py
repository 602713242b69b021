"""Which questions the laws answer: numbers that can be, and how far beyond the runs one may lie."""

from corpora.arguments import word
from corpora.errors import InputError
from scaling.advise.allocate import Allocation
from scaling.advise.answer import Question
from scaling.advise.laws import FamilyLaws

BUDGETS = (1e12, 1e30)  # FLOPs; beyond them no law here means anything
LONGEST = 1e4  # bytes per token
EXTRAPOLATED, REFUSED = 10, 1000  # times beyond the budgets fitted: said first, and refused


def check(question: Question) -> None:
    """Refuse a question whose numbers cannot be.

    Raises:
        InputError: a name that is no text, the budget, a tokenizer's bytes per token or its
            vocabulary, or two tokenizers of one name.
    """
    for name in ("language", "family", "setting", "gpu"):
        word(name, getattr(question, name))
    low, high = BUDGETS
    if not low <= question.compute_flops <= high:
        raise InputError(
            f"`compute_flops` {question.compute_flops:g}: a positive number of FLOPs, {low:g} to"
            f" {high:g}"
        )
    names = [tokenizer.name for tokenizer in question.tokenizers]
    for name, bytes_per_token, size, _ in question.tokenizers:
        if not 1 <= bytes_per_token <= LONGEST:
            what = f"{bytes_per_token} bytes per token cannot be (1 to {LONGEST:g})"
            raise InputError(f"{name}: {what}")
        if size is not None and size < 1:
            raise InputError(f"{name}: a vocabulary of {size} ids cannot be")
        if names.count(name) > 1:
            raise InputError(f"{name}: two tokenizers of that name; name them apart")


def extrapolation(question: Question, laws: FamilyLaws, best: Allocation) -> list[str]:
    """Return that the budget is an extrapolation, where it is ten times beyond those fitted.

    Raises:
        InputError: it is a thousand times beyond them, and not asked for as such.
    """
    cautions = []
    latent = float(6 * best.params[0] * best.train_bytes[0] / best.compression_rate[0])
    for name, law, key, spent in (
        ("Law II", laws.law2, "compute_flops", question.compute_flops),
        ("Law I", laws.law1, "latent_flops", latent),
    ):
        low, high = law.fit.data_range.get(key, (spent, spent))
        factor, side, end = max((spent / high, "largest", high), (low / spent, "smallest", low))
        if factor <= EXTRAPOLATED:
            continue
        what = "FLOPs" if key == "compute_flops" else "FLOPs of the latent module"
        where = (
            f"{spent:.3g} {what} is {factor:,.0f} times {'above' if side == 'largest' else 'below'}"
            f" the {side} that {name} was fitted to, {end:.3g}"
        )
        if factor > REFUSED and not question.far:
            raise InputError(
                f"`compute_flops`: {where}; no law is known to hold so far, and `far` answers all"
                " the same"
            )
        cautions.append(f"an extrapolation: {where}; intervals do not hold what may change beyond")
    return cautions
