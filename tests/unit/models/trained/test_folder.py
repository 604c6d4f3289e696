"""Model folders: what is saved comes back, whatever is damaged is named in one line, nothing is left half done."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from exegesis.core.errors import ExegesisError, FileError, ModelError
from exegesis.models import BUNDLED
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.folder import TrainedClassifier, is_model_folder, load_folder, save_folder

WORDS = Vocabulary.from_texts(["a good film , not a bad one ."])


def toy(**options: object) -> TrainedClassifier:
    torch.manual_seed(0)
    shape = {"embedding": 4, "hidden": 3, "vocabulary": len(WORDS)} | options
    return TrainedClassifier(RecurrentClassifier(RecurrentConfig(**shape)).eval(), WORDS)  # type: ignore[arg-type]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_folder(tmp_path / "model", toy(), "# A card\n")
    return tmp_path / "model"


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("readout", ["last", "mean", "max", "attention"])
def test_round_trip(tmp_path: Path, cell: str, readout: str) -> None:
    model = toy(cell=cell, readout=readout, bidirectional=True, layers=2, labels=("x", "y", "\ud800"))
    save_folder(tmp_path / "deep" / "model", model, "card")
    loaded = load_folder(tmp_path / "deep" / "model")
    assert loaded.module.config == model.module.config
    assert loaded.vocabulary == WORDS
    assert loaded.labels == ("x", "y", "\ud800")
    assert not loaded.module.training
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[name], tensor)
    ids, lengths = torch.tensor([[2, 3, 4], [5, 6, 0]]), torch.tensor([3, 2])
    assert torch.equal(loaded.module(ids, lengths), model.module(ids, lengths))
    loaded.module(ids, lengths).sum().backward()
    assert loaded.module.embedding.weight.grad is not None


def test_half_precision_on_disk_only(tmp_path: Path) -> None:
    model = toy()
    save_folder(tmp_path / "m", model, "card", half=True)
    assert {tensor.dtype for tensor in load_file(tmp_path / "m" / "model.safetensors").values()} == {torch.float16}
    for name, tensor in load_folder(tmp_path / "m").module.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.module.state_dict()[name].half().float())


def test_loading_draws_no_random_number(saved: Path) -> None:
    state = torch.get_rng_state()
    load_folder(saved)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_else_is_left(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "vocabulary.json",
    ]
    assert [p.name for p in saved.parent.iterdir()] == ["model"]
    assert (saved / "README.md").read_text().startswith("# A card\n\n## Checksums\n")


def test_existing_folders(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"exists already.*--overwrite"):
        save_folder(saved, toy(), "new")
    save_folder(saved, toy(hidden=2), "new", overwrite=True)
    assert load_folder(saved).module.config.hidden == 2
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    mine = tmp_path / "photographs"
    mine.mkdir()
    (mine / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(FileError, match="is no model folder, so it is not overwritten"):
        save_folder(mine, toy(), "new", overwrite=True)
    assert (mine / "cat.jpg").read_bytes() == b"cat"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("failing", range(1, 6))
def test_an_interrupted_save_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool, failing: int
) -> None:
    target = tmp_path / "model"
    if overwrite:
        save_folder(target, toy(), "old")
    calls = 0
    flush = os.fsync

    def break_down(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    monkeypatch.setattr(os, "fsync", break_down)
    with pytest.raises(FileError, match=r"cannot be written .No space left on device"):
        save_folder(target, toy(hidden=2), "new", overwrite=overwrite)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == (["model"] if overwrite else [])
    if overwrite:
        assert load_folder(target).module.config.hidden == 3


def test_a_failed_swap_puts_the_old_folder_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if self.name.startswith(".model-") and Path(target).name == "model":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(FileError, match="cannot be written"):
        save_folder(saved, toy(hidden=2), "new", overwrite=True)
    assert load_folder(saved).module.config.hidden == 3


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(FileError, match=rf"{name} is missing"):
        load_folder(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_named(saved: Path, name: str, share: float) -> None:
    data = (saved / name).read_bytes()
    (saved / name).write_bytes(data[: int(share * (len(data) - 2))])
    with pytest.raises(FileError, match=rf"{name} (is damaged|does not fit)") as caught:
        load_folder(saved)
    assert len(str(caught.value).splitlines()) == 1


@given(st.sampled_from(["config.json", "model.safetensors", "vocabulary.json"]), st.integers(0, 10**6), st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_damage_loads_or_gives_one_line(saved: Path, name: str, at: int, junk: bytes) -> None:
    copy = saved.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(saved, copy)
    data = (copy / name).read_bytes()
    at %= len(data)
    (copy / name).write_bytes(data[:at] + junk + data[at + len(junk) :])
    try:
        load_folder(copy)
    except ExegesisError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99 is not known"),
        ({"format": "other"}, "the format 'other' is not known"),
        ({"hidden": 7}, r"tensor 'recurrent.weight_hh_l0' has the shape \[9, 3\] instead of \[21, 7\]"),
        ({"hidden": "7"}, "config.json is damaged: hidden is .7., not of the kind int"),
        ({"hidden": 10**6}, "has the shape"),
        ({"hidden": 10**30}, "has the shape"),
        ({"embedding": 10**12}, "has the shape"),
        ({"layers": 10**9}, "tensor 'recurrent.weight_hh_l999999999' is missing"),
        ({"readout": "attention"}, "tensor 'attention.hidden.bias' is missing"),
        ({"dropout": "x"}, "config.json is damaged"),
        ({"cell": "cnn"}, "unknown cell 'cnn'"),
        ({"bidirectional": 1}, "bidirectional is 1, not of the kind bool"),
        ({"bidirectional": True}, "'output.weight' has the shape"),
        ({"labels": "ab"}, "labels are no list"),
        ({"labels": ["a"]}, "give two or more"),
        ({"vocabulary": 3}, "lists 10 words but config.json says 3"),
        ({"extra": 1}, "unknown entry 'extra'"),
    ],
)
def test_a_wrong_config_is_refused(saved: Path, change: dict[str, object], message: str) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(FileError, match=message):
        load_folder(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.json"])
def test_a_changed_byte_is_told(saved: Path, name: str) -> None:
    """A weight, a label, a word: the folder is still sound, but not what was saved."""
    data, at = (saved / name).read_bytes(), {"config.json": b"negative", "vocabulary.json": b"film"}.get(name)
    place = data.index(at) if at else len(data) - 3
    (saved / name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(
        FileError, match=rf"{name} has changed since it was saved .*: copy the folder again, or take out"
    ):
        load_folder(saved)
    card = saved / "README.md"
    lines = [line for line in card.read_text().splitlines() if not line.startswith(f"- `{name}`")]
    card.write_text("\n".join(lines))
    load_folder(saved)  # changed by hand, and said so


def test_folders_without_checksums_load(saved: Path) -> None:
    for card in ("# An older card\n", "## Checksums\n", "- `config.json`: SHA-256 `" + "0" * 64 + "`\n", None):
        (saved / "README.md").unlink(missing_ok=True)
        if card is not None:
            (saved / "README.md").write_text(card)
        load_folder(saved)


def test_a_card_that_has_checksums_gets_others(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    save_folder(saved, toy(hidden=2), card, overwrite=True)
    assert (saved / "README.md").read_text().count("## Checksums") == 1
    load_folder(saved)


def test_links_that_lead_out_are_refused(saved: Path, tmp_path: Path) -> None:
    (saved / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    (saved / "model.safetensors").symlink_to("../elsewhere.safetensors")
    with pytest.raises(FileError, match=r"model\.safetensors is a link that leads out of its folder"):
        load_folder(saved)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(saved: Path, bad: float) -> None:
    weights = load_file(saved / "model.safetensors")
    weights["recurrent.weight_hh_l0"][1, 1] = bad
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(ModelError, match=r"'recurrent\.weight_hh_l0' hold a NaN or an infinite"):
        load_folder(saved)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    model = toy()
    model.module.output.weight.data[0, 0] = 1e6  # too large for float16
    with pytest.raises(ModelError, match=r"output\.weight"):
        save_folder(tmp_path / "m", model, "card", half=True)
    assert not (tmp_path / "m").exists()


def test_whole_numbers_are_no_weights(saved: Path) -> None:
    weights = load_file(saved / "model.safetensors")
    weights["output.bias"] = weights["output.bias"].long()
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(FileError, match=r"'output\.bias' holds torch\.int64"):
        load_folder(saved)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_pickles_are_never_opened(saved: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    (saved / "model.safetensors").unlink()
    (saved / name).write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(FileError, match=rf"the weights are pickled \({name}\).*safetensors"):
        load_folder(saved)
    (saved / name).rename(saved / "model.safetensors")
    with pytest.raises(FileError, match=r"model\.safetensors is damaged"):
        load_folder(saved)
    assert not (saved / "sprung").exists()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such folder"):
        load_folder(tmp_path / "none")
    assert not is_model_folder(tmp_path / "none")


def test_the_bundled_model() -> None:
    start = time.process_time()
    model = load_folder(BUNDLED)
    assert time.process_time() - start < 3
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) <= 5_000_000
    assert model.labels == ("negative", "positive")
    assert (model.module.config.readout, model.module.config.layers) == ("last", 1)
    for raw, label in [
        ("The movie doesn't serve up lot of laughs.", 0),
        ("An utterly charming and hilarious film!", 1),
        ("It's a dull, lifeless mess.", 0),
        ("Not bad at all.", 1),
    ]:
        text = model.vocabulary.read(raw)
        logits = model.module(torch.tensor([text.ids]), torch.tensor([len(text)]))
        assert int(logits.argmax()) == label, (raw, logits)
