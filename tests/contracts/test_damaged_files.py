"""Every file that is read, damaged anywhere: one line that names the file, or something that can be used."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from exegesis.core.errors import ExegesisError, FileError
from exegesis.core.text import text_of_words
from exegesis.data.examples import Example, read_examples
from exegesis.data.links import read_coreference, read_negation
from exegesis.data.marks import marks_of, read_marks
from exegesis.data.tagged import read_tagged, tags_of
from exegesis.data.treebank import read_treebank
from exegesis.data.written import read_written
from exegesis.models.language_models.bundled import ClozeLanguageModel, load_language, save_language
from exegesis.models.language_models.cloze import BLANK, START, STOP, ClozeConfig, ClozeNetwork
from exegesis.models.tagger import load_tagger
from exegesis.models.text.tokenizer import tokenize
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.folder import TrainedClassifier, load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.models.trained.vectors import read_vectors
from exegesis.nn.tag_network import TagNetwork
from exegesis.questions.trust.explanations import read_explanations
from exegesis.results.recommendation import read_recommendation
from exegesis.study.vocabulary.candidates import read_synonyms
from tests.support import every_result
from tests.support.damage import damaged, flipped, seeds

RAWS = ("a good film", "not a bad one")
TEXTS = [text_of_words(raw, tokenize(raw), list(range(len(raw.split())))) for raw in RAWS]
LINES = {
    "marks": [
        {"text": RAWS[0], "marks": [0, 1, 0]},
        {"text": RAWS[1], "marks": [[0, 3], [6, 9]]},
    ],
    "explanations": [
        {"text": RAWS[0], "words": RAWS[0].split(), "scores": [0.5, -1, 2.5e-3], "target": "good", "explained": 1.0,
         "probabilities": {"good": 0.75, "bad": 0.25}, "account": {"bias": 0.5}, "seconds": 0.1, "method": "ours"},
        {"text": RAWS[1], "offsets": [[0, 3], [4, 5], [6, 9], [10, 13]], "scores": [1, 2, 3, 4], "target": "logit:bad"},
    ],
    "examples": [{"text": raw, "label": label, "more": [1]} for raw, label in zip(RAWS, (1, "bad"), strict=True)],
}  # fmt: skip
TABLES = {
    "tsv": 'sentence\tlabel\na "good" film\t1\nnot bad\t0\n', "csv": 'text,label\n"a ""good"" film",1\nnot bad,0\n',
    "txt": "a good film\nnot bad\n",
}  # fmt: skip
VECTORS = "3 2\nfilm 1.5 -2\ngood 3 4\nbad 1e-3 7\n"
SYNONYMS = "# mine\ngood: fine, great\nbad\tpoor, dull\n"
OPTIONS = TrainOptions(epochs=1, batch=4, average=0.9)


def used(read: Callable[[], object], where: object) -> None:
    """Read, and use what is read; an error of ours in one line is as good."""
    try:
        read()
    except ExegesisError as error:
        assert len(str(error).splitlines()) == 1, where  # noqa: PT017
        assert len(str(error)) < 1000, where  # noqa: PT017
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} at {where}") from error


def vocabulary(*more: str) -> Vocabulary:
    return Vocabulary.from_texts(RAWS, extra=more)


# files of text -------------------------------------------------------------------------------------------


def marks(path: Path) -> None:
    for text, given in zip(TEXTS, read_marks(path, [text.raw for text in TEXTS]), strict=True):
        if given is not None:
            marks_of(text, given)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "marks": ("m.jsonl", marks),
    "explanations": ("e.jsonl", lambda path: read_explanations(path, TEXTS, "good")),
    "examples": ("x.jsonl", read_examples),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("seed", seeds(60))
def test_lines_of_json(tmp_path: Path, name: str, seed: int) -> None:
    file, read = READERS[name]
    path, lines = tmp_path / file, [*LINES[name]]
    lines[seed % 2], where = damaged(lines[seed % 2], f"{name} {seed}")
    path.write_text("\n".join(map(json.dumps, lines)))
    used(lambda: read(path), where)


@pytest.mark.parametrize("name", [*READERS, *TABLES, "vectors", "synonyms", "recommendation"])
def test_bytes_of_texts(tmp_path: Path, name: str) -> None:
    file, read = READERS.get(name, (f"t.{name}", read_examples))
    if name in READERS:
        data = "\n".join(map(json.dumps, LINES[name])).encode()
    elif name == "recommendation":
        data, read = json.dumps(every_result.recommendation().to_dict()).encode(), read_recommendation
    elif name in ("vectors", "synonyms"):
        data = {"vectors": VECTORS, "synonyms": SYNONYMS}[name].encode()
        read = {"vectors": lambda path: read_vectors(path, {"film", "bad"}), "synonyms": read_synonyms}[name]
    else:
        data = TABLES[name].encode()
    path = tmp_path / file
    for seed in seeds(100):
        path.write_bytes(flipped(data, f"{name} {seed}"))
        used(lambda: read(path), path.read_bytes())


TREEBANK = "".join(
    f"{at}\t{word}\t_\t{tag}\t_\t_\t{head}\t{kind}\t_\t{more}\n"
    for at, word, tag, head, kind, more in (
        (1, "He", "PRON", 2, "nsubj", "Entity=(e1-person)"), (2, "saw", "VERB", 0, "root", "_"),
        (3, "himself", "PRON", 2, "obj", "Entity=(e1-person)"),
    )
)  # fmt: skip
SCOPES = "".join(f"b\t0\t{at}\t{word}\t_\t_\t_\t{cue}\t{scope}\t_\n" for at, (word, cue, scope) in enumerate(
    (("He", "_", "He"), ("never", "never", "_"), ("left", "_", "left"))))  # fmt: skip
ANNOTATED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "t.conllu": (TREEBANK, lambda path: ([one.characters() for one in read_treebank(path)], read_coreference(path))),
    "n.tsv": (SCOPES, read_negation),
    "g.tsv": ("He\tPRON\nleft\tVERB\n\nGo\tVERB\n", lambda path: tags_of(read_tagged(path))),
    "g.jsonl": ('{"words": ["He", "left"], "tags": ["PRON", "VERB"]}\n', lambda path: tags_of(read_tagged(path))),
}


@pytest.mark.parametrize("name", ANNOTATED)
def test_annotated_sentences(tmp_path: Path, name: str) -> None:
    data, read = ANNOTATED[name]
    path = tmp_path / name
    path.write_text(data)
    read(path)
    for seed in seeds(40):
        path.write_bytes(flipped(data.encode(), f"{name} {seed}"))
        used(lambda: read(path), path.read_bytes())


def test_explanations_of_people(tmp_path: Path) -> None:
    """Numbers and lists in the place of the texts of CoS-E, whole parts that are not there."""
    choices = [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]
    lines = {
        "dev_rand_split.jsonl": {"id": "1", "question": {"stem": "Where?", "choices": choices}, "answerKey": "A"},
        "cose_dev_v1.0.jsonl": {"id": "1", "explanation": {"open-ended": "it is here"}},
    }
    for seed in seeds(60):
        for number, (name, line) in enumerate(lines.items()):
            made, where = damaged(line, f"{name} {seed}") if seed % 2 == number else (line, ())
            (tmp_path / name).write_text(json.dumps(made) + "\n")
        used(lambda: [f"{one.label} {one.text}" for one in read_written(tmp_path, "dev")], where or seed)


def test_numbers_that_no_file_should_hold(tmp_path: Path) -> None:
    for number in ("1e400", "9" * 400, "9" * 5000, "-" + "9" * 400, "nan", "1e39"):
        (tmp_path / "e.jsonl").write_text(json.dumps(LINES["explanations"][0]).replace("-1", number))
        used(lambda: read_explanations(tmp_path / "e.jsonl", TEXTS, "good"), number)
        (tmp_path / "m.jsonl").write_text(json.dumps(LINES["marks"][1]).replace("[0, 3]", f"[0, {number}]"))
        used(lambda: marks(tmp_path / "m.jsonl"), number)
        for text in (VECTORS.replace("1.5", number), VECTORS.replace("3 2", f"3 {number}")):
            (tmp_path / "v.txt").write_text(text)
            used(lambda: read_vectors(tmp_path / "v.txt", {"film"}), number)


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    info = {
        "info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}, "text": {"_type": "Value"}}}
    }
    path, table = tmp_path / "t.parquet", pa.table({"text": list(RAWS), "label": [1, 0]})
    for seed in seeds(60):
        broken, where = damaged(info, f"parquet {seed}")
        for content in (json.dumps(broken).encode(), flipped(json.dumps(info).encode(), seed)):
            pq.write_table(table.replace_schema_metadata({b"huggingface": content}), path)
            used(lambda: read_examples(path), (where, content))
    pq.write_table(table.replace_schema_metadata({b"huggingface": json.dumps(info).encode()}), path)
    assert [example.label for example in read_examples(path)] == ["good", "bad"]
    whole = path.read_bytes()
    for seed in seeds(100):
        path.write_bytes(flipped(whole, seed))
        used(lambda: read_examples(path), seed)


# folders -------------------------------------------------------------------------------------------------


def trained(path: Path) -> None:
    torch.manual_seed(0)
    module = RecurrentClassifier(RecurrentConfig(embedding=2, hidden=2, vocabulary=len(vocabulary()))).eval()
    save_folder(path, TrainedClassifier(module, vocabulary()), "# A card\n")


def cloze(path: Path) -> None:
    words = vocabulary(BLANK, START, STOP)
    save_language(path, ClozeLanguageModel(ClozeNetwork(ClozeConfig(len(words), 2, 2)).eval(), words))


def tagger(path: Path) -> None:
    path.mkdir()
    config = {"rows": 8, "width": 2, "hidden": 2, "tags": ["A", "B"]}
    (path / "config.json").write_text(json.dumps(config))
    save_file(TagNetwork(8, 2, 2, 2).half().state_dict(), path / "model.safetensors")


def classified(path: Path) -> None:
    model = load_folder(path)
    text = model.vocabulary.read("a good film")
    model.module(torch.tensor([text.ids]), torch.tensor([len(text)]))


FOLDERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "trained": (trained, classified),
    "language": (cloze, lambda path: load_language(path).sample([["a", "___"]], [[1]], 2, 0)),
    "tagger": (tagger, lambda path: load_tagger(path)(["a", "film"])),
}


@contextlib.contextmanager
def kept(path: Path) -> Iterator[bytes]:
    whole = path.read_bytes()
    yield whole
    path.write_bytes(whole)


@pytest.mark.parametrize("card", [True, False])
@pytest.mark.parametrize("name", FOLDERS)
def test_folders(tmp_path: Path, name: str, card: bool) -> None:
    make, read = FOLDERS[name]
    folder = tmp_path / "m"
    make(folder)
    read(folder)
    if not card:
        (folder / "README.md").unlink(missing_ok=True)
    for path in sorted(folder.iterdir()):
        with kept(path) as whole:
            for seed in seeds(12):
                path.write_bytes(flipped(whole, f"{path.name} {seed}"))
                used(lambda: read(folder), (path.name, seed))
                if path.suffix == ".json":
                    broken, where = damaged(json.loads(whole), f"{path.name} {seed}")
                    path.write_text(json.dumps(broken))
                    used(lambda: read(folder), (path.name, where))
    with kept(folder / "model.safetensors"):
        for changed, where in changes(tensors_of(folder / "model.safetensors"), 12):
            save_file(changed, folder / "model.safetensors")
            used(lambda: read(folder), where)


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, out of it: they outlive it."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def changes(tensors: dict[str, torch.Tensor], count: int) -> Iterator[tuple[dict[str, torch.Tensor], object]]:
    """Tensors with one left out, turned, of another type or shape, not finite, or put under another name."""
    names = sorted(tensors)
    for seed in seeds(count):
        name = names[seed % len(names)]
        tensor = tensors[name]
        made: dict[str, torch.Tensor | None] = {
            "none": None, "int": tensor.to(torch.int64), "flat": tensor.flatten().clone(),
            "empty": tensor.flatten()[:0].clone(), "complex": tensor.to(torch.complex64),
            "infinite": tensor / 0 if tensor.is_floating_point() else tensor + 1, "huge": tensor.double() * 1e300,
        }  # fmt: skip
        kind = list(made)[(seed // len(names) + seed) % len(made)] if tensor.dim() else "none"
        value = made[kind]
        rest = {other: part for other, part in tensors.items() if other != name}
        yield rest | ({} if value is None else {name: value.contiguous()}), (name, kind)


# checkpoints ---------------------------------------------------------------------------------------------


def test_checkpoints(tmp_path: Path) -> None:
    examples = [Example.of(raw, label) for raw, label in zip(RAWS * 3, ("x", "y") * 3, strict=True)]
    config, path = RecurrentConfig(embedding=2, hidden=2), tmp_path / "c"

    def resumed() -> None:
        train(examples, examples, config=config, options=replace(OPTIONS, epochs=2), checkpoint=path, resume=True)

    train(examples, examples, config=config, options=OPTIONS, checkpoint=path)
    with safe_open(path, framework="pt") as file:
        state = json.loads(file.metadata()["state"])
    tensors, whole = tensors_of(path), path.read_bytes()
    for seed in seeds(8):
        path.write_bytes(flipped(whole, seed))
        used(resumed, seed)
    del state["checksum"]
    for seed in seeds(15):
        broken, where = damaged(state, f"checkpoint {seed}")
        save_file(tensors, path, {"state": json.dumps(broken)})
        used(resumed, where)
    for changed, where in changes(tensors, 40):
        save_file(changed, path, {"state": json.dumps(state)})
        used(resumed, where)


def test_a_changed_byte_of_a_checkpoint_is_told(tmp_path: Path) -> None:
    examples = [Example.of(raw, label) for raw, label in zip(RAWS * 3, ("x", "y") * 3, strict=True)]
    config, path = RecurrentConfig(embedding=2, hidden=2), tmp_path / "c"
    train(examples, examples, config=config, options=OPTIONS, checkpoint=path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ExegesisError, match=r"is damaged .its tensors have changed since they were saved.; delete it"):
        train(examples, examples, config=config, options=OPTIONS, checkpoint=path, resume=True)


def test_the_damage_is_quick() -> None:
    """Mutations are cheap, so that the time goes into reading."""
    start = time.process_time()
    for seed in range(200):
        damaged(LINES["explanations"][0], seed)
    assert time.process_time() - start < 2


def test_the_text_of_marks_is_a_string(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"text": [RAWS[0]], "marks": [0, 1, 0]}))
    with pytest.raises(FileError, match=r"line 1: give an object with text \(a string\) and marks"):
        marks(tmp_path / "m.jsonl")
