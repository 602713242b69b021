"""Languages as files and records name them, and which names are the same language.

Rows keep the form that the data has: `hin_Deva` (ISO 639-3 with the ISO 15924 script) and bare
three-letter codes stay as they are. Any other BCP 47 tag, ISO 639-1 codes among them, is shown
without a region that the rest implies by CLDR's likely subtags: `de-DE` is `de`, `pt_BR` is `pt`,
`pt_PT` is `pt-PT`, `zh_TW` is `zh-Hant`, `sr-Latn` stays. What no standard knows is kept.
The tables of tags are those of the library langcodes, which is loaded when a name may be a tag.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from corpora.document import UNKNOWN_LANGUAGE
from corpora.errors import sanitize

if TYPE_CHECKING:
    from langcodes import Language

_LANGUAGE_SCRIPT = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_TAG = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{2,8})*)")
_PRIVATE = re.compile(r"x(-[a-z0-9]{1,8})+")  # `x-klingon`: a language by agreement (RFC 5646)
_OF_A_LOCALE = re.compile(r"[.@].*")  # `de_DE.UTF-8`, `sr_RS@latin`
_WITH_REGION = re.compile(r"([a-z]{2,3})[-_]([a-z]{2})")

# A bare three-letter name (`eng.jsonl.xz`) is taken for a language only if it is one of these, so
# that `raw.jsonl` or `log.txt` are not: the ISO 639-3 codes of the languages of FLORES-200 and
# NTREX-128, and the macrolanguage codes in common use, but for `run`, `sun` and `war`, which are
# words that files are named by.
_CODES = frozenset(
    """
    ace acm acq aeb afr ajp aka als amh apc ara arb ars ary arz asm ast awa ayr aze azb azj bak bam
    ban bel bem ben bho bjn bod bos bug bul cat ceb ces cjk ckb cmn crh cym dan deu dik div dyu dzo
    ekk ell eng epo est eus ewe fao fas fij fil fin fon fra fuc fur fuv gaz gla gle glg grn guj hat
    hau heb hin hmn hne hrv hun hye ibo ilo ind isl ita jav jpn kab kac kam kan kas kat kaz kbp kea
    khk khm kik kin kir kmb kmr knc kon kor kur lao lav lij lim lin lit lmo ltg ltz lua lug luo lus
    lvs mag mai mal mar mey min mkd mlg mlt mni mon mos mri msa mya nde nep nld nno nob npi nso nus
    nya oci ori orm ory pag pan pap pbt pes plt pol por prs pus quy ron rus sag san sat scn shi
    shn sin slk slv smo sna snd som sot spa sqi srd srp ssw swa swe swh szl tah tam taq tat tel
    tgk tgl tha tir ton tpi tsn tso tuk tum tur twi tzm uig ukr umb urd uzb uzn vec ven vie wol
    xho ydd yor yue zho zsm zul
    """.split()  # noqa: SIM905 - two hundred codes read better without quotes and commas
)
# Codes that are words files are named by: `my.jsonl` is no Burmese unless files beside it are
# named by languages as well.
_WORDS = frozenset({"am", "an", "as", "be", "in", "my", "or", "so", "to"})


def is_language_script(name: str) -> bool:
    """Whether `name` is an ISO 639-3 code with an ISO 15924 script, such as `hin_Deva`."""
    return _LANGUAGE_SCRIPT.fullmatch(name) is not None


def language_of(
    path: PurePath, *, among_languages: bool = False, private_tags: bool = False
) -> str:
    """Return the language that the file's name, or else its nearest folder's, says; or `und`.

    Any part of the file's name between dots may say it (`hin_Deva.txt`, `de-DE.jsonl.xz`,
    `newstest2019-ref.hin.txt`); of a folder only the whole name counts.

    Args:
        among_languages: whether files beside it are named by languages, so that `my.txt` is, too.
        private_tags: whether folders are, so that `x-klingon` is one of them.
    """
    for part in (*path.name.split("."), *(folder.name for folder in path.parents)):
        if (found := _named(part, among_languages)) is not None:
            return found
        if (among_languages or private_tags) and _PRIVATE.fullmatch(part):
            return part
    return UNKNOWN_LANGUAGE


def said_language(text: str) -> tuple[str, bool]:
    """Return a record's language as rows show it, and whether a standard knows it.

    What no standard knows is kept as it is, but for what cannot stand in a line.
    """
    text = text.strip()
    if is_language_script(text) or text in _CODES or not text:
        return text or UNKNOWN_LANGUAGE, True
    tag = _OF_A_LOCALE.sub("", text)
    if not _is_valid(tag):
        return sanitize(text), False
    return (tag.lower() if len(tag) == 3 else _shortest(tag)), True


@lru_cache(maxsize=4096)
def same_language_key(language: str) -> str:
    """Return what all names of one language share: `de`, `deu`, `deu_Latn` have `de-Latn-DE`.

    Macrolanguages stand for the language that is meant by them: `arb_Arab` is `ar`.
    """
    if language == UNKNOWN_LANGUAGE or not _is_valid(language):
        return language
    full = _parsed(language).prefer_macrolanguage().maximize()
    return full.to_tag()


def same_languages(wanted: str, known: Iterable[str]) -> list[str]:
    """Return those of the known names that are the wanted one, or else name the same language."""
    known = list(known)
    if wanted in known:
        return [wanted]
    key = same_language_key(wanted)
    return [name for name in known if same_language_key(name) == key]


def begins_with(language: str, prefix: str) -> bool:
    """Whether a language's name begins so, or is of that language: `en-GB` with `eng`."""
    if len(prefix) > 2 and language.startswith(prefix):
        return True
    if re.fullmatch("[A-Za-z]{2,3}", prefix):
        return iso_form(language)[:3] == iso_form(prefix)
    return same_language_key(language) == same_language_key(prefix)


