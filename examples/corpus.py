"""Which words does a model lean on, over a whole file? A TSV in, JSON lines out, then the words of largest mean score.

pip install 'exegesis[pandas]'
python examples/corpus.py reviews.tsv results.jsonl [--text COLUMN] [--model MODEL]
"""

import argparse

import pandas as pd

import exegesis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a .tsv, .csv, .jsonl or .txt file")
    parser.add_argument("out", help="where to write the results (.jsonl)")
    parser.add_argument("--text", help="the column of the text")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--least", type=int, default=2, help="leave out words of fewer occurrences")
    given = parser.parse_args()

    texts = [example.text for example in exegesis.read_examples(given.file, text=given.text)]
    model = exegesis.load(given.model)
    # each class of each text, so that scores of different texts speak of the same number
    results = exegesis.explain(model, texts, target=model.labels[-1], progress=True)
    exegesis.save(results, given.out)

    table = pd.concat([result.to_pandas() for result in exegesis.read(given.out)], ignore_index=True)
    words = table[table["level"] == "word"].assign(word=lambda rows: rows["text"].str.lower())
    means = words.groupby("word")["score"].agg(["count", "mean"]).query("count >= @given.least")
    print(f"{len(texts)} texts, {len(words)} words; mean score for {results[0].target}")
    print(means.sort_values("mean", ascending=False).head(8).to_string(float_format="%+.2f"))
    print(means.sort_values("mean").head(8).to_string(float_format="%+.2f"))


if __name__ == "__main__":
    main()
