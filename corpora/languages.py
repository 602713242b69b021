"""Which language a file's name says it is in."""

import re
from pathlib import PurePath

from corpora.document import UNKNOWN_LANGUAGE

_LANGUAGE_SCRIPT = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")

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


def is_language_script(name: str) -> bool:
    """Whether `name` is an ISO 639-3 code with an ISO 15924 script, such as `hin_Deva`."""
    return _LANGUAGE_SCRIPT.fullmatch(name) is not None


def language_of(path: PurePath) -> str:
    """Return the language that the file's name, or else its nearest folder's, says; or `und`.

    Any part of the file's name between dots may say it (`hin_Deva.txt`, `eng.jsonl.xz`,
    `newstest2019-ref.hin.txt`); of a folder only the whole name, with its script, counts.
    """
    for part in path.name.split("."):
        if is_language_script(part) or part in _CODES:
            return part
    for folder in path.parents:
        if is_language_script(folder.name):
            return folder.name
    return UNKNOWN_LANGUAGE
