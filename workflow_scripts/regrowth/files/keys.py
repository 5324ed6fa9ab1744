"""What names a result: its keys, and their one spelling in paths."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

NONE = "none"

#: The keys that name a released model: what the attacker is given.
RELEASED = ("concept", "eraser", "defence", "sigma", "weight_seed")
#: Words that stand for something else where a concept's name or a set's can stand.
RESERVED = (NONE, "erased", "preserved", "study")


def named(name: str) -> str:
    """A name as it is compared: composed letters (NFC), one blank between words, none around."""
    return " ".join(unicodedata.normalize("NFC", name).split())


@lru_cache
def slug(name: str) -> str:
    """A concept's name as it stands in paths: lower case, words joined by "-", accents left out.

    Letters beyond a to z are written as in domain names (punycode): "教会" is "xn-pssy8f".
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    text = unicodedata.normalize("NFKC", re.sub("(?<=[a-z])[\u0300-\u036f]+", "", text))
    words = re.sub(r"[\W_]+", "-", text).strip("-")
    return words if words.isascii() else "xn-" + words.encode("punycode").decode()


def number(value: float) -> str:
    """The one spelling of a K or a sigma, the shortest that is this number and no other: "0.6",
    "1.0", "0.0000005"."""
    text = format(Decimal(repr(float(value))), "f")
    return text if "." in text else f"{text}.0"


def path(keys: dict[str, str]) -> str:
    """Hive folders: concept=church/eraser=conceptprune/…"""
    return "/".join(f"{key}={value}" for key, value in keys.items())


def pattern(names: Iterable[str]) -> str:
    """The same folders as a Snakemake pattern: concept={concept}/eraser={eraser}/…"""
    return "/".join(f"{name}={{{name}}}" for name in names)


def parsed(path: str) -> dict[str, str]:
    """The keys that a path of such folders names."""
    return dict(part.split("=", 1) for part in path.split("/"))
