"""Phrases by Table 1, clauses, and the four nested levels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis.core.errors import ModelError, TextError, UsageError
from exegesis.core.text import Span
from exegesis.models.tagger import UNIVERSAL, default_tagger, universal
from exegesis.questions.phrases.clauses import clauses
from exegesis.questions.phrases.levels import LEVELS, levels, phrases

TAGS = st.sampled_from(["VBZ", "VB", "MD", "RB", "RP", "TO", "DT", "NN", "IN", "CC", "JJ", "PRP", "WDT", ",", ".", ":"])
WORDS = st.sampled_from(["it", "that", "if", "dog", "even", "in", "x"])
TAGGED = st.lists(st.tuples(WORDS, TAGS), max_size=30)
FINITE = {"VBD", "VBP", "VBZ", "MD"}

# Table 1 written out as automata: state -> coarse tag -> next state; "ends" may stop
VERB_CHUNK = {
    "start": {"VERB": {"verbs", "last"}, "ADV": {"adverbs"}, "PART": {"particles"}},
    "verbs": {"VERB": {"verbs", "last"}, "ADV": {"adverbs"}, "PART": {"particles"}},
    "adverbs": {"ADV": {"adverbs"}, "PART": {"particles"}, "VERB": {"last"}},
    "particles": {"PART": {"particles"}, "VERB": {"last"}},
    "last": {"VERB": {"last"}, "PART": {"after"}},
    "after": {"PART": {"after"}},
}
NOUN_CHUNK = {
    "start": {"DET": {"open"}, "NOUN": {"nouns"}},
    "open": {"NOUN": {"nouns"}},
    "nouns": {"NOUN": {"nouns"}, "ADP": {"open"}, "CONJ": {"open"}},
}
CHUNKS = ((VERB_CHUNK, {"last", "after"}), (NOUN_CHUNK, {"nouns"}))


def longest(coarse: Sequence[str], start: int) -> int:
    """Where the longest chunk from `start` stops; one word where there is none."""
    best = start + 1
    for chunk, ends in CHUNKS:
        states = {"start"}
        for at in range(start, len(coarse)):
            states = {after for state in states for after in chunk[state].get(coarse[at], ())}
            if states & ends:
                best = max(best, at + 1)
    return best


def partition(spans: Sequence[Span], size: int) -> bool:
    """Whether the spans cover 0 to size in order, none of them empty."""
    edges = [0, *(span.stop for span in spans)]
    return [tuple(span) for span in spans] == list(pairwise(edges)) and edges == sorted({*edges, 0, size})


def told(words: Sequence[str], spans: Sequence[Span]) -> list[str]:
    return [" ".join(words[span.start : span.stop]) for span in spans]


def by_hand(text: str) -> list[str]:
    """Clauses of a text written word/TAG."""
    words, tags = zip(*(piece.rsplit("/", 1) for piece in text.split()), strict=True)
    return told(words, clauses(words, tags))


@pytest.mark.parametrize("change", [str, str.lower])
def test_the_papers_sentence_gives_the_papers_phrases(change):
    words = change("The movie does n't serve up lot of laughs .").split()
    found = levels(words, default_tagger())
    assert told(words, found["phrase"]) == [change("The movie"), "does n't serve up", "lot of laughs", "."]
    assert found["clause"] == found["text"] == (Span(0, 10),)


@pytest.mark.parametrize("change", [str, str.lower])
def test_the_papers_other_sentence_gives_two_clauses(change):
    words = change("The fight scenes are fun but it grows tedious").split()
    found = levels(words, default_tagger())
    assert told(words, found["clause"]) == [change("The fight scenes are fun"), "but it grows tedious"]
    assert told(words, found["phrase"])[0] == change("The fight scenes")


@given(st.lists(st.sampled_from([*UNIVERSAL, "no such tag"]), max_size=40))
def test_phrases_are_the_longest_matches_from_the_left(tags):
    coarse, expected, at = [universal(tag) for tag in tags], [], 0
    while at < len(tags):
        expected.append(Span(at, longest(coarse, at)))
        at = expected[-1].stop
    assert phrases(tags) == tuple(expected)


VERBAL, NOMINAL = st.sampled_from(["VBZ", "RB", "RP"]), st.sampled_from(["DT", "NN", "IN"])


@given(st.lists(VERBAL, max_size=9) | st.lists(NOMINAL, max_size=9))
def test_phrases_over_chunk_tags_alone(tags):
    assert partition(phrases(tags), len(tags))
    assert all(longest([universal(tag) for tag in tags], span.start) == span.stop for span in phrases(tags))


@given(TAGGED)
def test_clauses_partition_the_text_and_each_has_a_finite_verb(tagged):
    words, tags = [word for word, _ in tagged], [tag for _, tag in tagged]
    spans = clauses(words, tags)
    assert partition(spans, len(words))
    if len(spans) > 1:
        assert all(FINITE & set(tags[span.start : span.stop]) for span in spans)


@given(TAGGED.filter(bool))
def test_levels_partition_and_nest(tagged):
    found = levels([word for word, _ in tagged], lambda words: [tag for _, tag in tagged])
    assert tuple(found) == LEVELS
    assert all(partition(spans, len(tagged)) for spans in found.values())
    for fine, coarse in pairwise(LEVELS):
        assert {span.stop for span in found[coarse]} <= {span.stop for span in found[fine]}


@given(st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=12))
def test_any_words_have_levels(words):
    assert all(partition(spans, len(words)) for spans in levels(words, default_tagger()).values())


def test_a_clause_border_cuts_a_chunk():
    words = ["I", "love", "the", "film", "and", "Bob", "hates", "it"]
    tags = ["PRP", "VBP", "DT", "NN", "CC", "NNP", "VBZ", "PRP"]
    assert told(words, phrases(tags))[2] == "the film and Bob"
    found = levels(words, lambda words: tags)
    assert told(words, found["clause"]) == ["I love the film", "and Bob hates it"]
    assert told(words, found["phrase"]) == ["I", "love", "the film", "and", "Bob", "hates", "it"]


@pytest.mark.parametrize(
    "marked",
    [
        "it/PRP is/VBZ fun/JJ ,/, | and/CC I/PRP laughed/VBD ./.",
        "it/PRP is/VBZ funny/JJ and/CC touching/VBG",
        "although/IN sad/JJ ,/, it/PRP works/VBZ",
        "I/PRP think/VBP | it/PRP works/VBZ",
        "I/PRP think/VBP | it/PRP really/RB works/VBZ",
        "I/PRP told/VBD you/PRP the/DT film/NN works/VBZ",
        "I/PRP left/VBD | even/RB though/IN I/PRP cried/VBD",
        "the/DT film/NN is/VBZ one/CD | in/IN which/WDT nothing/NN happens/VBZ",
        "he/PRP came/VBD ,/, | and/CC when/WRB he/PRP left/VBD | we/PRP slept/VBD",
        "she/PRP left/VBD ,/, | but/CC in/IN the/DT end/NN ,/, we/PRP won/VBD",
        "he/PRP ate/VBD cats/NNS and/CC dogs/NNS ,/, | which/WDT barked/VBD",
        "``/`` it/PRP works/VBZ ./. ''/'' | he/PRP said/VBD so/RB ./.",
        "great/JJ !/. I/PRP loved/VBD it/PRP ./.",
        "I/PRP loved/VBD it/PRP ./. great/JJ !/. | he/PRP did/VBD too/RB",
        "it/PRP drags/VBZ -LRB-/-LRB- badly/RB -RRB-/-RRB- ;/: | you/PRP sleep/VBP",
        "it/PRP drags/VBZ | -LRB-/-LRB- we/PRP slept/VBD -RRB-/-RRB- | and/CC ends/VBZ",
        "no/DT movement/NN ,/, no/DT yuks/NNS ,/, not/RB much/JJ of/IN anything/NN",
        "he/PRP wants/VBZ to/TO come/VB and/CC see/VB",
    ],
)
def test_clauses_by_hand(marked):
    expected = [" ".join(p.rsplit("/", 1)[0] for p in part.split()) for part in marked.split("|")]
    assert by_hand(marked.replace("| ", "")) == expected


def test_no_words_and_wrong_tags_are_refused():
    assert phrases([]) == ()
    assert clauses([], []) == ()
    with pytest.raises(TextError, match="without words"):
        levels([], default_tagger())
    with pytest.raises(ModelError, match="gave 1 tags for 2 words"):
        levels(["a", "b"], lambda words: ["NN"])
    with pytest.raises(UsageError, match="1 tags for 2 words"):
        clauses(["a", "b"], ["NN"])


@pytest.mark.parametrize("tags", [["RB"], ["VBZ"], ["NN", "IN"], ["NN"], ["CC", "VBZ"], ["PRP"], [","], ["RP"]])
def test_ten_thousand_words_take_no_time(tags):
    many = (tags * 10_000)[:10_000]
    begun = time.process_time()
    found = levels(["so"] * len(many), lambda words: many)
    assert partition(found["phrase"], len(many))
    assert time.process_time() - begun < 2
