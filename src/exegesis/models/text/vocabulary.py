"""Word vocabularies: a text becomes a row of numbers, and its tokens keep their place in it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from exegesis.core.errors import FileError, TextError, UsageError
from exegesis.core.text import Span, Text, refuse_split_pairs, text_of_words
from exegesis.models.text.guesses import PADS, UNKNOWNS, capitals, is_special
from exegesis.models.text.tokenizer import is_clustered, tokenize

PAD, UNKNOWN = PADS[0], UNKNOWNS[0]
PAIR, PAIR_NUMBER = "<pair>", 2  # stands between the texts of a pair, in vocabularies made of pairs
HELD = ("itos", "stoi", "word_index", "token2id")  # what holds the words in objects of torchtext, Keras, gensim
LONGEST = 40  # characters of an entry whose other forms are looked for
_log = logging.getLogger("exegesis.vocabulary")


@dataclass(frozen=True)
class Vocabulary:
    """``tokens[i]`` is the word numbered ``i``.

    ``pad`` is the number that fills a batch up, ``unknown`` the number of every word that is not listed;
    without one (None) such a word raises TextError. ``lowercase`` says whether words are looked up in lower
    case. ``aliases`` are further words of a number that ``tokens`` names otherwise. An empty string in
    ``tokens`` is a number that no word has.
    """

    tokens: tuple[str, ...]
    lowercase: bool = True
    pad: int = 0
    unknown: int | None = 1
    aliases: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        size = len(self.tokens)
        for name, number in (("pad", self.pad), ("unknown", self.unknown or 0), *self.aliases):
            if not 0 <= number < size:
                raise UsageError(f"vocabulary: the number {number} of {name!r} is not below its size, {size}")

    def __len__(self) -> int:
        """The number of rows that an embedding for it needs."""
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, lowercase={self.lowercase}, pad={self.pad}, unknown={self.unknown})"

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each word; the first if a word is listed twice."""
        numbers = dict(self.aliases)
        for number, token in enumerate(self.tokens):
            if token:
                numbers.setdefault(token, number)
        return numbers

    def manner(self, cut: str = "the built-in rules") -> str:
        """How texts are cut and looked up, in words."""
        return f"words cut by {cut}, looked up {'in lower case' if self.lowercase else 'as written'}"

    @property
    def special(self) -> frozenset[int]:
        """The numbers of the pieces that stand around texts; words have none."""
        return frozenset()

    @property
    def pairs(self) -> bool:
        """True for the vocabulary of a model of pairs, which lists what stands between two texts."""
        return self.tokens[PAIR_NUMBER : PAIR_NUMBER + 1] == (PAIR,)

    def read(self, raw: str | tuple[str, str]) -> Text:
        """The text as its tokens, one word each (see ``tokenizer`` for the rules); a pair as two segments.

        Raises TextError for a text without any token, and for an unlisted word if there is no unknown token, UsageError
        for a pair if the vocabulary is not one of pairs, and for a single text if it is.
        """
        if self.pairs:
            return self._paired(raw)
        if not isinstance(raw, str):
            raise UsageError("this model reads one text at a time, not a pair of texts")
        words = tokenize(raw, lowercase=self.lowercase, clusters=not self._lists_clauses)
        if not words:
            raise TextError("the text is empty or blank; give a text with at least one word")
        return text_of_words(raw, words, [self._number(word.string) for word in words])

    def _paired(self, raw: str | tuple[str, str]) -> Text:
        """Two texts as one, the token of pairs between them, which belongs to neither."""
        if isinstance(raw, str):
            raise UsageError("this model reads pairs of texts: give two, as a tuple or with --pair")
        sides = [tokenize(part, lowercase=self.lowercase, clusters=not self._lists_clauses) for part in raw]
        for words, which in zip(sides, ("first", "second"), strict=True):
            if not words:
                raise TextError(f"the {which} text of the pair is empty or blank; give a text with at least one word")
        size, (first, second) = len(raw[0]), sides
        count, at = len(first), size + 1
        return Text(
            raw="\n".join(raw),
            pieces=(*(word.string for word in first), PAIR, *(word.string for word in second)),
            ids=(*(self._number(word.string) for word in first), PAIR_NUMBER,
                 *(self._number(word.string) for word in second)),
            offsets=(*((word.start, word.stop) for word in first), (size, size),
                     *((word.start + at, word.stop + at) for word in second)),
            words=tuple(Span(n, n + 1) for n in (*range(count), *range(count + 1, count + 1 + len(second)))),
            segments=(Span(0, count), Span(count + 1, count + 1 + len(second))),
            special=tuple(n == count for n in range(count + 1 + len(second))),
        )  # fmt: skip

    @cached_property
    def _lists_clauses(self) -> bool:
        """True if entries are clauses of a script without blanks, as this tokenizer gave them before it cut those."""
        return any(len(token) > 1 and is_clustered(token) and len(tokenize(token)) > 1 for token in self.tokens)

    def _number(self, token: str) -> int:
        number = self.numbers.get(token, self.unknown)
        if number is None:
            raise TextError(f"the vocabulary lists no {token[:40]!r} and has no unknown token; give it one (<unk>)")
        return number

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        lowercase: bool = True,
        minimum: int = 1,
        limit: int | None = None,
        extra: Iterable[str] = (),
        pairs: bool = False,
    ) -> Self:
        """The words that occur at least ``minimum`` times, the most frequent first (ties: code points), at
        most ``limit`` of them, after pad (0) and unknown (1). ``extra`` words are added whatever their count.
        With ``pairs`` the token that stands between the texts of a pair comes third.
        """
        counts = Counter(word.string for text in texts for word in tokenize(text, lowercase=lowercase))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        frequent = [word for word, count in ranked if count >= minimum][:limit]
        return cls(tuple(dict.fromkeys((PAD, UNKNOWN, *([PAIR] if pairs else []), *frequent, *extra))), lowercase)

    @classmethod
    def of(
        cls,
        source: object,
        *,
        lowercase: bool | None = None,
        pad: int | str | None = None,
        unknown: int | str | None = None,
        forms: bool = True,
    ) -> Self:
        """The vocabulary of a trained model, as its user has it.

        ``source`` is a sequence of words in the order of their numbers, a mapping of words to numbers, or an object
        with ``get_itos()``, ``itos`` or ``stoi`` (torchtext), ``word_index`` (Keras) or ``token2id``. ``pad`` and
        ``unknown`` are words or numbers; by default the usual names are looked up (<pad>, [PAD], <unk>, [UNK], ...);
        without a pad word, batches are padded with 0, which affects no result. ``lowercase`` defaults to true if the
        ordinary words are in lower case; a warning names those that are not. With ``forms`` an entry that the built-
        in tokenizer gives in another form (-LRB-, as "("; with such a default NASA, as nasa) is found under that too,
        unless it is listed.
        """
        if isinstance(source, cls):
            return source
        numbers = _numbers(source)
        if not numbers or min(numbers.values()) < 0:
            raise UsageError("the vocabulary is empty or has a negative number; map words to 0, 1, 2, ...")
        size = max(numbers.values()) + 1
        if size > 10 * len(numbers) + 1000:
            raise UsageError(f"the vocabulary's largest number is {size - 1} for {len(numbers)} words; check it")
        tokens, aliases = [""] * size, []
        for word, number in numbers.items():
            if tokens[number]:
                aliases.append((word, number))
            tokens[number] = tokens[number] or word
        chosen, raised = capitals(sorted(numbers, key=numbers.__getitem__))
        if lowercase is None and chosen and raised:
            _log.warning(
                "words are looked up in lower case, though %d entries of the vocabulary have capitals, such as %s: "
                "lowercase=False looks them up as they are written",
                len(raised), ", ".join(map(repr, raised[:3])),
            )  # fmt: skip
        if lowercase is None and raised and not any(word.islower() for word in numbers if not is_special(word)):
            _log.warning(
                "every word of the vocabulary has capitals (such as %s) and words are looked up as they are written: "
                "others are unknown; tokenizer=, such as lambda text: text.upper().split(), writes them in capitals",
                ", ".join(map(repr, raised[:3])),
            )
        told, lowercase = lowercase is not None, chosen if lowercase is None else lowercase
        aliases += _forms(numbers, lowercase, told=told) if forms else []
        blank = _special(numbers, pad, PADS)
        return cls(
            tuple(tokens),
            lowercase,
            pad=0 if blank is None else blank,
            unknown=_special(numbers, unknown, UNKNOWNS),
            aliases=tuple(aliases),
        )

    @property
    def names_pad(self) -> bool:
        """True if the word that fills batches up has one of the usual names."""
        return self.tokens[self.pad] in PADS

    def padded(self, number: int) -> Self:
        """The vocabulary with another number to fill batches up, which may be beyond its words."""
        return replace(self, tokens=self.tokens + ("",) * (number + 1 - len(self)), pad=number)

    def to_json(self) -> str:
        """Write the vocabulary as a JSON object, lone surrogates escaped.

        Raises TextError for a word with a split surrogate pair.
        """
        refuse_split_pairs("the vocabulary", "\n".join([*self.tokens, *(word for word, _ in self.aliases)]))
        content = {
            "lowercase": self.lowercase,
            "pad": self.pad,
            "unknown": self.unknown,
            "aliases": [list(alias) for alias in self.aliases],
            "tokens": list(self.tokens),
        }
        return json.dumps(content, indent=0, ensure_ascii=True)

    @classmethod
    def from_json(cls, content: str) -> Self:
        """The inverse of ``to_json``. Raises FileError for anything else."""
        try:
            data = json.loads(content)
            tokens, lowercase, pad, unknown = (data[key] for key in ("tokens", "lowercase", "pad", "unknown"))
            aliases = tuple((word, number) for word, number in data["aliases"])
            words = [*tokens, *(word for word, _ in aliases)]
            whole = [pad, 0 if unknown is None else unknown, *(number for _, number in aliases)]
            if not (words and all(isinstance(word, str) for word in words) and isinstance(lowercase, bool)):
                raise TypeError("tokens must be strings")
            if not all(type(number) is int for number in whole):
                raise TypeError("numbers must be whole")
            return cls(tuple(tokens), lowercase, pad, unknown, aliases)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileError(f"not a vocabulary ({type(error).__name__}: {error})") from None


