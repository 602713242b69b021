"""Languages by the names people use, and by the tags that pick a browser's fonts and shaping."""

from unicodedata import bidirectional

from corpora.languages import is_language_script, iso_form, region_of

# ISO 639-3: English name, and the shorter code that BCP 47 wants where there is one.
_NAMES = """
afr Afrikaans af;amh Amharic am;ara Arabic ar;arb Arabic ar;arz Egyptian Arabic;asm Assamese as
aze Azerbaijani az;azj Azerbaijani az;bel Belarusian be;ben Bengali bn;bod Tibetan bo
bul Bulgarian bg;cat Catalan ca;ces Czech cs;ckb Central Kurdish;cmn Mandarin zh;cym Welsh cy
dan Danish da;deu German de;dzo Dzongkha dz;ell Greek el;eng English en;est Estonian et
eus Basque eu;fao Faroese fo;fas Persian fa;fil Filipino;fin Finnish fi;fra French fr
gla Scottish Gaelic gd;gle Irish ga;glg Galician gl;guj Gujarati gu;hat Haitian Creole ht
hau Hausa ha;heb Hebrew he;hin Hindi hi;hrv Croatian hr;hun Hungarian hu;hye Armenian hy
ibo Igbo ig;ind Indonesian id;isl Icelandic is;ita Italian it;jav Javanese jv;jpn Japanese ja
kan Kannada kn;kat Georgian ka;kaz Kazakh kk;khm Khmer km;kin Kinyarwanda rw;kir Kyrgyz ky
kor Korean ko;lao Lao lo;lav Latvian lv;lit Lithuanian lt;lvs Latvian lv;mal Malayalam ml
mar Marathi mr;mkd Macedonian mk;mlt Maltese mt;mon Mongolian mn;mri Maori mi;msa Malay ms
mya Burmese my;nep Nepali ne;nld Dutch nl;nno Norwegian Nynorsk nn;nor Norwegian no
nob Norwegian Bokmål nb;npi Nepali ne;nya Chichewa ny;ori Odia or;ory Odia or;pan Punjabi pa
pbt Southern Pashto;pes Persian fa;pol Polish pl;por Portuguese pt;prs Dari;pus Pashto ps
ron Romanian ro;rus Russian ru;sin Sinhala si;slk Slovak sk;slv Slovenian sl;sna Shona sn
snd Sindhi sd;som Somali so;spa Spanish es;sqi Albanian sq;srp Serbian sr
swa Swahili sw;swe Swedish sv;swh Swahili sw
tam Tamil ta;tat Tatar tt;tel Telugu te;tgk Tajik tg;tha Thai th;tir Tigrinya ti;tuk Turkmen tk
tur Turkish tr;uig Uyghur ug;ukr Ukrainian uk;urd Urdu ur;uzb Uzbek uz;uzn Uzbek uz
vie Vietnamese vi;wol Wolof wo;xho Xhosa xh;yor Yoruba yo;yue Cantonese;zho Chinese zh
zsm Malay ms;zul Zulu zu
"""

# Where a language is met in more than one script, the script is part of the name.
_SCRIPTS = {
    "zho_Hans": "simplified",
    "zho_Hant": "traditional",
    "srp_Cyrl": "Cyrillic",
    "srp_Latn": "Latin",
    "hin_Latn": "Latin",
    "arb_Latn": "Latin",
}


def _table() -> dict[str, tuple[str, str]]:
    table = {}
    for entry in _NAMES.replace("\n", ";").split(";"):
        code, _, rest = entry.partition(" ")
        if not code:
            continue
        name, _, last = rest.rpartition(" ")
        has_tag = bool(name) and len(last) == 2 and last.islower()
        table[code] = (name, last) if has_tag else (rest, code)
    return table


_TABLE = _table()


def language_name(language: str) -> str:
    """Return the English name of a language's code or tag, with its script where it is met in
    several and its region where one is said; else what was given."""
    code = iso_form(language)
    known = _TABLE.get(code[:3])
    if known is None or not _is_code(code):
        return language
    said = (_SCRIPTS.get(code), region_of(language))
    return ", ".join([known[0], *filter(None, said)])


def language_tag(language: str) -> str | None:
    """Return the BCP 47 tag (`zh-Hans`, `hi-Deva`), or None for what is no language code."""
    code = iso_form(language)
    if code == "und" or not (_is_code(code) or code != language):
        return None
    if code != language:
        return language.replace("_", "-")  # a tag already
    return _TABLE.get(code[:3], ("", code[:3]))[1] + code[3:].replace("_", "-")


# Languages and scripts that are written from right to left (CLDR's script metadata).
_FROM_RIGHT = frozenset((
    "ara", "arb", "arz", "ckb", "div", "fas", "heb", "pbt", "pes", "prs", "pus", "snd", "uig",
    "urd", "ydd", "yid",
))  # fmt: skip
_SCRIPTS_FROM_RIGHT = frozenset((
    "Adlm", "Arab", "Armi", "Hebr", "Mand", "Mend", "Nkoo", "Phnx", "Rohg", "Samr", "Syrc",
    "Thaa", "Yezi",
))  # fmt: skip


def direction(language: str, text: str = "") -> str:
    """Return how lines of a language run, whatever they begin with: `rtl` or `ltr`.

    The script of the code decides, else the language; where neither is known, what most letters of
    the text do.
    """
    language = iso_form(language)
    if is_language_script(language):
        return "rtl" if language[4:8] in _SCRIPTS_FROM_RIGHT else "ltr"
    if language in _FROM_RIGHT:
        return "rtl"
    if _is_code(language) and language != "und":
        return "ltr"
    kinds = [bidirectional(character) for character in text]
    return "rtl" if kinds.count("R") + kinds.count("AL") > kinds.count("L") else "ltr"


def _is_code(language: str) -> bool:
    return is_language_script(language) or (len(language) == 3 and language in _TABLE)
