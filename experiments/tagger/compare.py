"""Measures taggers on EWT's test part, each in a process of its own, and prints one table row for each.

Times are seconds of processor time in one thread, which other work on the machine lengthens little.

    python experiments/tagger/compare.py --data FOLDER bundled exegesis:FOLDER spacy:FOLDER hanta
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import ewt

Tag = Callable[[Sequence[str]], list[str]]

# BNC (C5) tags to Penn; PUN is told apart by the word
C5 = {
    "AJ0": "JJ", "AJC": "JJR", "AJS": "JJS", "AT0": "DT", "AV0": "RB", "AVP": "RP", "AVQ": "WRB", "CJC": "CC",
    "CJS": "IN", "CJT": "IN", "CRD": "CD", "DPS": "PRP$", "DT0": "DT", "DTQ": "WDT", "EX0": "EX", "IN": "IN",
    "ITJ": "UH", "NN": "NN", "NN0": "NN", "NN1": "NN", "NN2": "NNS", "NP0": "NNP", "ORD": "JJ", "PNI": "NN",
    "PNP": "PRP", "PNQ": "WP", "POS": "POS", "PRF": "IN", "PRP": "IN", "PUL": "-LRB-", "PUQ": "''",
    "PUR": "-RRB-", "TO0": "TO", "UNC": "FW", "VM0": "MD", "XX0": "RB", "ZZ0": "NN",
} | {
    f"V{kind}{form}": penn for kind in "BDHV"
    for form, penn in {"B": "VBP", "D": "VBD", "G": "VBG", "I": "VB", "N": "VBN", "Z": "VBZ"}.items()
}  # fmt: skip


def punctuation(word: str) -> str:
    if word in (",", "/"):
        return ","
    return "." if word and set(word) <= set(".!?") else "HYPH" if word == "-" else ":"


def hanta() -> Tag:
    from HanTa.HanoverTagger import HanoverTagger

    tagger = HanoverTagger("morphmodel_en.pgz")

    def tag(words: Sequence[str]) -> list[str]:
        found = [row[2] for row in tagger.tag_sent(list(words))]
        return [punctuation(w) if c5 == "PUN" else C5.get(c5, "X") for w, c5 in zip(words, found, strict=True)]

    return tag


def load(name: str) -> Tag:
    kind, _, folder = name.partition(":")
    if kind == "hanta":
        return hanta()
    from exegesis.models.tagger import default_tagger, load_tagger, spacy_tagger

    if kind == "spacy":
        import spacy

        return spacy_tagger(spacy.load(folder, exclude=["parser"]))
    return load_tagger(Path(folder)) if folder else default_tagger()


def size(name: str) -> int:
    """Bytes of the model's files (of HanTa's, the compressed English model alone)."""
    kind, _, folder = name.partition(":")
    if kind == "hanta":
        import HanTa

        return (Path(HanTa.__file__).parent / "morphmodel_en.pgz").stat().st_size
    if kind == "bundled":
        from exegesis.models.tagger import BUNDLED

        folder = str(BUNDLED)
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def accuracy(tag: Tag, sentences: Sequence[ewt.Sentence]) -> tuple[float, float]:
    """On Penn tags, and on the coarse tags that Table 1 is written in."""
    from exegesis.models.tagger import universal

    pairs = [pair for s in sentences for pair in zip(tag(s.words), s.tags, strict=True)]
    fine = sum(a == b for a, b in pairs) / len(pairs)
    return fine, sum(universal(a) == universal(b) for a, b in pairs) / len(pairs)


def attachment(name: str, sentences: Sequence[ewt.Sentence]) -> float | None:
    """Unlabelled attachment score, punctuation left out; None without a parser."""
    kind, _, folder = name.partition(":")
    if kind != "spacy":
        return None
    import spacy
    from spacy.tokens import Doc

    nlp = spacy.load(folder)
    if "parser" not in nlp.pipe_names:
        return None
    right = total = 0
    for s in sentences:
        heads = [token.head.i for token in nlp(Doc(nlp.vocab, words=list(s.words)))]
        scored = [at for at, upos in enumerate(s.upos) if upos != "PUNCT"]
        right += sum(heads[at] == s.heads[at] for at in scored)
        total += len(scored)
    return right / total


def measure(name: str, data: str | None) -> dict[str, object]:
    tag = load(name)
    test = ewt.split(data, "test")
    begun = time.process_time()
    cased = accuracy(tag, test)
    seconds = time.process_time() - begun
    lower = [sentence.lower() for sentence in test]
    heads = [attachment(name, part) for part in (test, lower)]
    return {
        "tagger": name, "penn": cased[0], "coarse": cased[1], **dict(zip(("penn lower", "coarse lower"),
        accuracy(tag, lower), strict=True)), "uas": heads[0], "uas lower": heads[1],
        "words/s": round(sum(len(s.words) for s in test) / seconds), "bytes": size(name),
    }  # fmt: skip


def start_seconds(name: str, times: int = 5) -> float:
    """Median seconds of a fresh process: imports, loading and one sentence tagged."""
    here = Path(__file__).parent
    code = f"import sys; sys.path.insert(0, {str(here)!r}); import compare; compare.load({name!r})(['It', 'works'])"

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return statistics.median(once() for _ in range(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with ewt/ in it (default: EXEGESIS_DATA)")
    parser.add_argument("taggers", nargs="+", help="bundled, exegesis:FOLDER, spacy:FOLDER or hanta")
    args = parser.parse_args()
    for name in args.taggers:
        row = {**measure(name, args.data), "start s": round(start_seconds(name), 2)}
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
