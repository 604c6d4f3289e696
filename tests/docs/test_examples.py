"""Every example runs, offline and in seconds, and shows what it says it shows."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import exegesis
from tests.support.doc_pages import ROOT, furnish

EXAMPLES = ROOT / "examples"
FOLDER = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"


@pytest.fixture
def example(tmp_path, monkeypatch, capsys):
    """Runs an example as a program in a furnished folder, and gives what it prints."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run_and_their_values_show_themselves(path, tmp_path, monkeypatch):
    """The cells in order, as a kernel runs them, without one; notebooks are kept without their outputs."""
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells:
        assert cell["outputs"] == []
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), path.name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
            assert type(value).__module__.startswith(("builtins", "pathlib")) or re.search(
                "<div|widget-view", shown(value)
            )


def shown(value) -> str:
    """A value as a notebook shows it."""
    bundle = getattr(value, "_repr_mimebundle_", None)
    return value._repr_html_() if bundle is None else str(bundle())


def test_every_example_has_a_test():
    tested = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'example("{path.stem}"' in tested, f"no test runs {path.name}"


def test_quickstart(example, tmp_path):
    assert "positive" in example("quickstart")
    assert (tmp_path / "quickstart.html").exists()


def test_own_lstm_learns_and_is_explained(example, tmp_path):
    out = example("own_lstm", "own.html")
    assert float(out.split("fresh reviews: ")[1].split("%")[0]) > 95
    page = (tmp_path / "own.html").read_text("utf-8")
    assert all(name in page for name in ("reat", "integrated-gradients", "leave-one-out", "friendly"))


def test_corpus_writes_a_result_a_text(example, tmp_path):
    out = example("corpus", "reviews.tsv", "results.jsonl", "--text", "text")
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == len((tmp_path / "reviews.tsv").read_text("utf-8").splitlines()) - 1
    assert {line["target"] for line in lines} == {"logit:positive"}
    assert out.index("fine") < out.index("dull")


def test_comparison_draws_all_signed_methods(example, tmp_path):
    example("compare_methods", "A fine film, but too long.", "methods.svg")
    picture = (tmp_path / "methods.svg").read_text("utf-8")
    for card in exegesis.methods(exegesis.load()):
        shown = card.signed and card.name != "smoothgrad"  # its default is a norm
        assert (f">{card.name}</text>" in picture) == shown


def test_a_scikit_learn_pipeline(example):
    pytest.importorskip("sklearn")
    out = example("blackbox_sklearn")
    assert "lime" in out
    assert "broken" in out


def test_a_hugging_face_folder(example):
    out = example("huggingface", FOLDER, "A fine film.")
    assert "integrated-gradients" in out
    assert "fine" in out


def test_python_m_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "exegesis", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"exegesis {exegesis.__version__}\n")


def test_examples_and_scripts_name_no_home():
    for path in [*EXAMPLES.glob("*.py"), *(ROOT / "scripts").iterdir()]:
        if path.is_file():
            assert not re.search("/(home|root|Users)/", path.read_text("utf-8"))


def test_an_example_says_what_it_lacks(example, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(SystemExit, match=r"^this example needs scikit-learn: pip install scikit-learn$"):
        example("blackbox_sklearn")
