r"""Question answering: an encoder fine-tuned on a part of XQuAD, and whether explanations name what answers rest on.

    python experiments/transformers/answers.py --encoder ENCODER --data DATA/xquad --out FOLDER [--questions 40]

XQuAD has 1,190 English questions about 48 articles, and no training part: the questions of 38 drawn articles are for
training, those of the other ten for the test. A context is the sentence of the answer with those around it, up to 50
words, the answer at a drawn place. The encoder is fine-tuned by the Trainer of transformers and kept in FOLDER/model.
``answers.json`` has exact matches and F1 as SQuAD counts them (without articles, punctuation and case), then, of test
questions whose answer matches exactly and stands only once in its context, what each method's scores for the answer
(the sum of its two logits) are worth. The answer's own words are set aside; of the others

``sentence``: the share of the five top words of the context in the sentence of the answer, beside that of all words;
``fall``: how far the number falls if the five top words of question and context are masked;
``changed``: how often the model then answers otherwise.

Random words are drawn three times for each question. Each question is saved as it is done, the same command goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import string
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from shares import about, mean, share

import exegesis
from exegesis.models.huggingface.finetuning import latest

METHODS = (
    "lrp",
    "lrp:attention=constant",
    "integrated-gradients:points=16:limit=16",
    "gradient-x-input",
    "attention-relevance",
    "leave-one-out",
)
RANDOM, DRAWS = "random", 3
TESTED, WORDS, TOP, SEED = 10, 50, 5, 0  # articles of the test, words of a context, words that are looked at
EPOCHS, BATCH, RATE = 2, 8, 1.5e-4
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class Question(NamedTuple):
    """A question, its context, the answer, and where the answer and its sentence stand in the context."""

    text: str
    context: str
    answer: str
    start: int
    sentence: tuple[int, int]


def questions(file: Path) -> tuple[list[Question], list[Question]]:
    """The questions for training and for the test."""
    articles = json.loads(file.read_text("utf-8"))["data"]
    draws = np.random.default_rng(SEED)
    tested = set(draws.permutation(len(articles))[:TESTED].tolist())
    parts: tuple[list[Question], list[Question]] = [], []
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answer = asked["answers"][0]
                found = cut(paragraph["context"], answer["text"], answer["answer_start"], asked["question"], draws)
                if found is not None:
                    parts[number in tested].append(found)
    return parts


def cut(context: str, answer: str, start: int, question: str, draws: np.random.Generator) -> Question | None:
    """A question with the sentences around its answer; None if the answer goes over the end of its sentence."""
    borders = [0, *(match.end() for match in _SENTENCE.finditer(context)), len(context)]
    spans = list(itertools.pairwise(borders))
    own = next(n for n, (_, stop) in enumerate(spans) if start < stop)
    if context[start : start + len(answer)] != answer or start + len(answer) > spans[own][1]:
        return None
    first = last = own
    while True:
        sides = [side for side in (-1, 1) if 0 <= (first - 1 if side < 0 else last + 1) < len(spans)]
        if not sides:
            break
        side = sides[int(draws.integers(len(sides)))]
        wider = (first - 1, last) if side < 0 else (first, last + 1)
        if len(context[spans[wider[0]][0] : spans[wider[1]][1]].split()) > WORDS:
            break
        first, last = wider
    at = spans[first][0]
    kept = context[at : spans[last][1]].rstrip()
    return Question(question, kept, answer, start - at, (spans[own][0] - at, spans[own][1] - at))


def trained(encoder: str, rows: Sequence[Question], folder: Path) -> None:
    """Fine-tune the encoder, and save it with its tokenizer."""
    transformers.set_seed(SEED)
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    module = transformers.AutoModelForQuestionAnswering.from_pretrained(encoder)
    data = [features(tokenizer, row) for row in rows]
    state = folder.with_name(folder.name + ".state")
    arguments = transformers.TrainingArguments(
        output_dir=str(state),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        warmup_steps=EPOCHS * len(data) // BATCH // 10,
        seed=SEED,
        use_cpu=True,
        save_strategy="epoch",
        save_total_limit=1,
        logging_strategy="epoch",
        report_to=[],
        disable_tqdm=True,
        train_sampling_strategy="group_by_length",
    )
    trainer = transformers.Trainer(
        model=module,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
    )
    trainer.train(resume_from_checkpoint=latest(state))
    trainer.save_model(str(folder))


def features(tokenizer: Any, row: Question) -> dict[str, Any]:
    """The ids of a question and its context, with the first and the last piece of the answer."""
    read = tokenizer(row.text, row.context)
    first, last = (read.char_to_token(row.start + at, sequence_index=1) for at in (0, len(row.answer) - 1))
    return {**read, "start_positions": first, "end_positions": last}


def plain(answer: str) -> list[str]:
    """The words of an answer as SQuAD compares them."""
    bare = "".join(sign for sign in answer.lower() if sign not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def f1(told: str, gold: str) -> float:
    first, second = plain(told), plain(gold)
    common = sum((Counter(first) & Counter(second)).values())
    return 2 * common / (len(first) + len(second)) if common else float(first == second)


def answered(model: Any, question: str, context: str) -> tuple[str, Any]:
    """The model's answer, and the text with its places."""
    text = model.read((question, context))
    first, last = (place.start for place in text.places)
    return text.raw[text.offsets[first][0] : text.offsets[last][1]], text


