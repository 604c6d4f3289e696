"""Holds the clause rule against the finite clauses of EWT's gold trees: precision, recall and F of inner borders.

    python experiments/tagger/clause_borders.py --data FOLDER [--parser SPACY_FOLDER]

A gold clause is headed by a word in one of RELATIONS that has a finite verb (itself, an auxiliary or a copula);
each word belongs to the nearest such head above it, and a border lies where neighbours differ, punctuation
left out. The rule never sees a tree, and cannot say where an embedded clause ends without a mark.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import ewt

from exegesis.models.tagger import default_tagger
from exegesis.questions.phrases.clauses import clauses

RELATIONS = {"conj", "advcl", "ccomp", "parataxis", "acl:relcl", "csubj", "root", "ROOT"}
FINITE = {"VBD", "VBP", "VBZ", "MD"}
Borders = Callable[[ewt.Sentence], set[int]]


def of_tree(sentence: ewt.Sentence, relations: set[str] = RELATIONS) -> set[int]:
    def heads_a_clause(at: int) -> bool:
        if sentence.heads[at] == at:
            return True
        parts = [at] + [
            k for k, head in enumerate(sentence.heads)
            if head == at and sentence.relations[k].split(":")[0] in ("aux", "cop")
        ]  # fmt: skip
        return sentence.relations[at] in relations and any(sentence.tags[k] in FINITE for k in parts)

    def clause(at: int) -> int:
        while not heads_a_clause(at):
            at = sentence.heads[at]
        return at

    words = [at for at, upos in enumerate(sentence.upos) if upos != "PUNCT"]
    return {after for at, after in pairwise(words) if clause(at) != clause(after)}


def of_rule(sentence: ewt.Sentence, tags: Sequence[str]) -> set[int]:
    words = [at for at, upos in enumerate(sentence.upos) if upos != "PUNCT"]
    starts = (span.start for span in clauses(sentence.words, tags)[1:])
    return {next((at for at in words if at >= start), -1) for start in starts} - {-1, *words[:1]}


def parsed(folder: str) -> Borders:
    """The borders of a spaCy pipeline's own trees (its relations are EWT's without their subtypes)."""
    import spacy
    from spacy.tokens import Doc

    nlp = spacy.load(folder)

    def borders(sentence: ewt.Sentence) -> set[int]:
        doc = nlp(Doc(nlp.vocab, words=list(sentence.words)))
        tree = replace(
            sentence, tags=tuple(t.tag_ for t in doc), heads=tuple(t.head.i for t in doc),
            relations=tuple(t.dep_ for t in doc),
        )  # fmt: skip
        return of_tree(tree, RELATIONS | {"acl"})

    return borders


def score(sentences: Sequence[ewt.Sentence], borders: Borders) -> str:
    pairs = [(of_tree(sentence), borders(sentence)) for sentence in sentences]
    both, gold, found = (sum(map(len, part)) for part in ([g & f for g, f in pairs], *zip(*pairs, strict=True)))
    harmonic = 2 * both / (gold + found)
    return f"precision {both / found:.3f}  recall {both / gold:.3f}  F {harmonic:.3f}  ({gold} borders)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with ewt/ in it (default: EXEGESIS_DATA)")
    parser.add_argument("--parser", help="folder of a spaCy pipeline with a parser, to hold against the rule")
    args = parser.parse_args()
    test, tagger = ewt.split(args.data, "test"), default_tagger()
    lower = [sentence.lower() for sentence in test]
    print("rule, gold tags:             ", score(test, lambda s: of_rule(s, s.tags)))
    print("rule, bundled tagger:        ", score(test, lambda s: of_rule(s, tagger(s.words))))
    print("rule, bundled, lower-cased:  ", score(lower, lambda s: of_rule(s, tagger(s.words))))
    if args.parser:
        print("spaCy's trees:               ", score(test, parsed(args.parser)))
        print("spaCy's trees, lower-cased:  ", score(lower, parsed(args.parser)))


if __name__ == "__main__":
    main()
