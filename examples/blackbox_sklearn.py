"""Explain a scikit-learn pipeline: TF-IDF and logistic regression, which Exegesis sees only as a function.

pip install exegesis scikit-learn
python examples/blackbox_sklearn.py
"""

import exegesis

try:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
except ImportError:
    raise SystemExit("this example needs scikit-learn: pip install scikit-learn") from None

ROOMS = {
    "positive": [
        "a clean room and a friendly welcome",
        "friendly staff, a quiet street and a comfortable bed",
        "the breakfast was fresh and the view was lovely",
        "lovely garden, helpful staff, comfortable and clean",
        "quiet at night, fresh towels every day",
        "helpful at the desk and a lovely breakfast",
        "not expensive, and very comfortable",
        "we slept well in the quiet room",
    ],
    "negative": [
        "a dirty room and a rude welcome",
        "rude staff, a noisy street and a broken bed",
        "the breakfast was cold and the view was a wall",
        "broken lamp, rude at the desk, cold and dirty",
        "noisy at night, dirty towels every day",
        "expensive, and the shower was broken",
        "not clean, and very noisy",
        "we slept badly in the cold room",
    ],
}


def train():
    """The pipeline, with one and two words as features."""
    texts = [text for group in ROOMS.values() for text in group]
    labels = [label for label, group in ROOMS.items() for _ in group]
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10))
    return pipeline.fit(texts, labels)


def main() -> None:
    pipeline = train()
    model = exegesis.blackbox(pipeline.predict_proba, labels=list(pipeline.classes_), name="hotel reviews")
    text = "Friendly staff and a lovely view, but the bed was broken and the night noisy."
    for method in ("leave-one-out", "lime"):
        result = exegesis.explain(model, text, method=method, target="negative")
        print(f"{result.name}: {result.target} is {result.explained:.3f}")
        for word in result.top(5):
            print(f"  {word.score:+.3f}  {word.text}")


if __name__ == "__main__":
    main()
