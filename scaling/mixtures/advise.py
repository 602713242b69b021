"""Which mixture to train with a budget: the best one under caps in epochs, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from corpora.arguments import real, refused
from corpora.errors import InputError, did_you_mean, sanitize
from scaling.engine.stored import ends_of
from scaling.mixtures.arms import apart_lines, arms_apart
from scaling.mixtures.design import epoch_caps, share_caps
from scaling.mixtures.findings import arm_findings
from scaling.mixtures.optimum import LanguageDraws, best_mixture
from scaling.mixtures.result import MixtureArm, MixtureLaw, shown
from scaling.mixtures.table import language_weights

_OTHER_BUDGET = 10.0  # times the runs' own, from which it is said


@dataclass(frozen=True)
class MixtureAdvice:
    """An answer: `summary`, `to_json`.

    Attributes:
        law: with the target that was asked for, and its best mixture under the caps.
        train_bytes: the budget; None where it is not known, and nothing is capped.
        epochs: of each text of known size, for each arm's best mixture.
        cautions: what is to be known first.
    """

    law: MixtureLaw
    train_bytes: float | None
    epochs: tuple[dict[str, float], ...]
    cautions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with --json."""
        return {
            "target": self.law.target,
            "unit": self.law.unit,
            "level": self.law.level,
            "data": self.law.data,
            "train_bytes": self.train_bytes,
            "cautions": list(self.cautions),
            "arms": [
                self._arm_json(arm, epochs)
                for arm, epochs in zip(self.law.arms, self.epochs, strict=True)
            ],
            "apart": [apart.model_dump(mode="json") for apart in self.law.apart],
        }

    def _arm_json(self, arm: MixtureArm, epochs: Mapping[str, float]) -> dict[str, Any]:
        best = arm.best
        places = zip(self.law.texts, best.shares, best.intervals, best.caps, strict=True)
        return {
            "name": arm.name,
            "mixture": {
                text: {
                    "share": share, "interval": ends_of(ends), "cap": cap,
                    "epochs": epochs.get(text),
                }
                for text, share, ends, cap in places
            },
            "loss": best.loss,
            "loss_interval": ends_of(best.loss_interval),
            "losses": {
                name: {"loss": loss, "interval": ends_of(best.loss_intervals[name])}
                for name, loss in best.losses.items()
            },
            "cost_of_caps": best.cost,
            "cost_of_caps_interval": ends_of(best.cost_interval),
            "findings": [finding.model_dump() for finding in arm.findings],
        }  # fmt: skip

    def summary(self) -> str:
        """Return the answer as text."""
        budget = "" if self.train_bytes is None else f" for {self.train_bytes:.4g} bytes"
        lines = [f"best mixture{budget}, target {self.law.name} (of {self.law.data})"]
        lines += [f"caution: {said}" for said in self.cautions]
        width = max(map(len, (*self.law.texts, *self.law.languages)))
        for arm, epochs in zip(self.law.arms, self.epochs, strict=True):
            best = arm.best
            lines += ["", f"{arm.name}:" if arm.name else "mixture:"]
            places = zip(self.law.texts, best.shares, best.intervals, best.caps, strict=True)
            for text, share, ends, cap in places:
                line = f"  {text:<{width}}  {shown(share, ends, 3)}"
                if text in epochs:
                    line += f", {epochs[text]:.2g} epochs"
                lines.append(line + (f" (at most {cap:.3g})" if cap < 1 else ""))
            lines.append(f"loss of each language, {self.law.unit}:")
            for name, loss in best.losses.items():
                lines.append(f"  {name:<{width}}  {shown(loss, best.loss_intervals[name])}")
            lines.append(f"  {'target':<{width}}  {shown(best.loss, best.loss_interval)}")
            if arm.capped:
                lines.append(f"caps cost {shown(best.cost, best.cost_interval)} of the target")
            lines += [f"{found.severity}: {found.name}: {found.message}" for found in arm.findings]
        for apart in self.law.apart:
            lines += ["", *apart_lines(self.law, apart)]
        return "\n".join(map(sanitize, lines))


