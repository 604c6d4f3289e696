"""What the entries of a vocabulary tell about how its texts were cut and written, where the user does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from exegesis.models.text.tokenizer import Token, tokenize

PADS = ("<pad>", "[PAD]", "<PAD>", "PAD", "_PAD_", "__PADDING__", "<blank>")
UNKNOWNS = ("<unk>", "[UNK]", "<UNK>", "UNK", "unk", "_UNK_", "@@UNKNOWN@@", "<oov>", "<OOV>")
_NAMES = re.compile("BOS|SOS|EOS|CLS|SEP|MASK|OOV|GO|START|END|URL|USER|NUM|NUMBER|EMAIL|DATE|TIME")
_ENCLOSED = re.compile(r"[<\[{|].*\w.*[>\]}|]|_+.*\w.*_+|@@.*@@|-[LRlr][RSCrsc][Bb]-")  # names of special tokens
_SUBWORDS = re.compile(r"(##|▁|Ġ).+|.+(@@|</w>)", re.DOTALL)
_UNSPACED = re.compile(r"[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF]")
_CLITIC = re.compile(r"n't|'(s|re|ve|ll|d|m)", re.IGNORECASE)
LOOKED_AT = 5_000  # entries of a large vocabulary that are tried
FEW = 0.01  # share of entries that may be odd ones
MANY = 0.1  # share of entries that speak for another tokenizer
REMEDY = "tokenizer=, the function that cut the texts of the vocabulary, settles it"


class Manner(NamedTuple):
    """A way to cut texts (None: the built-in rules), its name, and what is to be said about the choice."""

    tokenize: Callable[[str], Sequence[object]] | None
    name: str
    warning: str = ""


def is_special(word: str) -> bool:
    """True for the name of a token that stands for no word: <SOS>, [CLS], __URL__, EOS."""
    return word in (*PADS, *UNKNOWNS) or any(names.fullmatch(word) for names in (_NAMES, _ENCLOSED))


def capitals(words: Iterable[str]) -> tuple[bool, list[str]]:
    """Whether words are listed in lower case, and the ordinary ones among them that have capitals all the same.

    Names in capitals alone (NASA) decide nothing, unless they outnumber the words in lower case.
    """
    cased = [word for word in map(_unmarked, words) if word.lower() != word.upper() and not is_special(word)]
    raised = [word for word in cased if word != word.lower()]
    names = [word for word in raised if word.isupper() and sum(map(str.isalpha, word)) > 1]
    low = len(cased) - len(raised)
    return len(raised) - len(names) <= FEW * low and len(names) <= low, raised


def whole_words(text: str) -> list[Token]:
    """The tokens of a text by the built-in rules, clitics left at their words: don't, it's."""
    joined: list[Token] = []
    for token in tokenize(text, lowercase=False):
        before = joined[-1] if joined else None
        if before is not None and before.stop == token.start and _CLITIC.fullmatch(token.string):
            joined[-1] = Token(before.string + token.string, before.start, token.stop)
        else:
            joined.append(token)
    return joined


def manner_of(words: Sequence[str], lowercase: bool) -> Manner:
    """The way to cut texts that gives the entries of a vocabulary.

    Entries that the built-in rules cut ("don't", "great!") speak for texts that were cut at blanks, if no sign is an
    entry of its own or many are cut, or for words with their clitics, if those explain most of them.
    """
    built_in = Manner(None, "the built-in rules")
    ordinary = [word for word in words[:: 1 + len(words) // LOOKED_AT] if word.strip() and not is_special(word)]
    cut = [word for word in ordinary if word != _unmarked(word) or len(tokenize(word, lowercase=lowercase)) > 1]
    if not cut:
        return built_in
    share = len(cut) / len(ordinary)
    told = f"{len(cut)} of {len(ordinary)} entries of the vocabulary (such as {_some(cut)})"
    kept = built_in._replace(warning=f"the built-in rules, by which texts are cut, never give {told}: {REMEDY}")
    foreign = sum(bool(_SUBWORDS.fullmatch(word) or _UNSPACED.search(word) or len(word.split()) > 1) for word in cut)
    if share <= FEW or foreign > len(cut) / 2:
        return kept
    signs = any(not any(map(str.isalnum, word)) for word in ordinary)
    still = sum(len(whole_words(word)) > 1 for word in cut)
    if signs and still <= MANY * len(cut):
        manner = Manner(whole_words, "the built-in rules, clitics left at their words")
    elif not signs or share > MANY:
        manner = Manner(str.split, "blanks alone")
    else:
        return kept
    why = f"texts are cut by {manner.name}, since the built-in rules never give {told}: {REMEDY}"
    return manner._replace(warning=why)


def _unmarked(word: str) -> str:
    """An entry without the mark of a blank in front, which is a capital letter by itself."""
    return word[1:] if word[:1] == "Ġ" and len(word) > 1 else word


def _some(words: Sequence[str]) -> str:
    return ", ".join(repr(word[:20]) for word in words[:3])
