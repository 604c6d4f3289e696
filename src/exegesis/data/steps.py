"""Texts to be written, step by step: what was read, what is written so far, and the word that comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exegesis.core.errors import UsageError
from exegesis.data.examples import Example

START, END = ">", "<end>"  # the word that begins every text written; the label behind its last word


def steps_of(examples: Iterable[Example]) -> list[Example]:
    """One example for each word to be written: a pair of the text and of what is written so far, labelled by the next
    word.

    The label of a given example is the text to write, whose words blanks part. What is written begins with ``>``, and
    the last step of each text has the label ``<end>``: "a b" labelled "b a" becomes ("a b", ">") with the label b,
    ("a b", "> b") with a, and ("a b", "> b a") with ``<end>``.

    Raises UsageError for a pair of texts, and for an example that says not what to write.
    """
    return [step for example in examples for step in _steps(example)]


def _steps(example: Example) -> Iterator[Example]:
    if not isinstance(example.text, str):
        raise UsageError("a text is written from one text, and the examples are pairs; leave the second column out")
    words = (example.label or "").split()
    if not words:
        raise UsageError(
            f"a training example says not what to write ({example.text[:40]!r}); give the column of it (--label)"
        )
    for number, word in enumerate([*words, END]):
        yield Example.of((example.text, " ".join([START, *words[:number]])), word)