def masked(row: Question, words: Sequence[tuple[int, int]], mask: str) -> tuple[str, str]:
    """Question and context with a mask in place of words, given as characters of both one after the other."""
    raw = f"{row.text}\n{row.context}"
    border = len(row.text) + 1
    for start, stop in sorted(words, reverse=True):
        raw = raw[:start] + mask + raw[stop:]
        border += (len(mask) - (stop - start)) * (stop < border)
    return raw[: border - 1], raw[border:]


def explained(model: Any, row: Question, seed: int) -> dict[str, Any]:
    """What the scores of each method are worth for one question."""
    text = model.read((row.text, row.context))
    border, mask = len(row.text) + 1, str(model.tokenizer.mask_token)
    assert text.raw[border:] == row.context
    places = [text.characters(word) for word in text.words]
    begin, end = border + row.start, border + row.start + len(row.answer)
    others = [n for n, (start, stop) in enumerate(places) if stop <= begin or end <= start]
    inside = {n for n in others if row.sentence[0] <= places[n][0] - border < row.sentence[1]}
    within = {n for n in others if places[n][0] >= border}
    fixed, draws = model.answering(row.answer), np.random.default_rng((SEED, seed))
    whole = exegesis.predict(fixed, [(row.text, row.context)])[0]["answer"]
    told: dict[str, Any] = {RANDOM: [], "seconds": {}}

    def worth(order: Sequence[int]) -> dict[str, float]:
        of_context = [n for n in order if n in within][:TOP]
        without = masked(row, [places[n] for n in order[:TOP]], mask)
        return {
            "sentence": float(np.mean([n in inside for n in of_context])),
            "fall": whole - exegesis.predict(fixed, [without])[0]["answer"],
            "changed": float(plain(answered(model, *without)[0]) != plain(row.answer)),
        }

    for method in METHODS:
        start = time.process_time()
        found = exegesis.explain(fixed, (row.text, row.context), method, target="answer")
        told["seconds"][method] = time.process_time() - start
        scores = found.at("word").scores
        told[method] = worth(sorted(others, key=lambda n: -scores[n]))
    several = [worth(draws.permutation(others).tolist()) for _ in range(DRAWS)]
    told[RANDOM] = {key: float(np.mean([one[key] for one in several])) for key in several[0]}
    told["words in the sentence"] = len(inside) / len(within)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    training, test = questions(options.data / "xquad.en.json")
    folder = options.out / "model"
    if not folder.exists():
        trained(options.encoder, training, folder)
    model = exegesis.load(folder)
    answers = [answered(model, row.text, row.context)[0] for row in test]
    exact = [plain(told) == plain(row.answer) for told, row in zip(answers, test, strict=True)]
    facts = {
        **about(seed=SEED),
        "training questions": len(training),
        "exact match": share(sum(exact), len(test)),
        "f1": mean([f1(told, row.answer) for told, row in zip(answers, test, strict=True)]),
    }
    print(json.dumps(facts), flush=True)
    chosen = [row for row, right in zip(test, exact, strict=True) if right and row.context.count(row.answer) == 1]
    order = np.random.default_rng(SEED).permutation(len(chosen))[: options.questions]
    rows = []
    for number in order.tolist():
        file = options.out / f"question {number}.json"
        if not file.exists():
            file.write_text(json.dumps(explained(model, chosen[number], number)))
        rows.append(json.loads(file.read_text()))
        worths = {
            name: {key: mean([row[name][key] for row in rows]) for key in ("sentence", "fall", "changed")}
            for name in (*METHODS, RANDOM)
        }
        told = {
            **facts,
            "explained": len(rows),
            "top words": TOP,
            "words in the sentence": mean([row["words in the sentence"] for row in rows]),
            "methods": worths,
            "seconds a question": {m: round(float(np.median([row["seconds"][m] for row in rows])), 3) for m in METHODS},
        }
        (options.out / "answers.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
