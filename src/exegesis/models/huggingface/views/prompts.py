"""Prompts and answers as texts: chat templates, answers that are given or written by the model, piece by piece."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from exegesis.core.errors import ModelError, TextError, UnsupportedError, UsageError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.text import UNPAIRED, Reader, encoding_of
from exegesis.models.huggingface.words import align
from exegesis.models.text.words import words_in
from exegesis.protocols.generative import Message

HALF = "\N{REPLACEMENT CHARACTER}"  # with which a tokenizer writes a part of a character
BEFORE = 4  # pieces before an answer with which it is written, for blanks at the border


def chat_text(reader: Reader, messages: Sequence[Message]) -> Text:
    """The messages of a chat in the tokenizer's template, ready for an answer; what the template adds is special.

    Raises UnsupportedError for a tokenizer without a template, UsageError for anything but messages with a role and a
    content, TextError if no word is left, or if the template changes what a message says.
    """
    told = [dict(message) if isinstance(message, Mapping) else {} for message in messages]
    if not told or not all(isinstance(one.get("role"), str) and isinstance(one.get("content"), str) for one in told):
        raise UsageError('a chat is a list of messages, as [{"role": "user", "content": "Who was first?"}]')
    if not getattr(reader.tokenizer, "chat_template", None):
        raise UnsupportedError(f"the tokenizer of model {reader.name} has no template of chats: give a text instead")
    raw = reader.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
    ranges, at = list[tuple[int, int]](), 0
    for message in told:
        content = message["content"].strip()
        found = raw.find(content, at)
        if found < 0:
            raise TextError(f"the template of model {reader.name} changes the message {content!r:.40}")
        ranges.append((found, found + len(content)))
        at = found + len(content)
    encoding = _encoded(reader, raw)
    spots = [tuple(place) for place in encoding.offsets]
    inside = [[n for n, (a, b) in enumerate(spots) if a < stop and start < b] for start, stop in ranges]
    offsets: list[tuple[int, int]] = [(0, 0)] * len(spots)
    words: list[Span] = []
    for (start, stop), pieces in zip(ranges, inside, strict=True):
        if not pieces:
            continue
        own = [(max(spots[n][0], start) - start, min(spots[n][1], stop) - start) for n in pieces]
        placed, spans = align(raw[start:stop], own, words_in(raw[start:stop], reader.segment))
        for n, (a, b) in zip(pieces, placed, strict=True):
            offsets[n] = (a + start, b + start)
        words += [Span(pieces[span.start], pieces[span.stop - 1] + 1) for span in spans]
    if not words:
        raise TextError("the messages of the chat hold no word")
    users = {n for pieces in inside for n in pieces}
    special = tuple(n not in users for n in range(len(spots)))
    count = len(spots)
    return Text(
        raw, tuple(encoding.tokens), tuple(encoding.ids), tuple(offsets), tuple(words), (Span(0, count),), special
    )


def given(model: HuggingFaceClassifier, text: Text, answer: str) -> Text:
    """A text with a user's answer behind it, as its last segment.

    Text and answer are cut as one if that leaves the text's own pieces alone, else the answer by itself. Raises
    UsageError for anything but a string, TextError for a blank answer and for one that the tokenizer does not spell.
    """
    if not isinstance(answer, str):
        raise UsageError(f"a continuation is a string, not {type(answer).__name__}")
    if not answer.strip():
        raise TextError("the continuation is empty: give at least one word, or leave it out")
    own = [number for number, flag in zip(text.ids, text.special, strict=True) if not flag]
    encoding, shift = _encoded(model.reader, text.raw + answer), len(text.raw)
    ids = [int(number) for number in encoding.ids]
    first = next((len(part) for part in (list(text.ids), own) if part and ids[: len(part)] == part), len(ids))
    if first == len(ids) or any(start < shift < stop for start, stop in encoding.offsets):
        encoding, first, shift = _encoded(model.reader, answer), 0, 0
    ids = [int(number) for number in encoding.ids[first:]]
    spots = [(max(0, start - shift), max(0, stop - shift)) for start, stop in encoding.offsets[first:]]
    unknown = model.tokenizer.unk_token_id
    if not ids or (unknown in ids and unknown != model.tokenizer.eos_token_id):
        raise TextError(f"the tokenizer of model {model.name} cannot spell the continuation {answer!r:.60}")
    return _behind(model, text, ids, answer, spots)


def answered(model: HuggingFaceClassifier, text: Text, ids: Sequence[int]) -> Text:
    """A text with an answer of these pieces behind it, as its last segment.

    A piece's characters are those that it adds; parts of a character belong to the piece that completes it. Special
    pieces of the answer are no words of it. Raises TextError if both are longer than the model takes, ModelError for an
    answer without a word.
    """
    first = _decoded(model, text.ids[-BEFORE:])
    ends = []
    for count in range(1, len(ids) + 1):
        whole = _decoded(model, [*text.ids[-BEFORE:], *ids[:count]])
        raw = whole[len(_shared(first, whole)) :]
        ends.append(len(raw if count == len(ids) else raw.rstrip(HALF)))
    spots = [(min(start, stop), stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]
    return _behind(model, text, ids, raw, spots)


def _behind(
    model: HuggingFaceClassifier, text: Text, ids: Sequence[int], raw: str, spots: Sequence[tuple[int, int]]
) -> Text:
    """A text with an answer of these pieces and characters behind it. Raises the errors of ``answered``."""
    limit, size, special = model.reader.limit, len(text) + len(ids), set(model.tokenizer.all_special_ids)
    if limit is not None and size > limit:
        raise TextError(
            f"prompt and answer have {size} pieces and model {model.name} takes at most {limit}: shorten them"
        )
    inside = [n for n, number in enumerate(ids) if number not in special]
    offsets: list[tuple[int, int]] = [(0, 0)] * len(ids)
    words: list[Span] = []
    if raw.strip() and inside:
        placed, spans = align(raw, [spots[n] for n in inside], words_in(raw, model.reader.segment))
        for n, place in zip(inside, placed, strict=True):
            offsets[n] = place
        words = [Span(inside[span.start], inside[span.stop - 1] + 1) for span in spans]
    if not words:
        raise ModelError(f"model {model.name} answers with no word: give a continuation, or another prompt")
    pieces = tuple(map(str, model.tokenizer.convert_ids_to_tokens(list(ids))))
    flags = tuple(number in special for number in ids)
    return followed(text, Text(raw, pieces, tuple(ids), tuple(offsets), tuple(words), (Span(0, len(ids)),), flags))


def followed(text: Text, answer: Text) -> Text:
    """A text and an answer behind it, whose characters follow each other; the last segment holds all answers."""
    count, shift = len(text), len(text.raw)
    border = text.segments[0].stop
    return Text(
        raw=text.raw + answer.raw,
        pieces=text.pieces + answer.pieces,
        ids=text.ids + answer.ids,
        offsets=text.offsets + tuple((start + shift, stop + shift) for start, stop in answer.offsets),
        words=text.words + tuple(Span(word.start + count, word.stop + count) for word in answer.words),
        segments=(Span(0, border), Span(border, count + len(answer))),
        special=text.special + answer.special,
    )


def generated(model: HuggingFaceClassifier, most: int, inputs: Mapping[str, Any], before: Sequence[int]) -> list[int]:
    """The pieces of the likeliest answer, chosen greedily, without those of its end; at most ``most``.

    ``before`` are the pieces with which the module's own answer begins.
    """
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise UsageError(f"most_pieces must be a whole number of at least 1, not {most!r}")
    module: Any = model.module
    settings = copy.deepcopy(module.generation_config)
    settings.update(do_sample=False, num_beams=1, max_new_tokens=most, temperature=None, top_p=None, top_k=None)
    settings.update(pad_token_id=model.tokens["pad"], return_dict_in_generate=False, max_length=None)
    with model.at_rest(), torch.no_grad():
        answer = module.generate(**inputs, generation_config=settings)[0].tolist()
    answer = answer[len(before) :]
    ends = set(model.tokenizer.all_special_ids)
    while answer and answer[-1] in ends:
        answer = answer[:-1]
    if not answer:
        raise ModelError(f"model {model.name} answers with nothing: give a continuation, or another prompt")
    return [int(number) for number in answer]


def _encoded(reader: Reader, raw: str) -> Any:
    """The encoding of a text without the tokenizer's own special pieces; a lone surrogate is read as U+FFFD."""
    raw = raw.translate(UNPAIRED)
    if getattr(reader.tokenizer, "is_fast", False):
        return reader.tokenizer(raw, add_special_tokens=False, return_offsets_mapping=True, verbose=False).encodings[0]
    encoding = encoding_of(reader.tokenizer, (raw,))
    keep = [n for n, part in enumerate(encoding.sequence_ids) if part is not None]
    return _Plain(*([values[n] for n in keep] for values in (encoding.ids, encoding.tokens, encoding.offsets)))


class _Plain:
    """The ids, pieces and offsets of a text."""

    def __init__(self, ids: Sequence[int], tokens: Sequence[str], offsets: Sequence[tuple[int, int]]) -> None:
        self.ids, self.tokens, self.offsets = ids, tokens, offsets


def _decoded(model: HuggingFaceClassifier, ids: Sequence[int]) -> str:
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _shared(first: str, whole: str) -> str:
    """The beginning that two strings share, without parts of characters."""
    count = 0
    for a, b in zip(first, whole, strict=False):
        if a != b:
            break
        count += 1
    return first[:count]
