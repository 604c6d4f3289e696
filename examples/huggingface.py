"""Explain a Hugging Face classifier, given by its name on the hub or by its folder.

pip install 'exegesis[transformers]'
python examples/huggingface.py distilbert/distilbert-base-uncased-finetuned-sst-2-english
python examples/huggingface.py path/to/folder "A text of your own." --method leave-one-out
python examples/huggingface.py path/to/nli-model "A man sleeps." --second "A man is awake."
"""

import argparse

import exegesis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a name on the hub, or a folder with config.json and model.safetensors")
    parser.add_argument("text", nargs="?", default="It isn't the fight scenes: the plot is what grows tedious.")
    parser.add_argument("--second", help="the second text, for a model of pairs")
    parser.add_argument("--method", default="integrated-gradients")
    parser.add_argument("--target", help="a label, its number, probability:LABEL, margin:A,B (default: the prediction)")
    given = parser.parse_args()

    model = exegesis.load(given.model, truncate=True)
    text = (given.text, given.second) if given.second else given.text
    result = exegesis.explain(model, text, method=given.method, target=given.target)
    print(f"{model.name} says {result.prediction.label}; {result.name} of {result.target} = {result.explained:.4f}")
    for word, score in zip(result.words, result.scores.tolist(), strict=True):
        print(f"  {score:+.4f}  {word}")
    print(f"  {result.residual:+.4f}  (on no word)")


if __name__ == "__main__":
    main()
