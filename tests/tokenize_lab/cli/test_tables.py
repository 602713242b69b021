"""Tables of more rows than are kept say what tables of all of them would."""

from typing import Any

from corpora.document import Document
from tests.tokenize_lab.test_measure import CutCorpus
from tokenize_lab.cli.tables import chosen_rows, measure_tables
from tokenize_lab.measurement import measure

FIRST = 200


def test_many_documents_are_the_first_in_order_and_a_sum_of_all() -> None:
    names = [str(1000 + 7 * n % 1000) for n in range(1000)]  # every number once, in no order
    texts = [Document(f"é {name}", document_id=name) for name in names]
    results = measure([CutCorpus(texts, 900)], ["byte", "character"], group_by=["document"])
    by_place, tokenizers = measure_tables(results.rows(), results.provenance)
    shown: list[Any] = [list(column.cells) for column in by_place.columns]
    assert [*map(str, shown[1])] == [f":{n}" for n in range(1000, 1000 + FIRST)]
    assert [*map(str, shown[2])] == ["1.00"] * FIRST
    assert [*map(str, shown[3])] == ["1.17"] * FIRST
    assert str(by_place.caption) == "the first 200 of 1,000; --json or --csv has all"
    assert [*map(str, tokenizers.columns[2].cells)] == ["1.000", "1.167"]


def test_columns_of_rows_that_have_not_all() -> None:
    rows: list[dict[str, Any]] = [{"a": 1}, {"a": 2, "b": "x"}]
    assert [*chosen_rows(rows, "b,a", as_json=False, as_csv=True)] == ["b,a\n,1\n", "x,2\n"]
