"""Every option of every command, run; and what single options once did wrong."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from exegesis.cli import command_line
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.folder import TrainedClassifier, save_folder

COMMANDS = """
predict --file t.tsv --column text --delimiter tab --limit 2 --encoding utf-8 --device cpu --json
predict -m pairs --file p.tsv --column premise --pair-column hypothesis TASK --skip-blank
predict -m pairs "Two dogs run." --pair "Dogs move." --windows 8
methods --for bundled --json
methods lime
generate "a fine film" -m writer --continuation " and more" --unit piece --number logit -M smoothgrad -p samples=2 -q
generate "a fine film" -m writer --continuation " and more" --contrast " good" --at 0 --json out.json --html out.html
generate "a film" -m writer --chat --most-pieces 3 --device cpu --numbers --figure out.svg --palette blue-orange --color
generate "a film" -m writer --sources s.txt --continuation " good" -p samples=8
generate "a film" -m writer --continuation " good" --truncate --task text-generation --no-color --csv out.csv
explain -f t.tsv --encoding utf-8 --column 1 --limit 2 --skip-blank --json out.jsonl --html out.html --figure out.svg
explain -f t.tsv --label 2 --delimiter tab --json out.jsonl --resume --csv out.csv
explain "a fine film" -m bundled -M lime -p samples=20 -t positive -l all --trust --device cpu TASK -n --no-color
explain "a fine film" -m bundled --hierarchy acd --palette blue-orange --color
explain "a fine film" -m bundled --interactions removal -q --figure out.png
explain "a fine film" -m bundled --relevance --html out.html --most 100
explain "a fine film" -m bundled --rationale -M leave-one-out --share 0.4 --contiguous --html out.html --json out.json
explain "a fine film" -m bundled --gates --figure out.svg
explain "a fine film" -m bundled --inside information --layers pooled --reference t.tsv -p pairs=2 -p most=2
explain "a fine film" -m bundled --adversarial -p budget=2 -p steps=2
explain "a fine film" -m bundled --inside attributes --word fine --concepts words.txt --reading gaussian -p most=32
explain -m pairs "Two dogs run." --pair "Dogs move." --attention attention-saliency -p form=signed --lines
explain "a fine film" -m bundled -M best --recommendation best.json
explain -m pairs "Two dogs run." --pair "Dogs move." -M leave-one-out
explain -m pairs -f p.tsv --column premise --pair-column hypothesis -M leave-one-out
evaluate --data t.tsv --encoding utf-8 --column text --limit 3 --skip-blank -M lime -p samples=20 --measures deletion
evaluate "a fine film" "a dull film" --how pad -t positive --seed 2 --device cpu TASK --measures deletion -q
evaluate "a fine film" "a dull film" --marks marks.jsonl --words plus.txt,minus.txt,positive --json out.json
evaluate "a fine film" "a dull film" --explanations own.jsonl --measures deletion --report out.html
evaluate "a fine film" "a dull film" -M best --recommendation best.json --measures deletion
evaluate "a fine film" "a dull film" --measures deletion --sanity --other bundled --sensitivity
evaluate "a fine film" "a dull film" --measures deletion --sanity --train three.tsv -m small
evaluate -m pairs "Two dogs run." --pair "Dogs move." -M leave-one-out --measures deletion
evaluate -f t.tsv --delimiter tab -M lrp --measures deletion
evaluate -m pairs -f p.tsv --column premise --pair-column hypothesis -M leave-one-out --measures deletion
compare "a fine film" -m bundled -M reat,lime -p samples=20 --measures deletion --how pad --seed 2 --target positive
compare "a fine film" -M best,lrp --recommendation best.json --measures deletion --json out.json --report out.html
compare "a fine film" -M lrp --measures deletion -n --palette blue-orange --color --device cpu TASK
compare "Two dogs run." --no-color --pair "Dogs move." -m pairs -M leave-one-out --measures deletion
recommend -f t.tsv --encoding utf-8 --column 1 --limit 3 --skip-blank -M reat,lime -p samples=20 --out out.json
recommend "a fine film" "a dull film" -M reat --measures deletion --how pad -t positive --seed 2 -q TASK
recommend "a fine film" "a dull film" -M reat --measures deletion --budget 9000 --device cpu
recommend -m pairs "Two dogs run." --pair "Dogs move." -M leave-one-out --measures deletion
recommend -f t.tsv --delimiter tab -M lrp --measures deletion
recommend -m pairs -f p.tsv --column premise --pair-column hypothesis -M leave-one-out --measures deletion
train folder --out model --arch bilstm --layers 2 --embedding 4 --hidden 4 --readout mean --epochs 2 --seed 1 --half
train t.tsv -o model --text text --label label --header --dev t.tsv --test t.tsv --extra t.tsv --names bad,good TINY
train n.tsv -o model --no-header --neutral 2 --vectors v.txt --freeze --min-count 1 --cased --about about.md TINY
train t.tsv -o model --encoding ascii --patience 1 TINY
train t.tsv -o model --dropout 0.1 --embedding-dropout 0.1 --word-dropout 0.1 --lr 0.01 --batch 2 TINY
train t.tsv -o model --clip 0.5 --weight-decay 0.1 --label-smoothing 0.1 --average 0.5 --device cpu --resume -q TINY
train t.tsv -o model --arch transformer --heads 2 --feedforward 4 --layers 1 --embedding 4 --epochs 1 --readout first
train t.tsv -o model --arch cnn --kernels 1,3 TINY
train t.tsv -o model --adversarial 1 --adversary words TINY
train t.tsv -o model --readout structured --hops 2 --attention-penalty 0.5 TINY
train t.tsv -o model --arch rationale --selector lei:samples=1 --encoder cnn --marks marks.jsonl --supervision 2 TINY
train t.tsv -o model --arch rationale --selector lei:samples=1 --rehearsal 0.5 TINY
train t.tsv -o model --arch rationale --selector bottleneck --unit sentence --cold TINY
train folder -o model --arch rationale --selector fresh:method=gradient --support bundled TINY
train p.tsv -o model --arch rationale --selector matching --text premise --pair hypothesis --dev p.tsv TINY
train t.tsv -o model --readout spans --span 2 --attention-penalty 0.5 TINY
train p.tsv -o model --readout aspect --text premise --pair hypothesis --dev p.tsv TINY
train p.tsv -o model --arch esim --text premise --pair hypothesis --dev p.tsv TINY
train t.tsv -o small --overwrite --keep kept --information layers.json TINY
train t.tsv -o model --turn-over TINY
train t.tsv -o model --arch encoder-decoder --layers 2 TINY
train t.tsv -o model --arch landmarks --kernel rbf --landmarks 2 TINY
index t.tsv -o indexed --column text --label label --layers pooled --gradients 4 --weights output --seed 1 -m bundled
index p.tsv --out indexed -m pairs --column premise --pair-column hypothesis -q --device cpu TASK ENC
index t.tsv -o indexed --column text --label label --windows 8 -q
train t.tsv -o model --arch concepts --form conrat --concepts 2 --excerpt-share 0.2 --consistency 0.5 TINY
train t.tsv -o through --arch concepts --concepts 2 --longest 2 --overwrite TINY
rename through 1=praise
rename through
explain "a fine film" -m through --html out.html
study excerpts t.tsv -m through --column text --label label --limit 4 --most 2 --seed 1 --json out.json --color
study excerpts folder --split test -m through --report out.html --figure out.svg --no-color -q --device cpu TASK
study excerpts t.tsv -m through --palette blue-orange ENC
influence "a fine film" --train t.tsv -m bundled -p iterations=2 --top 1 --words --word fine --saliency l2
influence -f t.tsv --column text --encoding utf-8 --limit 2 --skip-blank --train folder -M nearest --json o.jsonl -q
influence -f t.tsv --column text --delimiter tab --train t.tsv -M nearest --csv out.csv -q
influence "a fine film" --train t.tsv --train-column text --label label -m small -M tracin -p checkpoints=small --color
influence "a film" --train t.tsv -M nearest -t 1 --device cpu TASK --html out.html --palette blue-orange
influence "a film" --train t.tsv -M nearest --figure out.svg -n --no-color --train-encoding utf-8
influence -m pairs "Two dogs run." --pair "Dogs move." --train p.tsv --train-column premise PAIRS
influence -m pairs -f p.tsv --column premise --pair-column hypothesis --train p.tsv --train-column premise PAIRS
run t.tsv --store kept --column text --label label --limit 4 -m bundled -M lime -p samples=20 -t positive -l all
run folder --split test --store kept --most 1000 --unit 2 --retry --estimate --device cpu TASK
run t.tsv --store kept --limit 2 -m bundled -M gradient --measures deletion --influence nearest --train t.tsv --top 1
corpus store --by label --level word --words film,fine --methods leave-one-out --most 2 --minimum 1 --json out.json
corpus store --against store --html out.html --figure out.svg --palette blue-orange --color
corpus store --no-color --json out.json -q
run p.tsv --store kept -m pairs --column premise --pair-column hypothesis -M leave-one-out --processes 1 -q
run t.tsv --store kept --engine local --gpus 0 -q ENC
report --data t.tsv --column text --label label --limit 4 --train t.tsv --words plus.txt -M lrp SMALLER --seed 1 --color
report --data t.tsv --limit 3 -M lrp SMALLER -q --card card.md --license mit --language en,de --about about.md
report --data folder --split test -m bundled -M lrp SMALLER --device cpu TASK -q --no-color --palette blue-orange ENC
report --data p.tsv --column premise --pair-column hypothesis -m pairs -M leave-one-out SMALLER -q
attention-test --data p.tsv --column premise --pair-column hypothesis -m pairs --attention 1 --searched 1 --limit 2 TASK
attention-test --data t.tsv -m attends --limit 2 --searched 0 --train t.tsv --seeds 1 --epochs 1 -q --windows 8
attention-test --data folder --split test -m pairs --limit 2 --searched 0 --seed 1 --device cpu --json out.json -q
attention-test --data t.tsv --column text -m pairs --limit 2 --searched 0 --report out.html --figure out.svg --color
attention-test --data t.tsv -m pairs --limit 2 --searched 0 --no-color --palette blue-orange ENC
nli "Two dogs run." "Dogs move." -m pairs -t neutral --device cpu --html out.html --figure out.svg -n --no-color
nli "Two dogs run." "Dogs move." -m pairs -q --lines --palette blue-orange --color
study words t.tsv --column text --limit 3 -m bundled -M reat -t positive --tags penn --seed 1 --json out.json
study words folder --split test -M lime -p samples=20 --report out.html --figure out.svg --palette blue-orange --color
study words t.tsv -M best --recommendation best.json --device cpu TASK -q --no-color ENC
study words p.tsv -m pairs --pair-column hypothesis --column premise -M leave-one-out
study word t.tsv film fine --column text --label label --limit 4 -m bundled -M reat -t positive --contexts 1 --seed 1
study word folder film --split test -M lime -p samples=20 --json out.json --report out.html --figure out.svg --color
study word t.tsv film -M best --recommendation best.json --device cpu TASK -q --no-color --palette blue-orange ENC
study word p.tsv dogs -m pairs --pair-column hypothesis --column premise -M leave-one-out
study summary t.tsv --train t.tsv --column text --label label --limit 4 -m bundled -M reat --most 2 --minimum 1 --seed 1
study summary folder --split test -M lime -p samples=20 --json out.json --report out.html --figure out.svg --color
study summary t.tsv -M best --recommendation best.json --device cpu TASK -q --no-color --palette blue-orange ENC
study summary p.tsv -m pairs --pair-column hypothesis --column premise -M leave-one-out
study failures t.tsv --train t.tsv --column text --label label --limit 4 -m bundled --most 2 --examples 1 --sources 1
study failures folder --split test -M lime -p samples=20 --json out.json --report out.html --figure out.svg --color
study failures t.tsv -M best --recommendation best.json --device cpu TASK -q --no-color --palette blue-orange ENC
study failures p.tsv -m pairs --pair-column hypothesis --column premise --label label -M leave-one-out
study substitute "a fine film" fine --data t.tsv --column text --label label --limit 3 --neighbours 2 --gold positive
study substitute "a fine film" --synonyms s.txt --language bundled --seed 1 -m bundled -M lime -p samples=20 --color
study substitute "a fine film" fine --data folder --split test --vectors v.txt --neighbours 1 --json out.json ENC
study substitute "a fine film" fine --synonyms s.txt --report out.html --figure out.svg --palette blue-orange
study substitute "a fine film" --synonyms s.txt -M best --recommendation best.json --device cpu TASK -q --no-color
study probe u10.conllu --properties tag --layers pooled --probes linear --limit 12 -m small -p minimum=2
study probe u10.conllu --properties tag --layers pooled --probes linear -p minimum=2 --seed 1 --report out.html -q TASK
study heads u.conllu -m pairs --limit 9 --minimum 2 --tried 1 --seed 1 --device cpu TASK --json out.json --color
study probe u10.conllu --properties tag --layers pooled --probes linear -p minimum=2 -m small --json out.json --color
study probe u10.conllu --properties tag --layers pooled --probes linear -p minimum=2 --palette blue-orange
study heads u.conllu -m pairs --minimum 2 --tried 0 --report out.html --figure out.svg --no-color -q
study probe u10.conllu --properties tag --layers pooled --probes linear -p minimum=2 --figure out.svg --no-color
study probe u10.conllu --properties tag --layers pooled --probes linear -p minimum=2 -m small --device cpu
study heads u.conllu -m pairs --minimum 2 --tried 0 --palette blue-orange --windows 8
study links negation.txt -m pairs --kind negation --limit 4 --seed 1 --device cpu TASK --json out.json --color
study links --kind reflexives -m pairs --limit 4 --report out.html --figure out.svg --no-color -q
study links negation.txt -m pairs --palette blue-orange --windows 8
study information t.tsv --column text --limit 2 -m bundled --layers pooled --beside small -p most=2 --json out.json
study information folder --split test --layers pooled -p most=2 --report out.html --figure out.svg --color -q TASK
study information t.tsv --limit 2 --layers pooled -p most=2 --no-color --palette blue-orange --device cpu ENC
study information p.tsv -m pairs --column premise --pair-column hypothesis --layers pooled -p most=2
study concepts t.tsv --column text --limit 5 --concepts w.txt --layers pooled -p sets=19 --json out.json --color
study concepts folder --split test --concepts w.txt --compared other.txt --sentences --report out.html -q TASK
study concepts t.tsv --concepts w.txt --target positive -m bundled --no-color --palette blue-orange --device cpu
study concepts p.tsv -m pairs --column premise --pair-column hypothesis --concepts w.txt ENTAIL
study concepts t.tsv --concepts w.txt --layers pooled --within -p sets=19 -p most=2 --figure out.svg ENC
study written w.tsv -m teller --limit 4 --most 2 --seed 1 --json out.json --color --device cpu
study written w.tsv -m teller --column text --label label --explanation explanation --report out.html -q --no-color
explain "a fine film" -m sayer --device cpu --json out.json --html out.html --csv out.csv
explain -f t.tsv --column text --limit 2 -m sayer --json out.jsonl --figure out.svg --palette blue-orange
study bridge "a fine film" --resource facts.tsv -m bundled -M leave-one-out --share 0.4 --most 1 --json out.json
study bridge -f t.tsv --column text --encoding utf-8 --limit 2 --skip-blank --resource facts.json -M leave-one-out -q
study bridge -f t.tsv --delimiter tab --resource facts.tsv -M leave-one-out --figure out.svg --report out.html --color
study bridge "a fine film" --resource facts.json -M leave-one-out --writer writes --device cpu TASK --no-color
study bridge "a fine film" --resource facts.json -M leave-one-out --palette blue-orange
study bridge "Two dogs run." --pair "Dogs move." -m pairs --resource facts.tsv -M leave-one-out
study bridge -f p.tsv --column premise --pair-column hypothesis -m pairs --resource facts.tsv -M leave-one-out
study written w.tsv -m teller --split test --pair-column text --figure out.svg --palette blue-orange
study repair t.tsv --swap film=movie --test x.tsv --dev t.tsv --column text --label label --most 2 --seeds 1 SMALL
study repair folder --swap fine=good --vectors v.txt --lr 0.01 --device cpu --seeds 1 --new new.tsv SMALL
study repair t.tsv --swap film=movie --json out.json --report out.html --color --palette blue-orange -q ENC
study repair folder --swap film=movie --no-color --seeds 2 --figure out.svg SMALL
study amend three.tsv --test three.tsv --count 1 --queries 2 --seeds 1 --column text --label label --color AMEND
study amend three.tsv --test three.tsv --pool three.tsv --dev three.tsv -M nearest -p k=2 --count 1 --seeds 1 MORE ENC
study calibrate t.tsv --test t.tsv --held t.tsv --column text --label label --seed 1 CALIBRATE
study calibrate t.tsv --test t.tsv --held t.tsv --neighbours 2 --layers pooled -q --no-color --device cpu TASK ENC
study mislabels t.tsv -m small --column text --label label --seeds 0 --most 2 --report out.html --json out.json --color
study mislabels three.tsv --test three.tsv --planted 0.1 --seeds 1 --lr 0.01 --device cpu --figure out.svg -q SMALL
study mislabels t.tsv --seeds 0 --vectors v.txt --no-color --palette blue-orange SMALL ENC
"""
LABELS = ("bad", "good", "so-so")
NOT_RUN = {
    ("study substitute", "--pair-column"),  # swaps are tried on single texts
    ("study excerpts", "--pair-column"),  # these models read single texts
    ("generate", "--windows"),  # refused: a language model has no number that windows share
    ("corpus", "--asked"),  # the hash of a question
    ("study calibrate", "--index"),  # a folder that exegesis index wrote
    ("train", "--tags"),  # needs accelerate, as the three below
    *(("train", option) for option in ("--order", "--explanation", "--split", "--part")),
}
SMALL = "--arch gru --embedding 4 --hidden 4 --epochs 1"
WRITING = ("--json", "--html", "--report", "--figure", "--out", "-o", "--new")


def given(line: str) -> list[str]:
    amend = f"--json a.json --report a.html --figure a.svg --palette blue-orange --lr 0.01 {SMALL}"
    line = (
        line.replace("SMALLER", "--measured 2 --checked 2 --out out.html")
        .replace("TINY", "--embedding 4 --hidden 4 --epochs 1")
        .replace("AMEND", amend)
        .replace("CALIBRATE", "-m bundled --json a.json --report a.html --figure a.svg --palette blue-orange --color")
        .replace("SMALL", SMALL)
    )
    line = line.replace("MORE", f"-q --no-color --device cpu --vectors v.txt {SMALL}")
    line = line.replace("PAIRS", "--train-pair hypothesis --label label -M nearest")
    line = line.replace("ENTAIL", "--target entailment --compared other.txt --layers pooled -p sets=19")
    line = line.replace("ENC", "--encoding utf-8")
    long = "--truncate" if "-m pairs" in line else "--truncate --windows 8"  # a Hugging Face model takes one of them
    return shlex.split(line.replace("TASK", f"{long} --task text-classification"))


LINES = [line for line in COMMANDS.splitlines() if line]


def writer(folder: Path) -> None:
    """A small model that writes text."""
    transformers = pytest.importorskip("transformers")
    from tests.support import hf_toys

    config = transformers.GPT2Config(vocab_size=330, n_embd=8, n_layer=1, n_head=1, n_positions=64, bos_token_id=0,
                                     eos_token_id=0)  # fmt: skip
    tokenizer = hf_toys.byte_bpe()
    tokenizer.chat_template = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}{% endfor %}<answer>"
    hf_toys._made(transformers.GPT2LMHeadModel, config).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, folder: Path, pairs: Path) -> Path:
    """A folder with all that the commands read."""
    here = tmp_path_factory.mktemp("every")
    rows = [
        ("a fine film", 1),
        ("a dull film", 0),
        ("a fine , warm film", 1),
        ("no film so dull as this film", 0),
        ("a good movie", 1),
    ]
    plain = "".join(f"{text}\t{label}\n" for text, label in rows)
    words = Vocabulary.from_texts([text for text, _ in rows])
    shape = RecurrentConfig(embedding=4, hidden=4, readout="attention", vocabulary=len(words), labels=("0", "1"))
    save_folder(here / "attends", TrainedClassifier(RecurrentClassifier(shape).eval(), words), "# A card\n")
    (here / "n.tsv").write_text(plain + "a film\t2\n")
    (here / "t.tsv").write_text("text\tlabel\n" + plain)
    (here / "folder").mkdir()
    for split in ("train", "dev", "test"):
        other = "".join(f"{split} {text}\t{label}\n" for text, label in rows)
        (here / "folder" / f"{split}.tsv").write_text(other)
    names = ("entailment", "neutral", "contradiction")
    rest = "".join(f"two dogs run {n}\tdogs move\t{name}\n" for n, name in enumerate(names))
    (here / "p.tsv").write_text("premise\thypothesis\tlabel\n" + rest)
    three = (
        f"a {word} film {n}\t{name}\n"
        for n in range(4)
        for word, name in zip(("bad", "fine", "so"), LABELS, strict=True)
    )
    (here / "x.tsv").write_text("text\tlabel\nthis film is fine\t1\nthis movie is dull\t0\n")
    (here / "three.tsv").write_text("text\tlabel\n" + "".join(three))
    (here / "v.txt").write_text("".join(f"{word} {n} 1 0 0.5\n" for n, word in enumerate(("fine", "film", "dull"))))
    (here / "s.txt").write_text("fine: good, dull\n")
    (here / "words.txt").write_text("good\nwarm\n")
    scope = "dogs\tO\nnever\tB_negcue\nrun\tB_neg\n\n"
    (here / "negation.txt").write_text(scope + scope.replace("dogs", "cats"))
    tree = "\n".join(f"{n}\t{w}\t_\t{t}\t_\t_\t{h}\t{r}\t_\t_" for n, w, t, h, r in (
        (1, "two", "NUM", 2, "nummod"), (2, "dogs", "NOUN", 3, "nsubj"), (3, "run", "VERB", 0, "root")))  # fmt: skip
    (here / "u10.conllu").write_text("".join(tree.replace("dogs", f"dogs{n}") + "\n\n" for n in range(12)))
    (here / "u.conllu").write_text("".join(tree.replace("dogs", f"dogs{n}") + "\n\n" for n in range(4)))
    (here / "plus.txt").write_text("fine\n")
    (here / "minus.txt").write_text("dull\n")
    (here / "w.txt").write_text("fine\nwarm\ngood\n")
    (here / "other.txt").write_text("film\nmovie\na\nthe\n")
    (here / "about.md").write_text("Ours.\n")
    said = [{"text": text, "words": text.split(), "scores": [0, 1, 0], "target": "positive",
             "marks": [False, True, False]} for text in ("a fine film", "a dull film")]  # fmt: skip
    keys = {"own": ("text", "words", "scores", "target"), "marks": ("text", "marks")}
    for name, wanted in keys.items():
        lines = (json.dumps({key: one[key] for key in wanted}) + "\n" for one in said)
        (here / f"{name}.jsonl").write_text("".join(lines))
    from exegesis.cli import run

    options = ["--measures", "deletion", "--out", str(here / "best.json"), "-q"]
    assert run(["recommend", "-f", str(here / "t.tsv"), "-M", "lrp", *options]) == 0
    assert run(["run", str(here / "t.tsv"), "--store", str(here / "store"), "-M", "leave-one-out", "-q"]) == 0
    shutil.copytree(folder, here / "small")
    tiny = ["--arch", "concepts", "--concepts", "2", "--embedding", "4", "--hidden", "4", "--epochs", "1"]
    assert run(["train", str(here / "t.tsv"), "--out", str(here / "through"), *tiny, "-q"]) == 0
    writer(here / "writer")
    (here / "w.tsv").write_text("text\tlabel\texplanation\n" + "".join(
        f"{text} {n}\t{('bad', 'good')[label]}\tsome more {n}\n" for n, (text, label) in enumerate(rows)))  # fmt: skip
    shutil.copytree(here / "writer", here / "teller")
    (here / "teller" / "explainer.json").write_text('{"order": "explain-predict"}')
    for name, order in (("sayer", "explain-predict"), ("writes", "predict-explain")):
        shutil.copytree(here / "writer", here / name)
        (here / name / "explainer.json").write_text(json.dumps({"order": order, "choices": ["bad", "good"]}))
    (here / "facts.tsv").write_text("# WordNet\nfine\tis a\tquality, good thing\nfilm\tis a\tmovie\n")
    (here / "facts.json").write_text('{"fine film": {"is a": ["work of art"]}}')
    shutil.copytree(pairs, here / "pairs")
    return here


@pytest.mark.parametrize("line", LINES)
def test_a_command_works_and_writes_what_it_names(call, place, tmp_path, monkeypatch, line):
    work = tmp_path / "work"
    shutil.copytree(place, work)
    monkeypatch.chdir(work)
    words = given(line)
    said = call(*words)
    assert said.code == 0, said
    if not {"-q", "--quiet"} & set(words) or words[0] in ("predict", "methods"):
        assert said.out, said
    for option, value in pairwise(words):
        if option in WRITING and not value.startswith("-") and "." in value:
            content = Path(value).read_bytes()
            starts = {".html": b"<!doctype html", ".png": b"\x89PNG", ".json": b"{", ".jsonl": b"{"}
            assert content.lstrip().lower().startswith(starts.get(Path(value).suffix, b"").lower()), content[:80]
            assert content
            assert ("-q" in words) != (f"wrote {value}" in said.err)


def commands(command, name: str = "") -> Iterator[tuple[str, object]]:
    """Every command that does something, with its full name."""
    for key, one in getattr(command, "commands", {}).items():
        yield from commands(one, f"{name} {key}".strip())
    if not hasattr(command, "commands"):
        yield name, command


def test_every_option_of_every_command_is_run():
    run = {}
    for line in LINES:
        words = given(line)
        name = " ".join(words[: 1 + (words[0] == "study")])
        run.setdefault(name, set()).update(words)
    missing = set()
    for name, command in commands(typer.main.get_command(command_line())):
        if name == "serve":  # it does not end: tests/unit/web/test_server.py
            continue
        for parameter in command.params:
            if parameter.param_type_name != "option" or "--help" in parameter.opts:
                continue
            for forms in filter(None, (parameter.opts, parameter.secondary_opts)):
                longest = max(forms, key=len)
                if not set(forms) & run.get(name, set()) and (name, longest) not in NOT_RUN:
                    missing.add((name, longest))
    assert not missing


def test_a_page_of_another_ending_is_refused_before_the_work(call, monkeypatch):
    import exegesis.api

    monkeypatch.setattr(exegesis.api, "load", None)
    for command in (["evaluate", "a film"], ["compare", "a film"]):
        said = call(*command, "--report", "x.htm")
        assert (said.code, said.out) == (2, "")
        assert said.err == "exegesis: --html x.htm: the name must end in .html\n"


def test_standard_output_is_offered_only_where_it_is_taken(call):
    for command in (["evaluate", "a film"], ["compare", "a film"], ["study", "words", "x.tsv"]):
        assert call(*command, "--json", "-").err == "exegesis: --json -: the name must end in .json\n"
    assert "- for standard output" in call("explain", "a film", "--json", "x.txt").err


def piped(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_compare_takes_one_text(call, monkeypatch):
    piped(monkeypatch, b"a film\nanother film\n")
    said = call("compare", "-", "-m", "bundled")
    assert (said.code, said.out) == (2, "")
    assert said.err == "exegesis: compare takes one text, not 2; for more: exegesis evaluate\n"


def test_a_file_of_that_name_is_standard_input(call: Callable, monkeypatch):
    piped(monkeypatch, b"a film\nanother film\n")
    said = call("predict", "--file", "-")
    assert (said.code, said.out.count("\n")) == (0, 2)
    assert call("predict", "--file", "-", "a text").code == 2
    assert call("predict", "--file", "-", "--column", "1").code == 2


@pytest.mark.parametrize(
    "line",
    [
        "explain -f own.jsonl --json own.jsonl",
        "explain a -M best --recommendation best.json --json ./best.json",
        "evaluate a -M best --recommendation best.json --json best.json",
        "compare a -M best --recommendation best.json --json best.json",
        "study repair t.tsv --swap film=movie --new t.tsv",
        "study repair folder --swap film=movie --new folder/train.tsv",
        "study repair t.tsv --swap film=movie --test n.tsv --new folder/../n.tsv",
    ],
)
def test_what_is_read_is_not_written_over(call, place, monkeypatch, line):
    monkeypatch.chdir(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    said = call(*given(line))
    assert (said.code, said.out) == (2, "")
    assert "is read here and would be written over; choose another name" in said.err
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_options_that_would_do_nothing_are_refused(call, place, monkeypatch):
    monkeypatch.chdir(place)
    for option in ("--column", "--label", "--pair-column", "--split", "--limit"):
        said = call("study", "substitute", "a film", "film", "--synonyms", "s.txt", option, "1")
        assert (said.code, said.err[:40].split(" belongs")[0]) == (2, f"exegesis: {option}")
    said = call("study", "words", "t.tsv", "--split", "test")
    assert said.code == 2
    assert said.err == "exegesis: --split belongs to a folder or a data set, and t.tsv is a file; leave it out\n"


def test_study_alone_shows_its_help(call):
    said = call("study")
    assert (said.code, said.err) == (0, "")
    assert "Usage: exegesis study" in said.out


def test_a_study_without_a_chart_is_drawn_as_its_sentences(call, place, tmp_path, monkeypatch):
    """If no prediction is wrong there is nothing to chart; the view and all files come, the picture too."""
    monkeypatch.chdir(tmp_path)
    Path("right.tsv").write_text("text\tlabel\na fine film\t1\na dull film\t0\n")
    files = ["--json", "out.json", "--report", "out.html", "--figure", "out.svg"]
    said = call("study", "failures", "right.tsv", *files)
    assert said.code == 0
    assert "Where the model fails" in said.out
    assert said.err == "wrote out.json\nwrote out.html\nwrote out.svg\n"
    assert "There is nothing to explain." in Path("out.svg").read_text()
