"""A small spaCy pipeline (hash-embedding CNN, tagger, parser) trained on EWT: the pipeline that was weighed."""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import ewt
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from spacy.vocab import Vocab
from thinc.api import Adam

ROWS = {"NORM": 8, "PREFIX": 1, "SUFFIX": 3, "SHAPE": 1}  # shares of the rows of the hash tables


def pipeline(width: int, depth: int, rows: int, parser: bool) -> Language:
    """An untrained pipeline; `rows` is the size of the word table, the other tables follow from it."""
    nlp = spacy.blank("en")
    nlp.add_pipe(
        "tok2vec",
        config={
            "model": {
                "@architectures": "spacy.Tok2Vec.v2",
                "embed": {
                    "@architectures": "spacy.MultiHashEmbed.v2",
                    "width": width,
                    "attrs": list(ROWS),
                    "rows": [max(200, rows * share // 8) for share in ROWS.values()],
                    "include_static_vectors": False,
                },
                "encode": {
                    "@architectures": "spacy.MaxoutWindowEncoder.v2",
                    "width": width,
                    "depth": depth,
                    "window_size": 1,
                    "maxout_pieces": 3,
                },
            }
        },
    )
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": width, "upstream": "*"}
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}})
    if parser:
        nlp.add_pipe(
            "parser",
            config={
                "model": {
                    "@architectures": "spacy.TransitionBasedParser.v2",
                    "tok2vec": listener,
                    "state_type": "parser",
                    "extra_state_tokens": False,
                    "hidden_width": 64,
                    "maxout_pieces": 2,
                    "use_upper": True,
                }
            },
        )
    return nlp


def example(vocab: Vocab, sentence: ewt.Sentence, parser: bool) -> Example:
    words = list(sentence.words)
    gold = (
        Doc(vocab, words=words, tags=list(sentence.tags), sent_starts=[True] + [False] * (len(words) - 1))
        if not parser
        else Doc(
            vocab,
            words=words,
            tags=list(sentence.tags),
            heads=list(sentence.heads),
            deps=[r.split(":")[0] if r != "root" else "ROOT" for r in sentence.relations],
        )
    )
    return Example(Doc(vocab, words=words), gold)


def accuracy(nlp: Language, sentences: list[ewt.Sentence]) -> float:
    docs = [Doc(nlp.vocab, words=list(sentence.words)) for sentence in sentences]
    right = total = 0
    for doc, sentence in zip(nlp.pipe(docs), sentences, strict=True):
        right += sum(token.tag_ == tag for token, tag in zip(doc, sentence.tags, strict=True))
        total += len(doc)
    return right / total


def main() -> None:
    args = arguments()
    fix_random_seed(args.seed)
    rng = random.Random(args.seed)
    train, dev = ewt.split(args.data, "train"), ewt.split(args.data, "dev")
    dev = dev + [sentence.lower() for sentence in dev]
    nlp = pipeline(args.width, args.depth, args.rows, args.parser)
    nlp.initialize(lambda: [example(nlp.vocab, sentence, args.parser) for sentence in train])
    optimizer, best, since, step = Adam(0.001, L2=0.01, grad_clip=1.0, use_averages=True), 0.0, 0, 0
    for epoch in range(args.epochs):
        begun = time.perf_counter()
        rng.shuffle(train)
        for batch in minibatch(train, size=args.batch):
            optimizer.learn_rate = args.rate * max(0.02, 1 - step / (args.epochs * len(train) / args.batch))
            examples = [example(nlp.vocab, ewt.augment(s, rng), args.parser) for s in batch]
            nlp.update(examples, sgd=optimizer, drop=args.dropout)
            step += 1
        with nlp.use_params(optimizer.averages):
            score = accuracy(nlp, dev)
            if score > best:
                best, since = score, -1
                nlp.to_disk(args.out)
        since += 1
        print(json.dumps({"epoch": epoch, "dev": round(score, 5), "seconds": time.perf_counter() - begun}), flush=True)
        if since >= args.patience:
            break


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with ewt/ in it (default: EXEGESIS_DATA)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4000, help="rows of the word table")
    parser.add_argument("--parser", action="store_true", help="train the parser too")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--patience", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
