"""Languages have the names and tags that readers and browsers know."""

import pytest

from corpora.languages import is_language_script
from reports.languages import language_name, language_tag
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("code", "name", "tag"),
    [
        ("hin_Deva", "Hindi", "hi-Deva"),
        ("zho_Hans", "Chinese, simplified", "zh-Hans"),
        ("zho_Hant", "Chinese, traditional", "zh-Hant"),
        ("eng", "English", "en"),
        ("fil_Latn", "Filipino", "fil-Latn"),
        ("ckb_Arab", "Central Kurdish", "ckb-Arab"),
        ("xyz_Latn", "xyz_Latn", "xyz-Latn"),  # not in the table
        ("de", "German", "de"),
        ("pt-PT", "Portuguese, PT", "pt-PT"),
        ("zh-Hant", "Chinese, traditional", "zh-Hant"),
        ("sr-Latn", "Serbian, Latin", "sr-Latn"),
        ("my", "Burmese", "my"),
        ("und", "und", None),
        ("python", "python", None),
        ("c", "c", None),
        ("english", "english", None),
        ('en"><script>', 'en"><script>', None),
    ],
)
def test_name_and_tag(code: str, name: str, tag: str | None) -> None:
    assert language_name(code) == name
    assert language_tag(code) == tag


def test_every_embedded_language_has_a_name_of_its_own() -> None:
    codes = [path.stem for path in (ROOT / "corpora/samples/parallel").glob("*.txt")]
    assert len(codes) >= 20 and all(map(is_language_script, codes))
    names = [language_name(code) for code in codes]
    assert len(set(names)) == len(names)
    assert not any("_" in name for name in names)
