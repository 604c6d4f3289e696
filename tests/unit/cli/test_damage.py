"""Damaged models and saved results: one line that names what is wrong, and nothing is ever unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import exegesis
from exegesis.core.errors import FileError
from tests.unit.cli.test_wrong_usage import refused

TEXT = "The fight scenes are fun but it grows tedious"


class Trap:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def both(call, model: Path, code: int, *parts: str) -> None:
    for said in (call("explain", TEXT, "--model", model), call("methods", "--for", model)):
        refused(said, code, *parts)


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.fixture
def bert(pairs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pairs, tmp_path / "bert"))


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_half_copied_folder(call, copied: Path, name: str) -> None:
    data = (copied / name).read_bytes()
    for content in (data[: len(data) // 2], b"", b"\xff\xfe\x00garbage", None):
        if content is None:
            (copied / name).unlink()
        else:
            (copied / name).write_bytes(content)
        parts = [name] if content is not None or name != "vocabulary.json" else []
        both(call, copied, 1, str(copied), *parts)


def test_a_weight_that_is_no_number(call, copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    weights["output.weight"][0, 0] = torch.nan
    save_file(weights, copied / "model.safetensors")
    both(call, copied, 1, "output.weight", "NaN")


@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin", "weights.pkl"])
def test_pickled_weights(call, copied: Path, name: str, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    (copied / "model.safetensors").unlink()
    for content in (pickle.dumps(Trap(mark)), None):
        if content is None:
            torch.save({"a": Trap(mark)}, copied / name)
        else:
            (copied / name).write_bytes(content)
        both(call, copied, 1, "pickled", "safetensors")
    (copied / name).rename(copied / "model.safetensors")
    both(call, copied, 1, "model.safetensors is damaged")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()  # the trap does spring when it is opened


def test_pickled_weights_of_hugging_face(call, bert: Path, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    (bert / "model.safetensors").unlink()
    both(call, bert, 1, "holds no weights: model.safetensors is missing")
    torch.save({"classifier.weight": Trap(mark)}, bert / "pytorch_model.bin")
    both(call, bert, 1, "pickled", "safetensors")
    (bert / "pytorch_model.bin").rename(bert / "model.safetensors")
    both(call, bert, 1, str(bert))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_half_copied_hugging_face_folder(call, bert: Path, name: str) -> None:
    data = (bert / name).read_bytes()
    for content in (data[: len(data) // 2], b"", None):
        if content is None:
            (bert / name).unlink()
        else:
            (bert / name).write_bytes(content)
        refused(call("explain", TEXT, "--model", bert), 1, str(bert))


def test_weights_of_hugging_face_that_are_no_numbers(call, bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    weights["classifier.weight"][0, 0] = torch.inf
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    both(call, bert, 1, "NaN or infinity")


def test_folders_that_are_no_models(call, tmp_path: Path) -> None:
    both(call, tmp_path, 1, "it holds no config.json")
    (tmp_path / "config.json").write_text("[]")
    both(call, tmp_path, 1, str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    both(call, tmp_path, 1, str(tmp_path))
    (tmp_path / "file").write_text("x")
    both(call, tmp_path / "file", 1, "is a file: give the folder")


@pytest.fixture
def saved(call, tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    given = ["--level", "all", "--target", "all", "-M", "reat,leave-one-out", "--json", path, "-q"]
    assert call("explain", TEXT, "a fine film", *given).code == 0
    return path


def test_lines_of_results_are_named(saved: Path, tmp_path: Path) -> None:
    content = saved.read_text()
    assert len(exegesis.read(saved)) == 4
    saved.write_text(content[:-100])
    with pytest.raises(FileError, match=r"r\.jsonl, line 4: not JSON .*; save it again$"):
        exegesis.read(saved)
    saved.write_text(content + "\n\n  \n")
    assert len(exegesis.read(saved)) == 4
    saved.write_text(content.replace('"version": 2', '"version": 3'))
    with pytest.raises(FileError, match=r"line 1: .*version 3, newer than 2: upgrade exegesis$"):
        exegesis.read(saved)
    (tmp_path / "list.json").write_text("[" + content.splitlines()[0] + ", 5]")
    with pytest.raises(FileError, match=r"list\.json, item 2: this is not a saved explanation"):
        exegesis.read(tmp_path / "list.json")
    saved.write_bytes(b"\xff" + content.encode())
    with pytest.raises(FileError, match="is not UTF-8 text"):
        exegesis.read(saved)
    for path in (tmp_path / "none.json", tmp_path, "a\0b"):
        with pytest.raises(FileError, match=r"cannot read .*check the path"):
            exegesis.read(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", "other", "not a saved explanation"),
        ("version", None, "damaged explanation .its version is None"),
        ("version", True, "its version is True"),
        ("version", 0, "its version is 0"),
        ("subject.text.raw", 5, "subject.text.raw: a text is due, not 5"),
        ("subject.text.raw", "short", "the offset .* lies outside"),
        ("subject.targets", ["logit:a"], "1 targets need as many explained numbers, not 3"),
        ("spans", {}, "spans: a list is due, not {}"),
        ("subject.prediction", [], r"prediction: an object is due, not \[\]"),
        ("remainder.parts", 3, "remainder.parts: an object is due, not 3"),
        ("subject.explained", [1, 2], "3 targets need as many explained numbers, not 2"),
        ("origin.details", "x", "details: an object is due, not 'x'|origin.details"),
        ("origin.seconds", "1", "origin.seconds: a number is due, not '1'"),
        ("subject.model", None, "subject.model: a text is due, not None"),
        ("subject.text", {}, "no 'raw'"),
    ],
)
def test_damaged_results(saved: Path, place: str, value: object, message: str) -> None:
    values = json.loads(saved.read_text().splitlines()[0])
    with pytest.raises(FileError, match=message) as caught:
        exegesis.Attribution.from_dict(changed(values, place, value))
    assert "\n" not in str(caught.value)


def test_numbers_outside_a_text_are_damage(saved: Path) -> None:
    line = saved.read_text().splitlines()[0]
    for part, wrong in [("words", [[0, 99]]), ("offsets", [[0, 1]]), ("ids", ["x"] * 9), ("special", [0] * 9)]:
        with pytest.raises(FileError, match="damaged explanation"):
            exegesis.Attribution.from_dict(changed(json.loads(line), f"subject.text.{part}", wrong))
    result = json.loads(line)["result"]
    for name, wrong in [("values", None), ("values", [1, 2, float("inf")]), ("spans", [3, 3]), ("levels", 5)]:
        with pytest.raises(FileError, match="damaged explanation"):
            exegesis.Attribution.from_dict(changed(json.loads(line), name, [wrong, *result[name][1:]]))


def changed(values: dict, place: str, value: object) -> dict:
    """The values with another one at a place of the result, or on top."""
    *outer, last = place.split(".")
    inner = values if place in ("format", "version") else values["result"]
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return values
