"""The command line in processes of its own where only these show it: pipes, signals, a terminal, imports."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import exegesis
from exegesis import _interrupt
from tests.support.command import TEXT

MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "  # ignored in background jobs
    "sys.argv[0] = 'exegesis'; from exegesis.cli import main; main()"
)
LIGHT = """
import sys
import exegesis
from exegesis.cli import run
from exegesis.show import render

for line in ("--help", "--version", "", "explain --help", "train --help", "study words --help"):
    assert run(line.split()) == 0
    print("----")
assert run(["explain", "--json", "x.gif", "a"]) == 2
result = exegesis.read(sys.argv[1])
print(result.top(1), result._repr_html_()[:5], repr(result))
for ending in ("html", "tex"):
    result.save(sys.argv[1] + "." + ending)
result.compare(result)
render(result)
assert not {"torch", "transformers", "matplotlib"} & set(sys.modules), "imported"
"""

ONE_TEXT = """
import sys
from exegesis.cli import run

assert run(["explain", "A fine film."]) == 0
heavy = {
    "transformers", "sympy", "torch._dynamo", "scipy", "sklearn", "pandas", "matplotlib", "jinja2", "spacy", "datasets",
    "exegesis.study", "exegesis.jobs", "exegesis.web", "exegesis.cli.studies", "exegesis.cli.training",
    "exegesis.api.trust", "exegesis.api.training_texts", "exegesis.models.huggingface.adapter",
    "exegesis.models.rationale_models", "exegesis.models.concept_models", "exegesis.models.trained.training",
}
print(sorted(heavy & set(sys.modules)), sum(name.startswith("exegesis.") for name in sys.modules))
"""


def start(*arguments: object, environment: dict[str, str] | None = None, **options) -> subprocess.Popen:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    given = os.environ | {"COLUMNS": "80", "OMP_NUM_THREADS": "1"} | (environment or {})
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    return subprocess.Popen(command, env=given, **(pipes | options))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """More texts than are explained in a second or two."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"{TEXT} {n}" for n in range(20_000)))
    return path


def test_help_errors_and_saved_results_load_nothing_heavy(call, tmp_path: Path) -> None:
    call("explain", TEXT, "--level", "all", "--json", tmp_path / "r.json")
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(tmp_path / "r.json")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *pages, shown = done.stdout.split("----\n")
    assert pages.pop(1) == f"exegesis {exegesis.__version__}\n"
    for page in pages:
        assert "Usage: exegesis" in page
        assert 'exegesis explain "' in page or "exegesis train " in page or "exegesis study words " in page  # examples
    assert "<div" in shown


