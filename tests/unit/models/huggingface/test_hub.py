"""Models and datasets by their names on the hub, through the real client libraries and a hub on this machine."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("datasets")
pytest.importorskip("transformers")

import tests.support.hf_toys as hf_toys
from tests.support.mini_hub import serving


def run(address: str, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE"))}
    places = {"HF_ENDPOINT": address, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}
    places |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-m", "exegesis", *arguments]
    return subprocess.run(command, env={**own, **places}, capture_output=True, text=True, timeout=120, check=False)


def test_a_model_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models" / "some" / "critic"
    hf_toys.bert().float().save_pretrained(folder)
    hf_toys.wordpiece().save_pretrained(folder)
    told = ("explain", "a good film", "--method", "leave-one-out", "--json", "-")
    with serving(tmp_path / "hub") as (address, asked):
        found = run(address, tmp_path / "cache", *told, "--model", "some/critic")
        assert found.returncode == 0, found.stderr
        assert any(line.endswith("model.safetensors") and line.startswith("GET") for line in asked)
        missing = run(address, tmp_path / "cache", *told, "--model", "some/other")
    here = run("http://127.0.0.1:9", tmp_path / "empty", *told, "--model", str(folder))
    again = run("http://127.0.0.1:9", tmp_path / "cache", *told, "--model", "some/critic")  # no hub: from its cache
    scores = [json.loads(each.stdout)["scores"] for each in (found, here, again)]
    assert scores[0] == scores[1] == scores[2]
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "some/other" in missing.stderr


def test_a_dataset_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "datasets" / "some" / "reviews"
    folder.mkdir(parents=True)
    for split, count in (("train", 40), ("validation", 16), ("test", 10)):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = [[f"the film is {('bad', 'good')[i % 2]}", ("no", "yes")[i % 2]] for i in range(count)]
            csv.writer(file).writerows([["text", "label"], *rows])
    shape = ("--epochs", "1", "--hidden", "4", "--embedding", "4", "--out", str(tmp_path / "model"))
    with serving(tmp_path / "hub") as (address, asked):
        found = run(address, tmp_path / "cache", "train", "some/reviews", *shape)
        assert found.returncode == 0, found.stderr
        assert any(line.startswith("GET") and line.endswith("test.csv") for line in asked)
        missing = run(address, tmp_path / "cache", "train", "some/other", *shape, "--overwrite")
    assert "of 10 texts" in found.stdout
    assert missing.returncode == 1
    assert "some/other" in missing.stderr
    assert missing.stderr.count("\n") == 1
