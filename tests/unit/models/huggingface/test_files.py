"""Folders that try to have something unpickled, run, fetched or read from elsewhere: refused in one line, untouched."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers")

import exegesis
from exegesis.core.disk.files import bare
from exegesis.core.errors import ExegesisError, FileError, UnsupportedError
from exegesis.models.huggingface.files import Files, check_files
from exegesis.models.huggingface.load import load_huggingface

INDEX, PLAIN = "model.safetensors.index.json", "model.safetensors"
AUTO = ("AutoTokenizer", "AutoConfig", "AutoModelForSequenceClassification", "AutoModelForMaskedLM")
CODE = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n"


class Trap:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copytree(made, tmp_path / "film"))
    shutil.copy(path / PLAIN, tmp_path / "outside.safetensors")
    for name in ("pytorch_model.bin", "shard.pt", "adapter_model.bin", "vocab.pkl", "training_args.bin"):
        torch.save({"classifier.weight": Trap(tmp_path / "sprung")}, path / name)
    (path / "evil.py").write_text(CODE)
    return path


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was called of all that unpickles or asks a network."""
    calls: list[str] = []

    def watch(owner: object, name: str, only: Callable[..., bool] = lambda *_, **__: True) -> None:
        real = getattr(owner, name)

        def called(*args: object, **kwargs: object) -> object:
            if only(*args, **kwargs):
                calls.append(name)
                raise AssertionError(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, called)

    for owner, name in (
        (torch, "load"),
        (torch.jit, "load"),
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
    ):
        watch(owner, name)
    watch(np, "load", lambda *_, allow_pickle=False, **__: allow_pickle)
    for name in ("connect", "connect_ex"):
        watch(socket.socket, name)
    watch(socket, "getaddrinfo")
    return calls


def change(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | values))


def index(folder: Path, file: object, name: str = INDEX) -> None:
    """Weights in the file that an index names."""
    places = dict.fromkeys(load_file(folder / PLAIN), file)
    (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def moved(folder: Path, file: str) -> None:
    (folder / PLAIN).unlink()
    (folder / PLAIN).symlink_to(file)


PICKLED, ELSEWHERE = "in a pickled file", "is no safetensors file of its own folder"
ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a .bin in the index": (lambda f: (index(f, "pytorch_model.bin"), (f / PLAIN).unlink()), PICKLED),
    "a .pt in the index": (lambda f: (index(f, "shard.pt"), (f / PLAIN).unlink()), PICKLED),
    "an index beside whole weights": (lambda f: index(f, "shard.pt"), PICKLED),
    "no ending": (lambda f: ((f / "shard.pt").rename(f / "shard"), index(f, "shard")), ELSEWHERE),
    "capitals": (lambda f: ((f / "shard.pt").rename(f / "S.SAFETENSORS"), index(f, "S.SAFETENSORS")), ELSEWHERE),
    "..": (lambda f: index(f, "../outside.safetensors"), ELSEWHERE),
    "an absolute path": (lambda f: index(f, str(f.parent / "outside.safetensors")), ELSEWHERE),
    "a path of Windows": (lambda f: index(f, "..\\outside.safetensors"), ELSEWHERE),
    "a subfolder": (
        lambda f: ((f / "s").mkdir(), index(f, f"s/{PLAIN}"), (f / PLAIN).rename(f / "s" / PLAIN)), ELSEWHERE
    ),
    "a number": (lambda f: index(f, 5), ELSEWHERE),
    "no shard": (lambda f: index(f, "other.safetensors"), "which is missing"),
    "no map": (lambda f: (f / INDEX).write_text('{"weight_map": []}'), "holds no weight_map"),
    "a .bin in the config": (lambda f: change(f, "config.json", transformers_weights="adapter_model.bin"), PICKLED),
    "a .pt in the config": (lambda f: change(f, "config.json", transformers_weights="shard.pt"), PICKLED),
    ".. in the config": (
        lambda f: change(f, "config.json", transformers_weights="../outside.safetensors"), ELSEWHERE
    ),
    "another index": (
        lambda f: (index(f, "shard.pt", "x.safetensors.index.json"),
                   change(f, "config.json", transformers_weights="x.safetensors.index.json")), PICKLED
    ),
    "a list in the config": (lambda f: change(f, "config.json", transformers_weights=["a"]), ELSEWHERE),
    "a link": (lambda f: moved(f, "../outside.safetensors"), "leads out of its folder"),
    "a link in a circle": (lambda f: moved(f, PLAIN), "leads out of its folder|cannot read"),
    "a link to a config": (
        lambda f: ((f / "config.json").rename(f.parent / "c.json"), (f / "config.json").symlink_to("../c.json")),
        "leads out of its folder",
    ),
    "quantised": (lambda f: change(f, "config.json", quantization_config={"quant_method": "gptq"}), "are quantised"),
    "a kernel": (lambda f: change(f, "config.json", _attn_implementation="evil/kernel"), "wants code from the hub"),
    "a kernel inside": (
        lambda f: change(f, "config.json", text_config={"attn_implementation": {"": "evil/kernel:f"}}), "from the hub"
    ),
    "code of a model": (
        lambda f: change(f, "config.json", model_type="own", auto_map=dict.fromkeys(AUTO, "evil.X")), "cannot load"
    ),
    "code of a tokenizer": (
        lambda f: change(f, "tokenizer_config.json", tokenizer_class="Own", auto_map={AUTO[0]: ["evil.X", None]}), ""
    ),
    "a model as tokenizer": (lambda f: change(f, "tokenizer_config.json", tokenizer_class="BertModel"), "no tokenizer"),
    "a function as tokenizer": (lambda f: change(f, "config.json", tokenizer_class="pipeline"), "no tokenizer"),
    "a retriever as tokenizer": (lambda f: change(f, "config.json", tokenizer_class="RagRetriever"), "no tokenizer"),
    "no name": (lambda f: change(f, "tokenizer_config.json", tokenizer_class={"a": 1}), "not a name"),
    "a vocabulary elsewhere": (
        lambda f: change(f, "tokenizer_config.json", vocab_file=str(f.parent / "outside.safetensors")), "lies elsewhere"
    ),
    "an adapter": (lambda f: change(f, "adapter_config.json", base_model_name_or_path="evil/base"), "holds an adapter"),
    "an adapter alone": (
        lambda f: (change(f, "adapter_config.json", base_model_name_or_path="evil/base"),
                   (f / "config.json").unlink(), (f / PLAIN).unlink()), "holds an adapter"
    ),
    "a pickle by another name": (lambda f: (f / "shard.pt").rename(f / PLAIN), "cannot load"),
    "a config that is a list": (lambda f: (f / "config.json").write_text("[]"), "cannot load"),
    "a deep config": (lambda f: (f / "config.json").write_text("[" * 99_999), "cannot load"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_what_leads_out_of_a_folder_is_refused(folder: Path, touched: list[str], name: str) -> None:
    attack, message = ATTACKS[name]
    attack(folder)
    for load in (exegesis.load, exegesis.language):
        try:
            load(str(folder))
        except ExegesisError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            assert re.search(message, str(error))  # noqa: PT017
        else:
            assert name == "code of a tokenizer"  # read by another class, its code untouched
    assert touched == []
    assert not (folder.parent / "sprung").exists()
    assert not (folder / "ran").exists()


def test_the_canaries_sing(folder: Path, touched: list[str]) -> None:
    with pytest.raises(AssertionError):
        torch.load(folder / "shard.pt", weights_only=False)
    with pytest.raises(AssertionError):
        socket.create_connection(("127.0.0.1", 9))
    assert touched == ["load", "getaddrinfo"]


def test_what_is_harmless_loads(folder: Path, touched: list[str], tmp_path: Path) -> None:
    """Pickles beside the weights, names of the hub in a config, shards, a file inside that is linked."""
    change(folder, "config.json", _name_or_path="evil/hub", base_model_name_or_path="evil/base")
    change(folder, "tokenizer_config.json", tokenizer_file="/home/someone/else/tokenizer.json", name_or_path="evil/hub")
    (folder / "generation_config.json").write_text('{"custom_generate": "evil/code"}')
    (folder / "chat_template.jinja").write_text("{{ ''.__class__.__mro__ }}")
    whole = load_file(folder / PLAIN)
    names = sorted(whole)
    for number, part in enumerate((names[::2], names[1::2])):
        save_file({key: whole[key] for key in part}, folder / f"part-{number}.safetensors", {"format": "pt"})
    places = {key: f"part-{number % 2}.safetensors" for number, key in enumerate(names)}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / PLAIN).unlink()
    (folder / "part-1.safetensors").rename(folder / "real")
    (folder / "part-1.safetensors").symlink_to("real")
    (tmp_path / "here").symlink_to(folder)
    state = load_huggingface(tmp_path / "here").module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in whole.items())
    assert touched == []


