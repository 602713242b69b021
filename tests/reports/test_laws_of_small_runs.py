"""The pages on laws that were fitted to runs of a small machine, and to several tokenizations."""

from dataclasses import replace
from pathlib import Path

import pytest

from reports.laws.allocation import allocation
from reports.laws.overview import law_sentences
from reports.laws.profiles import profiles
from reports.laws.results import Laws, read_laws, shown_name


@pytest.fixture(scope="module")
def laws(laws_folder: Path) -> Laws:
    found = read_laws(laws_folder)
    assert found is not None
    return found


@pytest.fixture
def small(laws: Laws) -> Laws:
    """The laws as if they were of runs of a small machine, and of two kinds of patches."""
    fits = [
        fit.model_copy(
            update={
                "context": {**fit.context, "tokenization": kind},
                "data_range": {**fit.data_range, name: (1e10, 1.04e13)},
            }
        )
        for kind in ("entropy", "static")
        for law, name in (("law1", "latent_flops"), ("law2", "compute_flops"))
        for fit in laws.of(law)[:1]
    ]
    return replace(laws, fits=fits)


def test_laws_of_small_runs_say_nothing_of_large_budgets(small: Laws) -> None:
    page = str(allocation(small).body) + str(profiles(small).body)
    assert "10²⁰ latent" not in page and ">1e21<" not in page
    first = law_sentences(small)[0]
    assert "for 10¹⁰ FLOPs and" in first and first.endswith("for 1.04×10¹³.")
    assert "4 bytes per token and 10¹³ latent FLOPs" in page


def test_fits_of_several_families_are_told_apart(small: Laws, laws: Laws) -> None:
    names = [shown_name(fit, small.fits) for fit in small.fits]
    assert len(set(names)) == len(names) and all("(static" in one for one in names[2:])
    assert "optima (entropy" in law_sentences(small)[0]
    # One family needs no name.
    assert "optima, puts" in law_sentences(laws)[0]
