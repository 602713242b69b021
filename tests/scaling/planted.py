"""Every law planted: synthetic runs of known truth, on realistic designs with realistic noise."""

from collections.abc import Callable, Mapping

from tests.scaling import planted_bytes, planted_tokens
from tests.scaling.planted_runs import Planted

PLANTED: Mapping[str, Callable[[], Planted]] = {
    "isoflop": planted_bytes.parabola,
    "isoflop-few": planted_bytes.parabola_of_five,
    "isoflop-surface": planted_bytes.surface,
    "isoflop-surface-few": planted_bytes.surface_of_four_by_four,
    "law1": planted_bytes.law_1,
    "law2": planted_bytes.law_2,
    "law2-few": planted_bytes.law_2_of_nine,
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
