"""Models and datasets by their names on the hub, through the real client libraries and a hub on this machine.

The clients read where the hub is when they are imported, so commands run in a process of their own; all in one, since
the imports take longer than all the rest.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("datasets")
pytest.importorskip("transformers")

import tests.support.hf_toys as hf_toys
from tests.support.mini_hub import serving

RUN_EACH = """
import contextlib, io, json, sys
from exegesis.cli import run
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@contextmanager
def commands(address: str, cache: Path) -> Iterator[Callable[..., Ended]]:
    """A function that runs a command in one process for all, where the hub has this address."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE"))}
    places = {"HF_ENDPOINT": address, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}
    places |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", RUN_EACH], env={**own, **places}, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(*arguments: str) -> Ended:
            print(json.dumps(arguments), file=process.stdin, flush=True)
            return Ended(*json.loads(process.stdout.readline()))

        yield run
        process.stdin.close()


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
    with ExitStack() as open_until_the_end, ExitStack() as hub:
        address, asked = hub.enter_context(serving(tmp_path / "hub"))
        run = open_until_the_end.enter_context(commands(address, tmp_path / "cache"))
        found, no_model = run(*asking, "some/critic"), run(*asking, "some/other")
        trained = run("train", "some/reviews", *shape)
        no_dataset = run("train", "some/strange", *shape, "--overwrite")
        hub.close()  # from here on there is none: models come from the cache
        again, here = run(*asking, "some/critic"), run(*asking, str(critic))
    assert found.code == 0, found.err
    assert any(line.endswith("model.safetensors") and line.startswith("GET") for line in asked)
    is_one_line_about(no_model, "some/other")
    assert trained.code == 0, trained.err
    assert any(line.startswith("GET") and line.endswith("test.csv") for line in asked)
    assert "of 10 texts" in trained.out
    is_one_line_about(no_dataset, "some/strange")
    assert again.code == here.code == 0, again.err + here.err
    scores = [json.loads(each.out)["scores"] for each in (found, again, here)]
    assert scores[0] == scores[1] == scores[2]
