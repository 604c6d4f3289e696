"""Models and datasets by their names on the hub, through the real client libraries and a hub on this machine.

The clients read where the hub is when they are imported, so commands run in processes of their own; those that ask the
same hub run in one, since the imports take longer than all the rest.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("datasets")
pytest.importorskip("transformers")

import tests.support.hf_toys as hf_toys
from tests.support.mini_hub import serving

RUN_ALL = """
import contextlib, io, json, sys
from exegesis.cli import run
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def run(address: str, cache: Path, *commands: tuple[str, ...]) -> list[Ended]:
    """The commands, one after the other, where the hub has this address."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE"))}
    places = {"HF_ENDPOINT": address, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}
    places |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    ended = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(commands), env={**own, **places}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [Ended(*json.loads(line)) for line in ended.stdout.splitlines()]


def is_one_line_about(ended: Ended, name: str) -> None:
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert name in ended.err


def test_models_and_datasets_by_their_names(tmp_path: Path) -> None:
    critic = tmp_path / "hub" / "models" / "some" / "critic"
    hf_toys.bert().float().save_pretrained(critic)
    hf_toys.wordpiece().save_pretrained(critic)
    reviews = tmp_path / "hub" / "datasets" / "some" / "reviews"
    reviews.mkdir(parents=True)
    for split, count in (("train", 40), ("validation", 16), ("test", 10)):
        with (reviews / f"{split}.csv").open("w", newline="") as file:
            rows = [[f"the film is {('bad', 'good')[i % 2]}", ("no", "yes")[i % 2]] for i in range(count)]
            csv.writer(file).writerows([["text", "label"], *rows])
    asking = ("explain", "a good film", "--method", "leave-one-out", "--json", "-", "--model")
    shape = ("--epochs", "1", "--hidden", "4", "--embedding", "4", "--out", str(tmp_path / "model"))
    with serving(tmp_path / "hub") as (address, asked):
        found, no_model, trained, no_dataset = run(
            address,
            tmp_path / "cache",
            (*asking, "some/critic"),
            (*asking, "some/other"),
            ("train", "some/reviews", *shape),
            ("train", "some/strange", *shape, "--overwrite"),
        )
    assert found.code == 0, found.err
    assert any(line.endswith("model.safetensors") and line.startswith("GET") for line in asked)
    is_one_line_about(no_model, "some/other")
    assert trained.code == 0, trained.err
    assert any(line.startswith("GET") and line.endswith("test.csv") for line in asked)
    assert "of 10 texts" in trained.out
    is_one_line_about(no_dataset, "some/strange")
    again, here = run(  # no hub: from the cache
        "http://127.0.0.1:9", tmp_path / "cache", (*asking, "some/critic"), (*asking, str(critic))
    )
    scores = [json.loads(each.out)["scores"] for each in (found, again, here)]
    assert scores[0] == scores[1] == scores[2]
