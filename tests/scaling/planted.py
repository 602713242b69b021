"""Every law planted: synthetic runs of known truth, on realistic designs with realistic noise."""

from collections.abc import Callable, Mapping

from tests.scaling import planted_bytes, planted_tokens
from tests.scaling.planted_runs import Planted

PLANTED: Mapping[str, Callable[[], Planted]] = {
    "isoflop": planted_bytes.parabola,
    "isoflop-surface": planted_bytes.surface,
    "law1": planted_bytes.law_1,
    "law2": planted_bytes.law_2,
    "law2-runs": planted_bytes.law_2_from_runs,
    "chinchilla": planted_tokens.chinchilla_law,
    "approach2": planted_tokens.approach_2,
    "envelope": planted_tokens.envelope,
    "overtraining": planted_tokens.over_training,
    "vocabulary": planted_tokens.vocabulary_law,
    "repeated": planted_tokens.repeated_data,
    "joint": planted_bytes.joint_law,
    "joint-terms": planted_bytes.joint_rival,
}