def test_a_folder_of_the_hubs_cache_loads(folder: Path) -> None:
    """Its files are links to the blobs beside it."""
    cache = folder.parent / "models--some--film"
    snapshot, blobs = cache / "snapshots" / ("a" * 40), cache / "blobs"
    snapshot.parent.mkdir(parents=True)
    blobs.mkdir()
    folder.rename(snapshot)
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(blobs / str(number))
        path.symlink_to(f"../../blobs/{number}")
    assert load_huggingface(snapshot).labels == ("LABEL_0", "LABEL_1")


def test_files_of_the_hub(folder: Path) -> None:
    """A name on the hub is checked by the same rules, and what was checked is what is loaded."""
    import transformers

    commit = folder.rename(folder.with_name("b" * 40))
    asked = []

    def fetch(name: str, file: str, revision: str = "main", **_: object) -> str | None:
        asked.append((file, revision))
        return str(commit / file) if (commit / file).is_file() else None

    files = Files("some/film", fetch, {"revision": "main"})
    assert check_files(files, transformers) == [PLAIN]
    assert files.options == {"revision": commit.name}
    assert {revision for _, revision in asked[2:]} == {commit.name}
    index(commit, "../../../x.bin")
    with pytest.raises(FileError, match="in a pickled file"):
        check_files(Files("some/film", fetch), transformers)
    change(commit, "adapter_config.json", base="x")
    with pytest.raises(UnsupportedError, match="holds an adapter"):
        check_files(Files("some/film", fetch), transformers)


def test_bare_names() -> None:
    assert all(map(bare, ("model.safetensors", "a b.safetensors", "café", "model-00001-of-00002.safetensors")))
    wrong = ("", ".", "..", ".hidden", "a/b", "/a", "a\\b", "c:a", "a\nb", "a\0", "a/", "\u202ea")
    assert not any(map(bare, wrong))


def test_an_explainer_is_taken_for_a_language_model_only_if_its_task_is_named(tmp_path: Path) -> None:
    (tmp_path / "explainer.json").write_text('{"order": "predict-explain"}')
    with pytest.raises(exegesis.UsageError, match=r"tells a label and writes why: .* name its task"):
        exegesis.load(tmp_path)
    with pytest.raises(FileError, match=r"no config\.json"):
        exegesis.load(tmp_path, task="text2text-generation")
