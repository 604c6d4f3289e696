"""A rule tokenizer with character offsets, in the manner of the Penn Treebank.

Every character that is not white space belongs to exactly one token, whatever the text holds. The rules,
in order, first match wins:

1.  bracket codes of the treebank: ``-LRB-``, ``-RRB-``, ``-LSB-`` ...;
2.  a web address, up to the next blank;
3.  clitics: ``n't``, and ``'s 're 've 'll 'd 'm`` at the end of a word; the curly apostrophe counts too;
4.  ``'em``, ``'til``, ``'n'``, and decades such as ``'70s``;
5.  numbers with inner points, commas or colons (``10,000``, ``7:30``; at most 17 parts), abbreviations (``U.S.``,
    at most 12 letters; ``Mr.``);
6.  ``cannot``, which becomes ``can`` ``not`` (``can not`` is two words already);
7.  an emoji with its modifiers and joiners, and a flag of two regional letters;
8.  one Chinese or Japanese character (those scripts are written without blanks);
9.  in Thai, Lao, Khmer, Burmese and other scripts of South East Asia without blanks: a cluster of letters, which is a
    consonant with the vowels, marks and stacked consonants around it (``words`` joins clusters to words);
10. a word: letters, digits, marks, with inner hyphens and apostrophes; it ends before a clitic;
11. a run of one repeated sign: ``!!!``, ``...``, ``--``, two backticks or apostrophes (quotes); a slash with
    the treebank's backslash;
12. any other single character.

Text that is tokenised already (``does n't``) comes out as it is. Each rule looks ahead by a bounded number
of characters, or over what it then takes, so the time is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple
from unicodedata import category

_INK = re.compile(r"\S++")
_NEVER = r"\U0010ffff"  # a character that no text has
_KEPT = 32  # characters of a piece of text whose tokens are remembered
_LONGEST = 200  # characters; a longer token is no word, and sorting its marks could take quadratic time

SIGNS = str.maketrans(
    {"’": "'", "‘": "'", "‛": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | {"‐": "-", "‑": "-", "‒": "--", "–": "--", "—": "--", "―": "--", "−": "-"}
)
_WHOLE = {"\\/": "/", "-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_RUN = {".": "...", "-": "--", "'": '"', "_": "_"}


class Token(NamedTuple):
    """A normalised token and the half-open range of characters that it covers."""

    string: str
    start: int
    stop: int


def tokenize(raw: str, *, lowercase: bool = True, clusters: bool = True) -> list[Token]:
    """The tokens of a text, in order; none for a blank text. Without ``clusters`` a clause of rule 9 is one token."""
    tokens = []
    for piece in _INK.finditer(raw):
        at, text = piece.start(), piece.group()
        cut = _cut if len(text) <= _KEPT else _cut.__wrapped__
        tokens += [Token(string, at + start, at + stop) for string, start, stop in cut(text, lowercase, clusters)]
    return tokens


@lru_cache(1 << 16)
def _cut(text: str, lowercase: bool, clusters: bool) -> tuple[Token, ...]:
    """The tokens of a piece of text without white space. No rule takes any, or looks beyond it, so a text is cut piece
    by piece; the same few pieces come again and again."""
    rules = _pattern(clusters=False, plain=True) if text.isascii() else _pattern(clusters)
    return tuple(Token(normalise(m.group(), lowercase=lowercase), *m.span()) for m in rules.finditer(text))


def normalise(surface: str, *, lowercase: bool = True) -> str:
    """The token under which a piece of text is looked up; never empty.

    Compatibility forms are composed (NFKC), invisible format characters dropped, curly quotes and dashes made
    plain, treebank codes and quotes resolved, runs of a sign shortened ("!!!" to "!", "...." to "...", two
    backticks to one double quote).
    """
    token = surface
    if len(token) > 1 or not token.isascii():
        token = token.translate(SIGNS)
        if not token.isascii() and len(token) <= _LONGEST:
            token = unicodedata.normalize("NFKC", token)
            token = "".join(c for c in token if category(c) != "Cf") or surface
        first = token[0]
        if not first.isalnum() and len(token) > 1:
            if token == first * len(token):
                return _RUN.get(first, first)
            token = _WHOLE.get(token.lower(), token)
    return token.lower() if lowercase else token


def is_clustered(string: str) -> bool:
    """True if a string begins with a letter of a script that rule 9 cuts into clusters."""
    return bool(_UNSPACED.match(string))


@cache
def _pattern(clusters: bool = True, *, plain: bool = False) -> re.Pattern[str]:
    """The compiled rules; the class of marks and format characters is read off the Unicode database.

    ``plain`` rules are for ASCII, where there are none of these: they are made in a tenth of the time.

    A group that gives nothing back is written as a lookahead and a reference to it: Python 3.11.2 gets possessive
    repeats of groups wrong.
    """
    joined = _NEVER if plain else _joined()
    end = r"(?!\w)"
    quote = "['’´]"
    emoji = r"[\U0001F000-\U0001F1E5\U0001F200-\U0001F3FA\U0001F400-\U0001FAFF\u2300-\u27BF\u2B00-\u2BFF]"
    tail = rf"[{joined}\U0001F3FB-\U0001F3FF]*+"
    ideograph = r"\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF"
    not_ = rf"[nN]{quote}[tT]{end}"
    clitic = rf"{quote}(?i:s|re|ve|ll|d|m){end}"
    inner = rf"(?:[-\u2010\u2011]|(?!{clitic}){quote})(?=[^\W_])"
    letters = UNSPACED if clusters else ""
    base = rf"(?![{BEFORE}{AFTER}])[{UNSPACED}]"
    stacked = rf"(?<=[{STACKING}]){base}|[{AFTER}]|[\u1000-\u1021](?=\u1037?\u103A)"  # or a final with its killer
    cluster = rf"[{BEFORE}]?{base}[{joined}]*+(?:(?:{stacked})[{joined}]*+)*|[{UNSPACED}][{joined}]*+"
    rules = (
        r"(?i:-[lr][rsc]b-)",
        r"(?i:https?)://\S++",
        rf"{not_}|{clitic}",
        rf"{quote}(?i:em|til|cause|n{quote}|\d\ds?){end}",
        rf"(?=(?P<number>\d++(?:[.,:]\d++){{1,16}}))(?P=number){end}",
        rf"(?=(?P<initials>(?:[A-Za-z]\.){{2,12}}))(?P=initials){end}|(?i:mr|mrs|ms|dr|jr|sr|st|vs)\.{end}",
        rf"(?i:can)(?=(?i:not){end})",
        rf"[\U0001F1E6-\U0001F1FF]{{2}}|{emoji}{tail}(?:(?<=\u200d){emoji}{tail})*",
        rf"[{ideograph}][{joined}]*+",
        *((cluster,) if clusters else ()),
        rf"(?:(?!{not_})[^\W{ideograph}{letters}][{joined}]*+(?:{inner})?|[{joined}]++)+",
        r"\\/|(?P<sign>[^\w\s])(?P=sign)+",
        r"\S",
    )
    return re.compile("|".join(rules))


@cache
def _joined() -> str:
    """Marks and format characters, tags and variation selectors among them."""
    return _ranges(_MARKED, "Mn", "Mc", "Me", "Cf") + "\\U000e0000-\\U000e01ef"


def _ranges(blocks: Iterable[range], *categories: str) -> str:
    """The characters of some blocks and Unicode categories, as the inside of a character class."""
    runs: list[list[int]] = []
    for n in chain.from_iterable(blocks):
        if category(chr(n)) in categories:
            if runs and runs[-1][1] == n - 1:
                runs[-1][1] = n
            else:
                runs.append([n, n])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)


_MARKED = (range(0x80, 0x3100), range(0xA000, 0xAC00), range(0xFB00, 0x17000), range(0x1B000, 0x1F000))  # with marks
_CLUSTERED = (  # Thai, Lao; Burmese; Khmer; Tai Le, New Tai Lue; Tai Tham; Balinese; Javanese, Burmese; Tai Viet; Ahom
    *(range(0x0E00, 0x0F00), range(0x1000, 0x10A0), range(0x1780, 0x1800), range(0x1950, 0x19E0)),
    *(range(0x1A20, 0x1AB0), range(0x1B00, 0x1B80), range(0xA980, 0xAA00), range(0xAA60, 0xAAE0)),
    range(0x11700, 0x11750),
)
UNSPACED = _ranges(_CLUSTERED, "Lo", "Lm")  # letters of scripts without blanks, other than Chinese and Japanese
BEFORE = "\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc"  # vowels written before
AFTER = (  # vowels and tones written behind, and signs of repetition
    "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6"
    "\u19b0-\u19b4\u19b8\u19b9\u19bb-\u19c9\uaab1\uaaba"
)
STACKING = "\u1039\u17d2\u1a60\u1b44\ua9c0"  # signs that put the next consonant under this one
_UNSPACED = re.compile(f"[{UNSPACED}]")
