"""A phrase among other words: the words around it replaced by draws from a language model (Jin et al. 2020, Sec. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from exegesis.core.errors import TextError
from exegesis.core.text import Span, Text
from exegesis.protocols.language import Filling, LanguageModel, fillings
from exegesis.protocols.model import Classifier, Raw


class Context(NamedTuple):
    """A text with other words around a phrase, as the model reads it, and the numbers of the words of the phrase."""

    text: Text
    phrase: tuple[int, ...]

    @property
    def pieces(self) -> Span:
        """The pieces of the phrase; none if the model no longer reads it."""
        if not self.phrase:
            return Span(0, 0)
        return Span(self.text.words[self.phrase[0]].start, self.text.words[self.phrase[-1]].stop)


class Neighbourhood(NamedTuple):
    """Words around one phrase, and the places among them that a language model fills with other words.

    ``first`` is the number in the text of the first of these words.
    """

    words: tuple[str, ...]
    places: tuple[int, ...]
    first: int


def drawn_contexts(
    model: Classifier,
    texts: Sequence[Text],
    spans: Sequence[Sequence[Span]],
    language: LanguageModel,
    neighbours: int,
    samples: int,
    seed: int,
) -> Iterator[tuple[int, list[Context]]]:
    """The row of the text and the contexts, for each span of pieces of each text, in order."""
    phrases = [(row, text.words_under(span)) for row, text in enumerate(texts) for span in spans[row]]
    places = [neighbourhood(texts[row], phrase, neighbours) for row, phrase in phrases]
    filled_by_phrase = requests(language, places, samples, seed)
    read: dict[str, Text] = {text.raw: text for text in texts}
    for (row, phrase), place, filled in zip(phrases, places, filled_by_phrase, strict=True):
        yield row, list(contexts(model, texts[row], phrase, place, filled, read))


def neighbourhood(text: Text, phrase: Span, neighbours: int) -> Neighbourhood:
    """The words within ``neighbours`` of a phrase on either side, in its own part of a pair."""
    parts = [part for part in (_words_in(text, segment) for segment in text.segments) if part.width]
    first_part = next(part for part in parts if phrase.start < part.stop)
    last_part = next(part for part in parts if phrase.stop <= part.stop)
    before = range(max(first_part.start, phrase.start - neighbours), phrase.start)
    after = range(phrase.stop, min(last_part.stop, phrase.stop + neighbours))
    words = text.word_strings()[first_part.start : last_part.stop]
    return Neighbourhood(words, tuple(place - first_part.start for place in (*before, *after)), first_part.start)


def contexts(
    model: Classifier,
    text: Text,
    phrase: Span,
    around: Neighbourhood,
    choices: Sequence[Filling],
    read: dict[str, Text],
) -> Iterator[Context]:
    """The text with each filling of the words around a phrase. Equal texts are read once (``read`` keeps them).

    Raises TextError if the model cannot read such a text.
    """
    start, stop = text.characters(text.over(phrase))
    places = [text.characters(text.words[around.first + place]) for place in around.places]
    for filling in choices:
        raw, moved, end = text.raw, 0, 0
        for (first, last), word in zip(reversed(places), reversed(filling), strict=True):
            raw = raw[:first] + word + raw[last:]
            grown = len(word) - (last - first)
            moved += grown if last <= start else 0
            end += grown if len(text.segments) > 1 and last <= _border(text) else 0
        new = read.get(raw) or read.setdefault(raw, _read(model, text, raw, end))
        yield Context(new, _covered(new, start + moved, stop + moved))


def requests(language: LanguageModel, around: Sequence[Neighbourhood], samples: int, seed: int) -> list[list[Filling]]:
    """The fillings for each phrase; a phrase without a neighbour gets one empty filling, as all would be equal."""
    answers = fillings(language, [place.words for place in around], [place.places for place in around], samples, seed)
    return [filled if place.places else filled[:1] for place, filled in zip(around, answers, strict=True)]


def _words_in(text: Text, segment: Span) -> Span:
    inside = [number for number, word in enumerate(text.words) if segment.covers(word)]
    return Span(inside[0], inside[-1] + 1) if inside else Span(0, 0)


def _border(text: Text) -> int:
    """The position of the newline between the parts of a pair."""
    return text.raw.index("\n", text.characters(text.segments[0])[1])


def _read(model: Classifier, text: Text, raw: str, moved: int) -> Text:
    """The new text, as a pair if the old one was; ``moved`` is the shift of its border."""
    whole: Raw = raw
    if len(text.segments) > 1:
        border = _border(text) + moved
        whole = (raw[:border], raw[border + 1 :])
    try:
        return model.read(whole)
    except TextError as error:
        raise TextError(f"with other words drawn for its context, the text cannot be read: {error}") from error


def _covered(text: Text, start: int, stop: int) -> tuple[int, ...]:
    offsets = text.offsets
    places = (offsets[word.start] if word.width == 1 else text.characters(word) for word in text.words)
    return tuple(number for number, (a, b) in enumerate(places) if a < stop and start < b)
