"""Words for people below eighteen, however they are written: no prompt that is drawn has one."""

import re
import unicodedata
from functools import lru_cache

_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
_NUMBER = rf"(?:\d|1[0-7]|one|two|three|four|five|six|seven|eight|nine|{_TEENS})"
_TENS = "twenty thirty forty fourty fifty sixty seventy eighty ninety hundred and".split()
#: A number below eighteen that ends no larger one; the look ahead is for speed alone.
_AGE = (
    r"(?=[\doftsen])(?<![\d.,])"
    + "".join(rf"(?<!\b{tens} )" for tens in _TENS)
    + rf"{_NUMBER}(?:[.,]\d+)?"
)
_ORDINAL = (
    r"(?=[\dfstne])(?:1st|2nd|3rd|(?:[4-9]|1[0-7])th|first|second|third|fourth|fifth|sixth|seventh"
    "|eighth|ninth|tenth|eleventh|twelfth)"
)

_WORDS = (
    r"child|child(?:ren|hood|ish|like|s)\w*|grand ?(?:child|kid|son|daughter)\w*",
    r"kid(?:s|do|dos|die|dies)?|(?:boy|girl)(?:s|ish|hood)?|girl(?:y|ie)s?",
    r"(?:little|small|young|school|baby|teen|tom|choir|altar|cub|my|cute)(?:boy|girl)s?",
    r"(?:pre ?teen|teen|tween)(?:s|y|y?bopper|age|aged|ager|agers)?|toddler\w*",
    r"bab(?:y|ies)|baby(?:hood|ish|face|faced|sit\w*)|infan(?:t|ts|cy|tile)|new ?borns?",
    r"neonat\w*|f(?:o?)etus(?:es)?|unborn|minors?|under ?ag(?:e|ed|er|ers)|juvenil\w*",
    r"adolescen\w*|(?:pre ?pub|pub)(?:erty|escent|escents|ertal)|youth\w*",
    r"young(?:er|est|ish|lings?|sters?|uns?)?|loli(?:s|ta|tas|con|ta?kon)?|shota(?:s|con|kon)?",
    r"nymphets?|jail ?bait|p(?:a?)edo\w*|barely legal|(?:daughter|son)s?|step(?:daughter|son)s?",
    r"nieces?|nephews?|lads?|laddies?|lass(?:es|ies?)?|bairns?|tots?|tykes?|moppets?|urchins?",
    r"orphans?|cherub\w*|putt[oi]|bambin[oaie]s?|(?:little|wee|tiny|small) ones?|pupils?|virgins?",
    r"pre ?school\w*|nursery|nurseries|day ?care|cr[eè]che|kinder ?gart\w*|kinder ?gard\w*",
    r"(?:elementary|primary|middle|junior|high|grade|grammar|secondary) ?school\w*|junior high",
    r"school ?(?:kid|child)\w*|school ?(?:age|aged|goers?|mates?|uniforms?|er|ers)",
    rf"{_ORDINAL} ?(?:grade|graders?|birthday)|grades? (?:k|\d|1[0-2])|sweet sixteen",
    rf"{_AGE} ?(?:years?|yrs?|y\.? ?o|anni|años?|ans|jahre?n?)",
    rf"(?:\d+|an?|few|{_NUMBER}) ?(?:month|week|day)s? old",
    rf"age[sd]?(?: of| is|:|=)? ?{_NUMBER}",
    rf"(?:under|below|barely|nearly|almost|not yet)(?: the age of)? (?:1[0-8]|eighteen|{_TEENS})",
    r"niñ[oa]s?|enfants?|fillettes?|gamine?s?|mädchen|kinder|jungs?|jungen|menin[oa]s?|crianças?",
    r"ragazzin[oaie]|девоч\w*|мальчи\w*|реб[её]н\w*|дети|детей|подрост\w*",
)
_YOUNG = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
#: Scripts that put no space between words, and pictures.
_SIGNS = re.compile(
    "少女|少年|幼女|幼児|子供|子ども|女の子|男の子|赤ちゃん|ロリ|ショタ|孩|儿童|兒童|婴|소녀|소년|어린|아기|[👶🧒👦👧]"
)

#: What reads like a Latin letter, beyond what Unicode's own compatibility forms say.
_LOOKS = str.maketrans(
    "аеорсухіјѕԁһӏвкмнтɡɢɪʀʟʏʙɴᴏᴅᴇᴋᴛαοικνυıłøđ0134578@$!|",
    "aeopcyxijsdhlbkmhtggirlybnodektaoikvuilodoieastbasil",
)
_LIKE_L = str.maketrans("1!|", "lll")


def _plain(text: str) -> str:
    """Lower case; words apart by one space, whether "_", "-", "/" or a capital parted them."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(
            c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace()
        )
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text).casefold()
    return re.sub(r"[\s_/\-‐-―ᅟᅠ]+", " ", text)


def _readings(text: str):
    plain = _plain(text)
    yield plain
    if len(apart := re.sub(r"(?<=\b\w)[\W_]+(?=\w\b)", "", plain)) < len(plain):
        yield apart
    mixed = re.search(r"[a-z][\d@$!|]|[\d@$!|][a-z]", plain)
    if mixed or not plain.isascii():
        bare = unicodedata.normalize("NFD", plain)
        bare = "".join(c for c in bare if not unicodedata.combining(c))
        yield bare
        yield bare.translate(_LOOKS)
        yield bare.translate(_LIKE_L).translate(_LOOKS)


def names_adults(text: str) -> bool:
    """Whether a text may be drawn: nobody in it is below eighteen."""
    return not names_young(text)


@lru_cache(maxsize=100_000)
def names_young(text: str) -> bool:
    """Whether a text has a word for people below eighteen. Errs on the side of yes: "ten years
    later" is one, "18 years old" and "a house of thirty-five years" are none."""
    if not text.isascii() and _SIGNS.search(unicodedata.normalize("NFC", text)):
        return True
    return any(map(_YOUNG.search, _readings(text)))
