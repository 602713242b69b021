"""Every law as it is declared."""

import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.chinchilla import CHARGES
from scaling.laws.registry import LAWS, form_of, law_named, load, quantities, quantity
from scaling.runs import NUMBERS, SIGNED, is_per_text
from tests.scaling.fits.planted import PLANTED


@pytest.mark.parametrize("name", LAWS)
def test_what_a_law_names_exists(name: str) -> None:
    law = LAWS[name]
    assert callable(load(law.fit)) and quantities(name)
    plain = {column for column in law.columns if not is_per_text(column)}
    assert plain <= {*NUMBERS, *SIGNED, "params"}
    assert (law.default in law.forms) if law.forms else not law.default
    assert form_of(name, "") == law.default


@pytest.mark.parametrize("name", ["law2", "chinchilla", "vocabulary", "joint"])
def test_a_form_names_its_coefficients(name: str) -> None:
    planted = PLANTED[name]()
    fit = planted.fit(planted.runs, NO_BOOTSTRAP)
    assert set(fit.estimates) == set(LAWS[name].forms[fit.form])
    assert fit.form == LAWS[name].default


def test_charges_are_the_forms_of_chinchilla() -> None:
    assert tuple(CHARGES) == tuple(LAWS["chinchilla"].forms)


def test_a_slip_is_told_what_was_meant() -> None:
    with pytest.raises(InputError, match="law 'lw2' is unknown; did you mean 'law2'"):
        law_named("lw2")
    with pytest.raises(InputError, match="law 'kaplann' is unknown; did you mean 'kaplan'"):
        quantities("kaplann")
    with pytest.raises(InputError, match=r"law1 has no form 'x' \(none\)"):
        form_of("law1", "x")
    with pytest.raises(InputError, match="needs no input; it was given params"):
        quantity("chinchilla", "l2", "params_exponent", ("params",))
