"""Weights that are not what they seem: whole or complex numbers, missing, too many, not finite, or of a broken file."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

pytest.importorskip("transformers")

import exegesis
from exegesis.core.errors import ExegesisError, FileError, ModelError, TextError
from exegesis.models.huggingface.load import load_huggingface
from tests.support.damage import damaged, seeds

PLAIN = "model.safetensors"
QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "film"))


def write(folder: Path, **changes: Tensor | None) -> None:
    """Change weights by name; None takes them out."""
    weights = {**load_file(folder / PLAIN), **{name.replace("__", "."): tensor for name, tensor in changes.items()}}
    save_file({key: value for key, value in weights.items() if value is not None}, folder / PLAIN, {"format": "pt"})


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.uint8, torch.bool, torch.complex64])
def test_weights_that_are_no_plain_floats(folder: Path, kind: torch.dtype) -> None:
    weight = load_file(folder / PLAIN)[QUERY]
    write(folder, **{QUERY: (10 * weight).to(kind)})
    with pytest.raises(FileError, match=rf"weights {QUERY} are \w+, not floating-point numbers"):
        load_huggingface(folder)


def test_whole_numbers_that_are_no_weights(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Older files hold the numbers of positions, and half precision is a float."""
    write(folder, **{
        "bert.embeddings.position_ids": torch.arange(48)[None], QUERY: load_file(folder / PLAIN)[QUERY].half(),
    })  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert load_huggingface(folder).labels == ("LABEL_0", "LABEL_1")
    assert caplog.messages == []


def test_tensors_that_no_layer_takes(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(folder, **{"cls.predictions.bias": torch.zeros(100)})
    with caplog.at_level(logging.WARNING):
        load_huggingface(folder)
    assert caplog.messages == [f"{folder}: no layer takes 1 of its tensors (cls.predictions.bias)"]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(FileError, match=r"weights that its config has no layers for \(bert\.encoder\.layer\.1\."):
        load_huggingface(folder)


def test_missing_weights(folder: Path) -> None:
    write(folder, **{"classifier.bias": None})
    with pytest.raises(FileError, match=r"no trained classification head \(no weights for classifier.bias\)"):
        load_huggingface(folder)


@pytest.mark.parametrize("bad", [torch.nan, -torch.inf])
def test_weights_that_are_not_finite_are_named(folder: Path, bad: float) -> None:
    weight = load_file(folder / PLAIN)[QUERY]
    weight[3, 2] = bad
    write(folder, **{QUERY: weight})
    with pytest.raises(ModelError, match=f"the weights {QUERY} of .* hold NaN or infinity"):
        load_huggingface(folder)


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_a_damaged_folder_is_refused_or_can_be_used(folder: Path, file: str) -> None:
    whole = json.loads((folder / file).read_text())
    for seed in seeds(6):
        broken, where = damaged(whole, seed)
        (folder / file).write_text(json.dumps(broken))
        try:
            exegesis.predict(load_huggingface(folder), ["a word"])
        except ExegesisError as error:
            assert "\n" not in str(error)  # noqa: PT017
        except BaseException as error:
            raise AssertionError(where) from error


def test_a_panic_of_the_tokenizers_library(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    values = json.loads((folder / "tokenizer.json").read_text())
    values["post_processor"]["special_tokens"] = {}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    capfd.readouterr()
    with pytest.raises(FileError, match=r"^cannot load the model [^\n]*film: a library broke down \([^\n]*$"):
        load_huggingface(folder)
    assert capfd.readouterr() == ("", "")


def test_a_panic_at_a_later_text(folder: Path) -> None:
    model = load_huggingface(folder)
    panic = type("PanicException", (BaseException,), {})

    class Breaks:
        is_fast = True

        def __call__(self, *_: object, **__: object) -> None:
            raise panic("no entry found for key")

    object.__setattr__(model.reader, "tokenizer", Breaks())
    with pytest.raises(TextError, match="cannot read the text: no entry found for key"):
        model.read("a word")
