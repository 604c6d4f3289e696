"""The installed command in processes of its own: pipes, signals, terminals, and what is not imported."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import exegesis

TEXT = "The fight scenes are fun but it grows tedious"
MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "  # ignored in background jobs
    "sys.argv[0] = 'exegesis'; from exegesis.cli import main; main()"
)


def start(*arguments: object, environment: dict[str, str] | None = None, **options) -> subprocess.Popen:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    given = os.environ | {"COLUMNS": "80", "OMP_NUM_THREADS": "1"} | (environment or {})
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    return subprocess.Popen(command, env=given, **(pipes | options))


def ran(*arguments: object, **options) -> tuple[int, str, str]:
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """More texts than are explained in a second or two."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"{TEXT} {n}" for n in range(50_000)))
    return path


def without_torch(code: str) -> str:
    check = "; import sys; assert not {'torch', 'transformers', 'matplotlib'} & set(sys.modules), 'imported'"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("given", [["--help"], ["--version"], [], ["explain", "--help"], ["train", "--help"]])
def test_help_and_version_load_nothing_heavy(given: list[str]) -> None:
    out = without_torch(f"from exegesis.cli import run; assert run({given!r}) == 0")
    if given == ["--version"]:
        assert out == f"exegesis {exegesis.__version__}\n"
    else:
        assert "Usage: exegesis" in out
        assert 'exegesis explain "' in out or "exegesis train " in out  # examples
    wrong = "from exegesis.cli import run; assert run(['explain', '--json', 'x.gif', 'a']) == 2"
    assert without_torch(wrong) == ""


def test_examples_stay_whole_in_eighty_columns() -> None:
    for verb in ("explain", "predict", "methods", "train"):
        code, out, _ = ran(verb, "--help", environment={"NO_COLOR": "1"})
        assert code == 0
        examples = [line for line in out.splitlines() if f"exegesis {verb} " in line and "Usage" not in line]
        assert examples
        assert all(line.count('"') % 2 == 0 for line in examples)


def test_a_saved_result_is_read_and_shown_without_torch(call, tmp_path: Path) -> None:
    call("explain", TEXT, "--level", "all", "--json", tmp_path / "r.json")
    code = (
        f"import exegesis; r = exegesis.read({str(tmp_path / 'r.json')!r}); print(r.top(1), r._repr_html_()[:5]); "
        f"r.save({str(tmp_path / 'r.html')!r}); r.save({str(tmp_path / 'r.tex')!r}); repr(r); r.compare(r); "
        "from exegesis.show.terminal.page import render; render(r)"
    )
    assert "<div" in without_torch(code)


def test_a_reader_that_leaves(folder: Path, texts: Path) -> None:
    for given in (["--json", "-"], []):
        process = start("explain", "--file", texts, "--limit", 3000, "--model", folder, *given)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        with process.stderr as messages:
            assert messages.read() == ""
        assert process.wait(60) == 0


def wait_for_part(process: subprocess.Popen, folder: Path) -> None:
    """Until the first results lie in a temporary file."""
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        if any(path.name.startswith(".out") and path.stat().st_size for path in folder.iterdir()):
            return
        time.sleep(0.1)
    raise AssertionError("no results")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_in_the_middle(folder: Path, texts: Path, tmp_path: Path, end: signal.Signals) -> None:
    out = tmp_path / "results" / "out.jsonl"
    out.parent.mkdir()
    out.write_text("what stood there before\n")
    process = start("explain", "--file", texts, "--model", folder, "--json", out, "--quiet")
    wait_for_part(process, out.parent)
    process.send_signal(end)
    said = process.communicate(timeout=60)
    assert out.read_text() == "what stood there before\n"
    if end != signal.SIGKILL:
        assert (process.returncode, *said) == (130, "", "exegesis: interrupted\n")
        assert list(out.parent.iterdir()) == [out]


def test_an_end_while_a_model_is_saved(tmp_path: Path) -> None:
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
    code, out, err = ran("train", *given, "--resume", cwd=tmp_path)
    assert code == 0, err
    code, out, _ = ran("predict", "a fine film", "--model", "model", cwd=tmp_path)
    assert code == 0
    assert out.startswith(("good ", "bad "))


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


def test_terminals(folder: Path) -> None:
    given = ["explain", TEXT, "--model", folder]
    assert "\x1b[38;5;" in on_a_terminal(*given)
    plain = on_a_terminal(*given, environment={"NO_COLOR": "1"})
    assert "38;5" not in plain
    assert "tedious" in plain
    code, out, err = ran(*given, environment={"COLUMNS": "30", "PYTHONIOENCODING": "ascii"})
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert out.isascii()
    assert max(len(line.replace("\\xb7", ".")) for line in out.splitlines()) <= 30


def test_standard_output_stays_clean_of_progress(folder: Path) -> None:
    """With a terminal for messages only, results still go where they should."""
    ours, theirs = pty.openpty()
    process = start("explain", TEXT, TEXT, "--model", folder, "--json", "-", stderr=theirs)
    out, _ = process.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert [json.loads(line)["text"] for line in out.splitlines()] == [TEXT, TEXT]


def test_places_that_cannot_be_written(folder: Path) -> None:
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            code, _, err = ran("explain", TEXT, "--model", folder, stdout=full)
        assert (code, err) == (1, "exegesis: cannot read or write standard output (No space left on device)\n")


def test_lines_through_a_pipe(folder: Path) -> None:
    process = start("explain", "-", "--model", folder, "--json", "-", stdin=subprocess.PIPE)
    out, err = process.communicate("a fine film\n\nשלום 😀 עולם\n", timeout=60)
    assert (process.returncode, err.splitlines()) == (0, ["1 blank line left out (standard input, line 2)"])
    assert [json.loads(line)["words"] for line in out.splitlines()] == [["a", "fine", "film"], ["שלום", "😀", "עולם"]]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("view", [["--level", "all"], ["--hierarchy", "acd"], ["--numbers"]])
def test_where_the_encoding_has_no_box_characters_rows_stand_as_in_others(view: list[str], encoding: str) -> None:
    drawn = []
    for name in ("utf-8", encoding):
        process = start("explain", f"{TEXT} \u4e2d", *view, environment={"PYTHONIOENCODING": name}, text=False)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, b"")
        drawn.append([line for line in out.decode(name).splitlines() if " ms" not in line])
    whole, plain = drawn
    assert [len(line.replace("\u4e2d", "\\u4e2d")) for line in whole] == list(map(len, plain))
    assert "\\u4e2d" in "".join(plain)  # a character that has no likeness is escaped
    assert "\\u25" not in "".join(plain)
    assert any("+--" in line or "|#" in line or "#|" in line for line in plain)
