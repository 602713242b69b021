"""Pages on vocabularies extended and pruned."""

import pytest
from markupsafe import escape

from corpora.corpus import corpus_of
from reports.build import build_report
from reports.vocabulary.adapted_price import ChangedRate, changed_prices
from tests.reports.folders import HOSTILE
from tests.reports.test_build import Page
from tests.tokenize_lab.adapt.test_extend import lines_of
from tests.tokenize_lab.forensics.made import byte_level
from tokenize_lab.adapt.extend import extend
from tokenize_lab.adapt.prune import prune

ENGLISH, HINDI = (lines_of(language) for language in ("eng_Latn", "hin_Deva"))
MERGES = [(b"t", b"h"), (b"th", b"e"), (b" ", b"the"), (b"q", b"q")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("adapted")
    old = byte_level(MERGES, pattern=r" ?[^ ]+| +")
    english = corpus_of({"eng_Latn": ENGLISH})
    new = corpus_of({"hin_Deva": HINDI, HOSTILE[0]: HINDI})
    extend(old, [new], add=60, keep=[english], unseen=0).save(folder)
    prune(old, [english], unused=True).save(folder)
    return build_report(folder).read_text("utf-8")


def test_the_page_says_what_came_of_it(page: str) -> None:
    parsed = Page(page)
    assert {"extend-0", "prune-0"} <= {found.get("id") for found in parsed.all("section")}
    assert not parsed.faults and not parsed.open
    assert "60 more ids bring" in page and "of the 48 documents kept, the encoding of none" in page
    assert "had 260 ids and has 259 now" in page
    assert page.count("<h3>What that is worth</h3>") == 2


def test_a_name_from_a_corpus_cannot_act(page: str) -> None:
    assert HOSTILE[0] not in page and escape(HOSTILE[0]) in page


def test_fewer_bytes_per_token_than_wanted_cost_more_and_a_larger_vocabulary_serves_dearer() -> (
    None
):
    (early, late) = changed_prices([ChangedRate("eng_Latn", None, (2.0, 4.0), (50_000, 200_000))])
    assert (early.budget, late.budget) == (1e20, 1e21)
    before, after = early.before.price_bits_per_byte.value, early.after.price_bits_per_byte.value
    assert before is not None and after is not None and before > after > 0
    (same, _) = changed_prices([ChangedRate("eng_Latn", None, (4.0, 4.0), (50_000, 200_000))])
    served = [side.inference_flops_per_byte.value for side in (same.before, same.after)]
    assert served[0] is not None and served[1] is not None and served[0] < served[1]
    (of_code, _) = changed_prices([ChangedRate("hi", None, (2.0, 4.0), (500, 600))])
    assert of_code.rate.language == "hi" and of_code.before.price_bits_per_byte.value is not None
    assert not changed_prices([ChangedRate("eng_Latn", None, (0.9, 4.0), (500, 600))])
    assert not changed_prices([ChangedRate("xyz", None, (2.0, 4.0), (500, 600))])
