"""Links between words: readers on small files, a planted head that follows them, and one that is confused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import exegesis
from exegesis import study
from exegesis.core.errors import FileError, UsageError
from exegesis.data.links import Link, Linked, read_coreference, read_negation, reflexives
from exegesis.show import render
from exegesis.study.insides.attention_probe import pairs_of
from tests.support.torch_toys import WORDS
from tests.unit.study.test_heads import RUNS, Planted, sentences

CDSCO = """x\t0\t0\tIt\tit\tPRP\t*\t_\tIt\t_\t_\t_\t_
x\t0\t1\tis\tbe\tVBZ\t*\t_\tis\t_\t_\t_\t_
x\t0\t2\tunfit\tunfit\tJJ\t*\tun\tfit\tfit\t_\t_\t_
x\t0\t3\tand\tand\tCC\t*\t_\t_\t_\t_\t_\t_
x\t0\t4\tnever\tnever\tRB\t*\t_\t_\t_\tnever\t_\t_
x\t0\t5\tseen\tsee\tVBN\t*\t_\t_\t_\t_\tseen\tseen

x\t1\t0\tYes\tyes\tUH\t*\t***
"""
SFU = "# domain - BOOKS\n# sentence - so\nI\tO\tO\nnever\tB_negcue\tO\nread\tB_neg\tO\nit\tI_neg\tO\n\nok\tO\tO\n"


def conllu(rows: list[tuple[str, int, str]], head: str = "") -> str:
    lines = [head] if head else []
    for number, (word, governor, misc) in enumerate(rows, 1):
        lines.append(f"{number}\t{word}\t_\t_\t_\t_\t{governor}\tdep\t_\t{misc}")
    return "\n".join(lines) + "\n\n"


STORY = (
    conllu([("Dr.", 2, "Entity=(e1-person-1"), ("Who", 3, "Entity=e1)"), ("saw", 0, "_"),
            ("his", 5, "Entity=(e2-abs(e1)"), ("house", 3, "Entity=e2)|SpaceAfter=No")], "# newdoc id = a")
    + conllu([("He", 2, "Entity=(e1)"), ("sold", 0, "_"), ("it", 2, "Entity=(e2)")], "# sent_id = 2")
    + conllu([("It", 2, "Entity=(e2)"), ("broke", 0, "_")], "# newdoc id = b")
)  # fmt: skip


def test_scopes_are_read_from_both_forms(tmp_path) -> None:
    path = tmp_path / "n.txt"
    path.write_text(CDSCO)
    assert read_negation(path) == [
        Linked(
            ("It", "is", "unfit", "and", "never", "seen"),
            (Link("negation scope", 0, (2,)), Link("negation scope", 1, (2,)), Link("negation scope", 5, (4,))),
        )
    ]
    path.write_text(SFU)
    (found,) = read_negation(path)
    assert found.text == "I never read it"
    assert [(link.source, link.goals) for link in found.links] == [(2, (1,)), (3, (1,))]
    for broken, message in (
        ("a\nb\n", "no column"),
        ("a\tO\tO\n", "no scope"),
        ("a\tO\nb\tO\tO\n", "different numbers"),
    ):
        path.write_text(broken)
        with pytest.raises(FileError, match=message):
            read_negation(path)


def test_antecedents_are_read_beside_rules(tmp_path) -> None:
    path = tmp_path / "c.conllu"
    path.write_text(STORY)
    (found,) = read_coreference(path)  # the second document has no antecedent
    assert found.words == ("Dr.", "Who", "saw", "his", "house", "He", "sold", "it")
    nearest, same = "nearest mention", "same words, else nearest"
    assert found.links == (
        Link("antecedent", 3, (1,), (), ((nearest, 1), (same, 1))),  # "his house" around "his" is not before it
        Link("antecedent", 5, (1, 3), (4,), ((nearest, 4), (same, 4))),
        Link("antecedent", 7, (4,), (1, 3, 5), ((nearest, 5), (same, 5))),
    )
    assert read_coreference(path, sentences=1)[0].words == ("Dr.", "Who", "saw", "his", "house")
    for rows, message in (
        ([("a", 0, "Entity=e1)")], "closed, but was not opened"),
        ([("a", 0, "Entity=(e1")], "is not closed"),
        ([("a", 0, "_")], "no mention has an antecedent"),
    ):
        path.write_text(conllu(rows))
        with pytest.raises(FileError, match=message):
            read_coreference(path)


def test_reflexives_agree_with_one_noun() -> None:
    made = reflexives(60)
    assert made == reflexives(60) != reflexives(60, seed=1)
    for one in made:
        (link,) = one.links
        assert one.words[link.source] in ("himself", "herself")
        male = one.words[link.source] == "himself"
        assert (one.words[link.goals[0]] in ("man", "boy", "king", "father", "uncle", "actor")) == male
        assert (one.words[link.rivals[0]] in ("man", "boy", "king", "father", "uncle", "actor")) != male
    nearest = np.mean([one.links[0].rules[0][1] in one.links[0].goals for one in made])
    assert 0.15 < nearest < 0.55


def linked(count: int) -> list[Linked]:
    """Every other word has a link to w0, and the word before it for a rival."""
    made = []
    for one in sentences(count):
        goal = one.words.index(RUNS)
        links = tuple(
            Link("run", word, (goal,), (word - 1,), (("first", 0),))
            for word in range(1, len(one.words))
            if goal not in (word, word - 1)
        )
        made.append(Linked(one.words, links))
    return made


def test_a_planted_head_follows_its_links() -> None:
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    texts = linked(24)
    found = study.links(model, texts, samples=200)
    row = found.of("run")
    assert (row.layer, row.head, row.accuracy, row.low, row.high) == (1, 1, 1.0, 1.0, 1.0)
    assert (row.clear_layer, row.clear_head) == (1, 1)
    rest = [(link, one) for number, one in enumerate(texts) if number % 2 for link in one.links]
    assert row.words == len(rest)
    first = row.rules[-1]
    assert (first.name, first.share) == ("first", np.mean([0 in link.goals for link, _ in rest]))
    # the head looks at a word by exp(9) if it is w0, else by exp(0)
    assert row.confusion == pytest.approx(math.log1p(math.exp(-9)), rel=1e-6)
    assert row.chance == pytest.approx(math.log(2))
    assert row.better == all(rule.apart_low > 0 for rule in row.rules)
    assert study.links(model, [*texts, *texts[:9]], samples=200).of("run") == row  # copies are no more evidence
    shown = render(found, color=False, width=120)
    assert "1 of 1 kinds of link are found by a head better than by every rule: run" in shown
    assert "confusion" in shown


def test_what_is_refused() -> None:
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    for given, message in (
        ({"kind": "negations"}, "did you mean 'negation'"),
        ({}, "read from a file"),
        ({"data": "x.txt", "kind": "reflexives"}, "leave the file out"),
        ({"data": linked(1)}, "too few texts"),
    ):
        with pytest.raises(UsageError, match=message):
            study.links(model, **given)
    unread = [Linked(("", word), ()) for word in "ab"]  # of which the model reads one word
    with pytest.raises(UsageError, match=r"at least two \(the first: of ' a' the model reads no piece of ''\)"):
        study.links(model, unread)
    with pytest.raises(UsageError, match=r"at least two \(the first: .*empty"):
        study.links(model, [Linked((" ",), ())])


def test_an_arc_is_read_off_the_planted_head() -> None:
    model = exegesis.wrap(Planted(), vocabulary=WORDS, labels=["a", "b"])
    treebank = sentences(30)
    found = study.probe(model, treebank, probes="attention", minimum=5, samples=100)
    arc, relation = found.of("arc", "all attention"), found.of("relation", "all attention")
    assert (arc.level, arc.classes, relation.classes) == ("pair", 2, 2)
    assert arc.accuracy > 0.9
    assert relation.accuracy > 0.95  # one head looks at the governor of subjects, the other at determiners
    assert arc.accuracy > arc.untrained
    assert arc.apart_low > 0
    assert 0.4 < arc.majority < 0.6
    assert not [row for row in study.probe(model, treebank, "tag", probes="linear").probed if row.level == "pair"]


def test_pairs_are_arcs_and_as_many_that_are_none() -> None:
    treebank = sentences(20)
    given = pairs_of(treebank, 5, 0)
    arcs = given["arc"]
    for number, (word, other), label in zip(arcs.sentences, arcs.words, arcs.labels, strict=True):
        heads = treebank[number].heads
        assert (heads[word] == other) == (label == "arc")
        assert label == "arc" or heads[other] != word
    assert arcs.labels.count("arc") == arcs.labels.count("none")
    types = [tuple(treebank[n].words[w] for w in pair) for n, pair in zip(arcs.sentences, arcs.words, strict=True)]
    assert all(len({c for t, c in zip(types, arcs.control, strict=True) if t == one}) == 1 for one in set(types))