def test_a_command_loads_no_more_than_its_answer_needs() -> None:
    """See "Light from the start" in docs/architecture.md."""
    done = subprocess.run([sys.executable, "-c", ONE_TEXT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded, _, count = done.stdout.splitlines()[-1].rpartition(" ")
    assert loaded == "[]"
    assert int(count) < 290  # modules of the package, of more than 600


def test_a_reader_that_leaves(folder: Path, texts: Path) -> None:
    process = start("explain", "--file", texts, "--limit", 3000, "--model", folder, "-M", "reat", "--json", "-")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr as messages:
        assert messages.read() == ""
    assert process.wait(60) == 0


def wait_for_part(process: subprocess.Popen, folder: Path) -> None:
    """Until the first results lie in the file of a run that is not over."""
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        if any(path.name.endswith(".partial") and path.stat().st_size for path in folder.iterdir()):
            return
        time.sleep(0.1)
    raise AssertionError("no results")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_in_the_middle(folder: Path, texts: Path, tmp_path: Path, end: signal.Signals) -> None:
    out = tmp_path / "results" / "out.jsonl"
    out.parent.mkdir()
    out.write_text("what stood there before\n")
    process = start("explain", "--file", texts, "--model", folder, "-M", "reat", "--json", out, "--quiet")
    wait_for_part(process, out.parent)
    process.send_signal(end)
    said = process.communicate(timeout=60)
    assert out.read_text() == "what stood there before\n"
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.jsonl", "out.jsonl.partial"]
    if end != signal.SIGKILL:
        assert (process.returncode, said[0]) == (130, "")
        assert re.fullmatch(r"exegesis: interrupted; \d+ of \d+ texts are done: [^\n]*--resume goes on\n", said[1])


EARLY = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
class Ends:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Ends())
"""


@pytest.mark.parametrize("at", ["exegesis.show", "numpy", "exegesis.cli.explain", "torch.nn", "exegesis.api"])
def test_an_interrupt_during_an_import(tmp_path: Path, at: str) -> None:
    """One line and 130, from the first import of the package on, and nothing is left."""
    (tmp_path / "sitecustomize.py").write_text(EARLY)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "exegesis", "explain", TEXT, "--json", str(tmp_path / "r.json")]
    given = os.environ | {"AT": at, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "exegesis: interrupted\n")
    assert not (tmp_path / "r.json").exists()


def test_an_interrupt_that_became_another_error(call, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        try:
            _interrupt.interrupt(2, None)
        except KeyboardInterrupt:
            raise ImportError("cannot import name 'x'") from None

    monkeypatch.setattr(_interrupt, "_came", [])
    monkeypatch.setattr("exegesis.api.load", lost)
    assert call("explain", TEXT) == (130, "", "exegesis: interrupted\n")


def test_an_end_while_a_model_is_saved(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at the worst moment, between two files of the folder, no folder bears the name."""
    (tmp_path / "t.tsv").write_text("".join(f"a fine film {n}\tgood\na bad film {n}\tbad\n" for n in range(20)))
    given = ["t.tsv", "--out", "model", "--epochs", "1", "--hidden", "4", "--embedding", "4"]
    kill = (
        "import os, signal, exegesis.models.trained.folder as f; write = f._write; seen = []\n"
        "def die(path, content):\n"
        "    seen.append(path)\n"
        "    if len(seen) == 3: path.write_bytes(content[:9]); os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(path, content)\n"
        "f._write = die\n"
    )
    arguments = f"from exegesis.cli import run; raise SystemExit(run({['train', *given]!r}))"
    done = subprocess.run([sys.executable, "-c", kill + arguments], cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done
    assert not (tmp_path / "model").exists()
    monkeypatch.chdir(tmp_path)
    resumed = call("train", *given, "--resume")
    assert resumed.code == 0, resumed.err
    said = call("predict", "a fine film", "--model", "model")
    assert said.code == 0
    assert said.out.startswith(("good ", "bad "))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "t.tsv"]


def test_an_end_just_before_the_checkpoint_goes(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run knows by its checksum that the folder was made of it; one of another run stays."""
    monkeypatch.chdir(tmp_path)
    Path("t.tsv").write_text("".join(f"a fine film {n}\tgood\na bad film {n}\tbad\n" for n in range(20)))
    given = ["train", "t.tsv", "--out", "model", "--epochs", "1", "--hidden", "4", "--embedding", "4", "-q"]
    unlink = Path.unlink

    def end(self: Path, **options: bool) -> None:
        if self.name == "model.checkpoint":
            raise KeyboardInterrupt
        unlink(self, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", end)
        assert call(*given).code == 130
    assert sorted(os.listdir()) == ["model", "model.checkpoint", "t.tsv"]
    checkpoint = Path("model.checkpoint").read_bytes()
    assert call(*given, "--resume", "--overwrite").code == 0  # went on from it
    assert sorted(os.listdir()) == ["model", "t.tsv"]
    Path("model.checkpoint").write_bytes(checkpoint)
    assert "exists already" in call(*given).err
    assert sorted(os.listdir()) == ["model", "t.tsv"]
    Path("model.checkpoint").write_bytes(checkpoint[:-1] + b"x")
    assert "exists already" in call(*given).err
    assert sorted(os.listdir()) == ["model", "model.checkpoint", "t.tsv"]


def on_a_terminal(*arguments: object, environment: dict[str, str] | None = None) -> str:
    """What a terminal of 40 columns gets from standard output and standard error."""
    ours, theirs = pty.openpty()
    given = {"TERM": "xterm-256color", "COLUMNS": "40"} | (environment or {})
    process = start(*arguments, environment=given, stdout=theirs, stderr=theirs, text=False)
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        found += part
    os.close(ours)
    assert process.wait(60) == 0, found
    return found.decode()


def test_a_terminal_has_colours(folder: Path) -> None:
    assert "\x1b[38;5;" in on_a_terminal("explain", TEXT, "--model", folder)


def test_lines_through_a_pipe(folder: Path) -> None:
    process = start("explain", "-", "--model", folder, "--json", "-", stdin=subprocess.PIPE)
    out, err = process.communicate("a fine film\n\nשלום 😀 עולם\n", timeout=60)
    assert (process.returncode, err.splitlines()) == (0, ["1 blank line left out (standard input, line 2)"])
    assert [json.loads(line)["words"] for line in out.splitlines()] == [["a", "fine", "film"], ["שלום", "😀", "עולם"]]