@np.errstate(all="ignore")  # coefficients that were changed in a file, seen below
def advise_mixture(
    law: MixtureLaw,
    *,
    caps: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None,
    train_bytes: float | None = None,
    text_bytes: Mapping[str, float] | None = None,
) -> MixtureAdvice:
    """Return the best mixture for a budget.

    Args:
        caps: how often each text may be read, epochs; four where it is not named. A text's largest
            share is that many times its bytes over those of the budget.
        weights: of languages, in place of those of the fit's target; the others keep theirs.
        train_bytes: the budget; what the runs read by default.
        text_bytes: sizes of texts, in place of those in the fit's table.

    Raises:
        InputError: an unknown text or language, numbers that cannot be, weights that are all 0, a
            cap on a text of unknown size, or caps below what the budget needs.
    """
    for name, given in (("caps", caps), ("weights", weights), ("text_bytes", text_bytes)):
        if given is not None and not isinstance(given, Mapping):
            raise refused(name, given, "a mapping of names to numbers")
    target = language_weights({**law.target, **(weights or {})}, law.languages, "weights")
    sizes = {**law.text_bytes, **_of_texts(law, "text_bytes", text_bytes)}
    asked = _of_texts(law, "caps", caps)
    budget = law.train_bytes if train_bytes is None else real("train_bytes", train_bytes, 1)
    for text in asked:
        if text not in sizes:
            raise InputError(
                f"`caps`: the size of {text} is not known, so epochs are no share; give its bytes"
                " with `text_bytes`"
            )
    if asked and budget is None:
        raise InputError("`caps`: epochs are of a budget; give it with `train_bytes`")
    most = share_caps(list(law.texts), epoch_caps(sizes, budget, asked) if budget else {})
    arms = []
    for arm in law.arms:
        losses = LanguageDraws(arm.regressions, target)
        try:
            best = best_mixture(losses, most, law.level, arm.tried)
        except ValidationError as error:  # it is of finite numbers
            raise InputError(f"the mixture law of {law.data} tells no loss; fit again") from error
        arm = arm.model_copy(update={"best": best})
        findings = arm_findings(arm, law.texts, target, law.form, law.level)
        arms.append(arm.model_copy(update={"findings": findings}))
    told = law.model_copy(update={"target": target, "arms": tuple(arms)})
    told = told.model_copy(update={"apart": arms_apart(told)})
    epochs = tuple(
        {
            text: share * budget / sizes[text]
            for text, share in zip(law.texts, arm.best.shares, strict=True)
            if text in sizes and budget is not None
        }
        for arm in arms
    )
    return MixtureAdvice(told, budget, epochs, tuple(_cautions(law, sizes, budget)))


def _of_texts(
    law: MixtureLaw, argument: str, given: Mapping[str, float] | None
) -> dict[str, float]:
    found = {}
    for name, value in (given or {}).items():
        if name not in law.texts:
            near = did_you_mean(name, law.texts)
            raise InputError(
                f"`{argument}`: no text {name!r}{near} (there is {', '.join(law.texts)})"
            )
        found[name] = real(argument, value)
        if not found[name] > 0:
            raise InputError(f"`{argument}`: {name} has {found[name]:g}; give a number above 0")
    return found


def _cautions(law: MixtureLaw, sizes: Mapping[str, float], budget: float | None) -> list[str]:
    said = []
    unknown = [text for text in law.texts if text not in sizes]
    if budget is None:
        said.append(
            "nothing is capped: the runs' table has no train_bytes, and `train_bytes` was not given"
        )
    elif unknown:
        said.append(
            f"not capped, since their sizes are not known: {', '.join(unknown)} (the table had no"
            " column unique_bytes:NAME; give `text_bytes`)"
        )
    if budget is not None and law.train_bytes is not None:
        times = max(budget / law.train_bytes, law.train_bytes / budget)
        if times > _OTHER_BUDGET:
            said.append(
                f"the runs read {law.train_bytes:.3g} bytes, {times:,.0f} times"
                f" {'less' if budget > law.train_bytes else 'more'}: how mixtures rank carries over"
                " better than their losses, which are those of the runs' budget"
            )
    return said
