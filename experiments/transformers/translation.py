r"""English to German: a small encoder-decoder trained on Multi30k, and whether its words are traced to their sources.

    python experiments/transformers/translation.py --data DATA/multi30k --out FOLDER [--epochs 5] [--sentences 40]

A BART of two layers on each side, 128 wide, with a vocabulary of the 4,000 most frequent words of both languages, is
trained by the Trainer of transformers on the captions of at most twelve words, from random weights, and kept in
FOLDER/model. ``translation.json`` has BLEU of its greedy translations of such captions of the test (sacrebleu, the
captions' own tokens), and how often the source word of largest score, for a word of the model's own translation, is the
one that a dictionary names: IBM model 1 (Brown et al. 1993) on all training captions, ten rounds, with an empty word,
in both directions. A word counts if each of the two is the other's most probable, and the source word stands there
once. Beside the methods stand cross-attention (the mean of the last layer's heads), the source word at the same
relative place, and a drawn one. Each caption is saved as it is done, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from shares import about, mean
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import exegesis
from exegesis.models.huggingface.finetuning import latest

METHODS = ("lrp", "integrated-gradients:points=16:limit=16", "gradient-x-input", "leave-one-out")
ATTENTION, PLACE, RANDOM = "cross-attention", "same place", "random"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
VOCABULARY, WIDTH, LAYERS, BATCH, RATE, SEED = 4000, 128, 2, 64, 1.5e-3, 0
ROUNDS, LONGEST, MOST = 10, 12, 20  # of the dictionary; words of a caption and of a translation


def captions(folder: Path, split: str) -> list[tuple[list[str], list[str]]]:
    """All English and German captions as lists of words."""
    sides = [(folder / f"{split}.{side}").read_text("utf-8").splitlines() for side in ("en", "de")]
    return [(english.split(), german.split()) for english, german in zip(*sides, strict=True)]


def short(rows: Sequence[tuple[list[str], list[str]]]) -> list[tuple[list[str], list[str]]]:
    return [row for row in rows if max(map(len, row)) <= LONGEST]


def tokenizer_of(rows: Sequence[tuple[list[str], list[str]]]) -> Any:
    """A tokenizer of whole words, the most frequent of both languages."""
    counts = Counter(word for row in rows for side in row for word in side)
    words = [*SPECIAL, *(word for word, _ in counts.most_common(VOCABULARY - len(SPECIAL)))]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def trained(rows: Sequence[tuple[list[str], list[str]]], folder: Path, epochs: int) -> None:
    """Train the model, and save it with its tokenizer."""
    transformers.set_seed(SEED)
    tokenizer = tokenizer_of(rows)
    config = transformers.BartConfig(
        vocab_size=len(tokenizer), d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=3 * WIDTH, decoder_ffn_dim=3 * WIDTH,
        max_position_embeddings=64, init_std=0.05, scale_embedding=True, dropout=0.1, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    data = [
        {"input_ids": tokenizer(" ".join(one))["input_ids"], "labels": tokenizer(" ".join(two))["input_ids"]}
        for one, two in rows
    ]
    module, state = transformers.BartForConditionalGeneration(config), folder.with_name(folder.name + ".state")
    arguments = transformers.TrainingArguments(
        output_dir=str(state),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        warmup_steps=100,
        seed=SEED,
        use_cpu=True,
        save_strategy="epoch",
        save_total_limit=1,
        logging_steps=100,
        report_to=[],
        disable_tqdm=True,
        train_sampling_strategy="group_by_length",
    )
    trainer = transformers.Trainer(
        model=module,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorForSeq2Seq(tokenizer, model=module),
    )
    trainer.train(resume_from_checkpoint=latest(state))
    trainer.save_model(str(folder))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    (folder / "training.json").write_text(json.dumps({"epochs": epochs, "losses": losses}))


class Dictionary:
    """t(word of the second language | word of the first) by IBM model 1, with an empty word in the first."""

    def __init__(self, rows: Sequence[tuple[list[str], list[str]]]) -> None:
        words: list[dict[str, int]] = [{}, {}]
        numbers = [[[side.setdefault(w, len(side)) for w in row[n]] for row in rows] for n, side in enumerate(words)]
        self.first, self.second = words
        empty, wide = len(self.first), len(self.second)
        pairs: list[int] = []
        owners: list[int] = []
        givens: list[int] = []
        count = 0
        for source, answer in zip(*numbers, strict=True):
            own = [*source, empty]
            pairs += [one * wide + two for two in answer for one in own]
            owners += [n for n in range(count, count + len(answer)) for _ in own]
            givens += own * len(answer)
            count += len(answer)
        keys, place = np.unique(np.array(pairs), return_inverse=True)
        owner, given, chance = np.array(owners), np.array(givens), np.full(len(keys), 1 / wide)
        for _ in range(ROUNDS):
            shares = chance[place]
            shares /= np.bincount(owner, shares)[owner]
            chance = np.bincount(place, shares) / np.bincount(given, shares)[keys // wide]
        self.chances = dict(zip(keys.tolist(), chance.tolist(), strict=True))

    def best(self, source: Sequence[str], word: str) -> int | None:
        """The number of the most probable source word of a word; None for the empty word and an unknown one."""
        numbers = [self.first.get(one, -1) for one in source] + [len(self.first)]
        at = self.second.get(word)
        told = [-1.0 if at is None else self.chances.get(n * len(self.second) + at, -1.0) for n in numbers]
        best = int(np.argmax(told))
        return best if best < len(source) and told[best] > 0 else None


def aligned(forward: Dictionary, backward: Dictionary, source: list[str], answer: list[str]) -> dict[int, int]:
    """The words of an answer whose source word both dictionaries name, with its number."""
    found = {}
    for number, word in enumerate(answer):
        place = forward.best(source, word)
        if place is None or source.count(source[place]) > 1 or answer.count(word) > 1:
            continue
        if backward.best(answer, source[place]) == number:
            found[number] = place
    return found


def translated(module: Any, tokenizer: Any, sources: Sequence[Sequence[str]]) -> list[list[str]]:
    """Greedy translations as lists of words."""
    found: list[list[str]] = []
    for start in range(0, len(sources), 100):
        batch = tokenizer([" ".join(one) for one in sources[start : start + 100]], padding=True, return_tensors="pt")
        with torch.no_grad():
            ids = module.generate(**batch, max_new_tokens=MOST, num_beams=1, do_sample=False)
        found += [text.split() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
    return found


def traced(model: Any, looking: Any, source: list[str], answer: list[str], aligned: dict[int, int]) -> dict[str, Any]:
    """For each way, the words of an answer whose top source word is the aligned one."""
    told: dict[str, Any] = {"words": len(aligned), "answer": len(answer), "seconds": {}}
    tops: dict[str, list[int]] = {}
    for method in METHODS:
        start = time.process_time()
        found = exegesis.generation(model, " ".join(source), " ".join(answer), method=method, number="logit")
        told["seconds"][method] = time.process_time() - start
        assert found.values.shape[0] == len(answer)
        tops[method] = found.values[:, : len(source)].argmax(1).tolist()
    ids = [model.tokenizer(" ".join(side), return_tensors="pt")["input_ids"] for side in (source, answer)]
    with torch.no_grad():
        seen = looking(ids[0], labels=ids[1], output_attentions=True).cross_attentions[-1][0].mean(0)
    tops[ATTENTION] = seen[: len(answer), : len(source)].argmax(1).tolist()
    tops[PLACE] = [round(n * (len(source) - 1) / max(1, len(answer) - 1)) for n in range(len(answer))]
    told |= {name: sum(found[n] == place for n, place in aligned.items()) for name, found in tops.items()}
    return {**told, RANDOM: len(aligned) / len(source)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    every = captions(options.data, "train")
    rows, test = short(every), short(captions(options.data, "test_2016_flickr"))
    folder, kept = options.out / "model", options.out / "test.json"
    if not folder.exists():
        trained(rows, folder, options.epochs)
    model = exegesis.load(folder, task="text2text-generation")
    if not kept.exists():
        kept.write_text(json.dumps(translated(model.module, model.tokenizer, [source for source, _ in test])))
    answers = json.loads(kept.read_text())
    import sacrebleu

    bleu = sacrebleu.corpus_bleu(
        [" ".join(one) for one in answers], [[" ".join(gold) for _, gold in test]], tokenize="none", force=True
    )
    training = json.loads((folder / "training.json").read_text())
    facts = {
        **about(seed=SEED),
        "training captions": len(rows),
        "epochs": training["epochs"],
        "last loss": training["losses"][-1],
        "bleu": round(bleu.score, 2),
        "of": len(test),
    }
    print(json.dumps(facts), flush=True)
    looking = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    forward, backward = Dictionary(every), Dictionary([(german, english) for english, german in every])
    known, found = set(model.tokenizer.get_vocab()), []
    for number in np.random.default_rng(SEED).permutation(len(test)).tolist():
        (source, _), answer = test[number], answers[number]
        sure = aligned(forward, backward, source, answer)
        if not sure or "<unk>" in answer or not {*source, *answer} <= known:
            continue
        file = options.out / f"caption {number}.json"
        if not file.exists():
            file.write_text(json.dumps(traced(model, looking, source, answer, sure)))
        found.append(json.loads(file.read_text()))
        told = {
            **facts,
            "captions": len(found),
            "words of the translations": sum(row["answer"] for row in found),
            "aligned words": sum(row["words"] for row in found),
            "top source word is the aligned one": {
                name: mean([row[name] / row["words"] for row in found]) for name in (*METHODS, ATTENTION, PLACE, RANDOM)
            },
            "seconds a caption": {m: round(float(np.median([row["seconds"][m] for row in found])), 3) for m in METHODS},
        }
        (options.out / "translation.json").write_text(json.dumps(told, indent=1) + "\n")
        if len(found) == options.sentences:
            break


if __name__ == "__main__":
    main()