def _numbers(source: object) -> dict[str, int]:
    """Words with their numbers, out of any of the forms that users have."""
    if isinstance(source, Counter):
        raise UsageError("a Counter counts words; give words in the order of their numbers, or a dict to numbers")
    if callable(getattr(source, "get_itos", None)):
        source = source.get_itos()  # type: ignore[attr-defined]
    elif not isinstance(source, Mapping):
        source = next((found for name in HELD if (found := getattr(source, name, None))), source)
    if isinstance(source, Mapping):
        if source and all(isinstance(key, int) and isinstance(word, str) for key, word in source.items()):
            return {word: int(key) for key, word in sorted(source.items(), reverse=True)}
        if any(not isinstance(number, str) and number != int(number) for number in source.values()):
            raise UsageError("the vocabulary's numbers must be whole: map words to 0, 1, 2, ...")
        pairs = [(word, int(number)) for word, number in source.items()]
    elif isinstance(source, Sequence) and not isinstance(source, str | bytes):
        pairs = [(word, number) for number, word in reversed(list(enumerate(source)))]
    else:
        raise UsageError(f"a {type(source).__name__} is no vocabulary; give a list of words, or a dict to numbers")
    if not all(isinstance(word, str) for word, _ in pairs):
        raise UsageError("the vocabulary holds something that is no string; give a list of words")
    numbers = dict(pairs)
    twice = next((pair for pair in reversed(pairs) if pair[0] and numbers[pair[0]] != pair[1]), None)
    if twice is not None:
        _log.warning(
            "the vocabulary lists %r more than once: it is looked up as number %d, and not as %d; a dict from words to "
            "numbers says otherwise",
            twice[0], numbers[twice[0]], twice[1],
        )  # fmt: skip
    return numbers


def _forms(numbers: Mapping[str, int], lowercase: bool, *, told: bool) -> list[tuple[str, int]]:
    """Entries under the form in which the tokenizer gives them, if that is not listed.

    ``told``: the user says how words are looked up, so an entry in capitals is not meant to be found in lower case.
    """
    forms: dict[str, int] = {}
    for word, number in sorted(numbers.items(), key=lambda item: item[1]):
        if word.isalnum() and (told or word == word.lower() or is_special(word)):
            continue
        tokens = tokenize(word, lowercase=lowercase) if len(word) <= LONGEST else []
        form = tokens[0].string if len(tokens) == 1 else word
        if form not in numbers and not (told and form == word.lower()):
            forms.setdefault(form, number)
    return list(forms.items())


def _special(numbers: dict[str, int], given: int | str | None, usual: tuple[str, ...]) -> int | None:
    if isinstance(given, int):
        return given
    if given is not None:
        if given not in numbers:
            raise UsageError(f"the vocabulary lists no {given!r}; give a word of it, or a number")
        return numbers[given]
    return next((numbers[name] for name in usual if name in numbers), None)
