"""How far do methods agree? Every method with signed scores that a model can serve, and their rank correlations.

pip install exegesis
python examples/compare_methods.py ["A text of your own."] [figure.svg]
"""

import sys
from itertools import combinations

import exegesis


def main() -> None:
    text = sys.argv[1] if len(sys.argv) > 1 else "The fight scenes are fun but it grows tedious"
    model = exegesis.load()
    every = [exegesis.explain(model, text, card.name, target="negative") for card in exegesis.methods(model)]
    results = [result for result in every if result.details.get("signed", True)]  # sizes speak for nothing
    width = max(len(result.name) for result in results)
    print(f"{'':{width}}  " + "  ".join(f"{word:>5}" for word in results[0].words))
    for result in results:
        cells = zip(result.words, result.scores.tolist(), strict=True)
        print(f"{result.name:{width}}  " + "  ".join(f"{score:+{max(5, len(word))}.2f}" for word, score in cells))

    print("\nrank correlation of the scores, share of the three strongest words in common")
    for first, second in combinations(results, 2):
        agree = first.compare(second)
        print(f"  {first.name:{width}}  {second.name:{width}}  {agree.spearman:+.2f}  {agree.top:.0%}")

    least = min(combinations(results, 2), key=lambda pair: pair[0].compare(pair[1]).spearman)
    print("\nthe two that agree least:")
    print(exegesis.comparison(least[0].compare(least[1]), names=(least[0].name, least[1].name)))
    if len(sys.argv) > 2:
        print(f"wrote {exegesis.save(results, sys.argv[2])}")


if __name__ == "__main__":
    main()