@lru_cache(maxsize=4096)
def iso_form(language: str) -> str:
    """Return ISO 639-3 and, where the name says it, the script: `de` is `deu`, `zh-Hant` is
    `zho_Hant`, `en-GB` is `eng`; what is no tag comes back as it is."""
    if is_language_script(language) or language in _CODES or not _is_valid(language):
        return language
    found = _parsed(language)
    try:
        code = found.to_alpha3()
    except LookupError:
        return language
    return f"{code}_{found.script}" if found.script else code


def region_of(language: str) -> str | None:
    """Return the region that a name says, as `PT` of `pt-PT`."""
    if is_language_script(language) or not _is_valid(language):
        return None
    return _parsed(language).territory


@lru_cache(maxsize=4096)
def _named(name: str, among_languages: bool) -> str | None:
    """Return the language that a file or folder is named by, or None."""
    if is_language_script(name) or name in _CODES:
        return name
    match = _TAG.fullmatch(name)
    if match is None or (len(match[1]) == 3 and match[1].lower() not in _CODES):
        return None
    if match[1].lower() in _WORDS and not (among_languages or match[2]):
        return None
    if not _is_valid(name) or _is_pair(name):
        return None
    return _shortest(name)


def _is_pair(name: str) -> bool:
    """Whether `en-de` is rather two languages, or `to-do` two words, than a language's region."""
    match = _WITH_REGION.fullmatch(name)
    if match is None or not (_is_valid(match[2]) or match[1] in _WORDS):
        return False
    likely = _parsed(f"und-{match[2]}").maximize().language
    return likely != _parsed(match[1]).language


def _is_valid(tag: str) -> bool:
    from langcodes import tag_is_valid

    if _TAG.fullmatch(tag) is None:
        return False
    try:
        return tag_is_valid(tag.replace("_", "-"))
    except ValueError:  # of no form that a tag has
        return False


def _parsed(tag: str) -> "Language":
    from langcodes import Language

    return Language.get(tag.replace("_", "-"))


def _shortest(tag: str) -> str:
    """Return the tag without a region that the rest implies; a script that is said stays."""
    from langcodes import Language

    given = _parsed(tag)
    if given.language in (None, UNKNOWN_LANGUAGE):
        return UNKNOWN_LANGUAGE
    full = given.maximize()
    script = given.script if "-" in tag or "_" in tag else None
    for kept, region in (
        (script, None),
        (full.script, None),
        (script, full.territory),
        (full.script, full.territory),
    ):
        shorter = Language.make(language=given.language, script=kept, territory=region)
        found = shorter.maximize()
        if (found.script, found.territory) == (full.script, full.territory):
            break
    # The code as it was written: `iw` and `tl` are kept, though `he` and `fil` are newer.
    code = tag[:3].rstrip("-_").lower()
    kept_parts = Language.make(
        language="und", script=kept, territory=region, variants=given.variants
    )
    return kept_parts.to_tag().replace(UNKNOWN_LANGUAGE, code, 1)
