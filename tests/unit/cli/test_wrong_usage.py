"""What is wrong is said in one line on standard error, with what to do; standard output is empty; exit code 1 or 2."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from exegesis.cli.complaints import spoken
from tests.support.command import TEXT


def refused(said, code: int, *parts: str) -> str:
    assert said.code == code, said
    assert said.out == ""
    assert said.err.startswith("exegesis: ")
    assert said.err.endswith("\n")
    assert said.err.count("\n") == 1
    assert "unexpected failure" not in said.err
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err, said.err
    return said.err


@pytest.mark.parametrize(
    ("given", "code", "parts"),
    [
        (["--method", "raet"], 2, ["unknown method 'raet'", "did you mean 'reat'"]),
        (["--method", "lime", "-p", "sample=3"], 2, ["unknown parameter of lime 'sample'", "did you mean 'samples'"]),
        (["--method", "lime", "-p", "samples"], 2, ["write NAME=VALUE"]),
        (["--html", "a.html", "--report", "b.html"], 2, ["--html and --report are one option, it takes one value"]),
        (["--inside", "gates"], 2, ["gates have an option of their own: --gates"]),
        (["--most", "0"], 2, ["--most must be a whole number"]),
        (["--label", "x"], 2, ["--label belongs to --file"]),
        (["--method", "lime", "-p", "samples=abc"], 2, ["lime: samples must be a whole number of", "not 'abc'"]),
        (["--method", "lime", "-p", "samples=2.5"], 2, ["samples must be a whole number of at least 2, not '2.5'"]),
        (["--method", "lime", "-p", "samples=true"], 2, ["samples must be a whole number of at least 2, not 'true'"]),
        (["--method", "lime", "-p", "samples=0"], 2, ["samples must be a whole number of at least 2, not '0'"]),
        (["--method", "lime", "-p", "kernel=NaN"], 2, ["kernel must be a number above 0, not 'NaN'"]),
        (["--method", "lime", "-p", "how=dorp"], 2, ["'dorp'", "did you mean 'drop'"]),
        (["--method", "gradient", "-p", "norm=l3"], 2, ["'l3'", "l2"]),
        (["--method", "integrated-gradients", "-p", "baseline=noise"], 2, ["baseline must be zero, ", "not 'noise'"]),
        (["--method", "integrated-gradients", "-p", "baseline=mask"], 1, ["no mask token"]),
        (["--method", "reat", "-p", "samples=3"], 2, ["no parameters belong to reat"]),
        (["--method", "reat", "--target", "probability:good"], 1, ["cannot decompose a probability", "logit:"]),
        (["--method", "input-reduction", "--target", "all"], 2, ["keeps the predicted label"]),
        (["--target", "goood"], 2, ["unknown label 'goood'", "did you mean 'good'"]),
        (["--target", "7"], 2, ["label number 7 is out of range", "bad, good, so-so"]),
        (["--target", "margin:good"], 2, ["a margin names two labels"]),
        (["--target", "margin:good,good"], 2, ["two different labels"]),
        (["--level", "phrases"], 2, ["unknown level 'phrases'", "did you mean 'phrase'"]),
        (["--palette", "blue-orang"], 2, ["unknown palette", "did you mean 'blue-orange'"]),
        (["--device", "abacus"], 2, ["the device 'abacus' cannot be used here"]),
        (["--pair", "b"], 2, ["one text at a time"]),
        (["another", "--pair", "b"], 2, ["--pair goes with one text"]),
        (["-"], 2, ["'-' is standard input and goes alone"]),
        (["--column", "x"], 2, ["belongs to --file"]),
        (["--pair-column", "x"], 2, ["belongs to --file"]),
        (["--file", "x.txt"], 2, ["not both"]),
        (["--limit", "0"], 2, ["--limit"]),
        (["--limit", "many"], 2, ["--limit"]),
        (["--nonsense"], 2, ["--nonsense"]),
        (["--html", "x.txt"], 2, ["must end in .html"]),
        (["--figure", "x.gif"], 2, ["must end in .svg"]),
        (["--json", "x.yaml"], 2, ["must end in .json or .jsonl", "standard output"]),
        (["--json", "nowhere/x.json"], 1, ["no such folder"]),
        (["--html", "nowhere/x.html"], 1, ["no such folder"]),
        (["--json", "x" * 300 + ".json"], 1, ["cannot write"]),
        (["--json", "a\0b.json"], 1, ["cannot write"]),
        (["--model", "./nowhere"], 1, ["there is no folder './nowhere'"]),
        (["--model", "nowhere/"], 1, ["there is no folder 'nowhere/'"]),
        (["--model", ""], 1, ["the name of the model is empty"]),
    ],
)  # fmt: skip
def test_options(call, given: list[str], code: int, parts: list[str], tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(call("explain", TEXT, *given), code, *parts)
    assert list(tmp_path.iterdir()) == []


def test_commands(call) -> None:
    refused(call("explian", TEXT), 2, "explian", "explain")
    refused(call("--nonsense"), 2, "--nonsense")
    refused(call("methods", "--for", "./nowhere"), 1, "there is no folder")
    refused(call("methods", "extra"), 2, "extra")
    refused(call("methods", "--for"), 2, "--for")


@pytest.mark.parametrize("blank", ["", " ", "\t\n ", "\u00a0\u2003", "\u3000"])
@pytest.mark.parametrize("verb", ["explain", "predict"])
def test_blank_texts(call, blank: str, verb: str) -> None:
    refused(call(verb, blank), 2, "the text is empty or blank; give a text")
    refused(call(verb, "fine", blank), 2, "text 2 of 2: the text is empty or blank")


@pytest.mark.parametrize("verb", ["explain", "predict"])
def test_no_text(call, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" \n\n")))
    refused(call(verb), 2, "standard input holds no text; give")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stdin in (Terminal(), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        refused(call(verb), 2, "no text given", "exegesis explain")


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("t.txt", b"", ["t.txt: holds no rows; give at least one text"]),
        ("t.txt", b"  \n\n", ["t.txt: holds no rows"]),
        ("t.txt", b"a\nb\0c\n", ["t.txt, line 2", "NUL byte"]),
        ("t.tsv", b"a\tb\nc\n", ["t.tsv, line 2: 1 cell where 2 are expected"]),
        ("t.tsv", b"text\tlabel\n\t1\n", ["t.tsv, line 2: the text is empty"]),
        ("t.tsv", b"a\tb\tc\n1\t2\t3\n", ["say which column holds the text"]),
        ("t.csv", b'text\n"a', ["t.csv, line 2: broken CSV"]),
        ("t.jsonl", b'{"text": "a"}\n{"text": "b', ["t.jsonl, line 2: not JSON", "one object per line"]),
        ("t.jsonl", b'{"text": "a"}\n[1]', ["t.jsonl, line 2: not a JSON object"]),
        ("t.jsonl", b'{"text": "a"}\n{"text": null}', ["t.jsonl, line 2: the text is empty"]),
        ("t.pdf", b"%PDF", ["t.pdf: unknown kind of file '.pdf'; give one of .tsv, .csv, .jsonl, .txt"]),
    ],
)
def test_files_of_texts(call, name: str, content: bytes, parts: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    code = 2 if "column" in parts[0] or "kind of file" in parts[0] else 1
    for verb in ("explain", "predict"):
        refused(call(verb, "--file", tmp_path / name), code, *parts)


def test_files_that_are_none(call, tmp_path: Path) -> None:
    refused(call("explain", "--file", tmp_path / "none.txt"), 1, "none.txt", "No such file", "check the path")
    refused(call("explain", "--file", tmp_path), 2, "is a folder; give a .txt")
    (tmp_path / "t.tsv").write_text("text\tlabel\na\t1\n")
    given = ["explain", "--file", tmp_path / "t.tsv"]
    refused(call(*given, "--column", "txet"), 2, "unknown column 'txet'", "did you mean 'text'")
    refused(call(*given, "--column", "3"), 2, "no text column 3")
    refused(call(*given, "--pair", "b"), 2, "--pair-column")
    refused(call(*given, "--pair-column", "label"), 2, "one text at a time")


def test_methods_that_a_model_cannot_serve(call, pairs: Path) -> None:
    for method in ("reat", "naive-reat"):
        said = call("explain", TEXT, "--model", pairs, "--method", method)
        refused(said, 1, f"{method} needs a ", "this model can serve: attention-relevance, ")


def test_a_wrong_method_among_good_ones_stops_all(call, pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    refused(call("explain", TEXT, "--model", pairs, "-M", "gradient", "-M", "reat", "--json", path), 1, "reat needs a")
    assert not path.exists()


def test_a_name_that_is_no_folder_and_no_connection(call, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    class Session:
        def head(self, url: str, timeout: float) -> None:
            asked.append(url)
            raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    for name in ("bundeld", "someone/something"):
        refused(call("explain", TEXT, "--model", name), 1, f"there is no folder '{name}'", "the hub cannot be reached")
    assert len(asked) == 2  # one request each, no waiting


def test_a_message_with_odd_characters_stays_one_line(call) -> None:
    refused(call("explain", TEXT, "--target", "a\nb\x1b[2J\ud800\u2028"), 2, r"\x1b[2J\ud800\u2028")
    refused(call("explain", TEXT, "--html", "a\x1b[2J\x07\u202e.txt"), 2, r"--html a\x1b[2J\x07\x202e.txt: the name")


def test_what_was_not_foreseen(call, monkeypatch: pytest.MonkeyPatch) -> None:
    import exegesis.api

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a\nsurprise")

    monkeypatch.setattr(exegesis.api, "load", broken)
    monkeypatch.delenv("EXEGESIS_DEBUG", raising=False)
    said = call("explain", TEXT)
    assert (said.code, said.out) == (1, "")
    assert said.err == "exegesis: unexpected failure (RuntimeError: a); EXEGESIS_DEBUG=1 shows where\n"
    monkeypatch.setenv("EXEGESIS_DEBUG", "1")
    with pytest.raises(RuntimeError, match="surprise"):
        call("explain", TEXT)


def test_a_text_for_which_memory_does_not_do(call, monkeypatch: pytest.MonkeyPatch) -> None:
    from exegesis.questions.attributions.reat import Reat

    def greedy(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")

    monkeypatch.setattr(Reat, "__call__", greedy)
    refused(
        call("explain", "a", TEXT, "-M", "reat"),
        1,
        "reat needs more memory than there is for a text of 9 words ('The fight",
        "shorter",
    )


def test_an_option_of_one_value_is_not_given_twice(call) -> None:
    for first, second in (("--figure", "--figure"), ("--model", "-m"), ("--html", "--report")):
        said = call("explain", TEXT, first, "a.svg", f"{second}=b.svg" if second[1] == "-" else second, "b.svg")
        told = f"{second} is given twice and" if first == second else f"{first} and {second} are one option, it"
        refused(said, 2, f"{told} takes one value: give it once")
    refused(call("methods", "--", "--for", "--for"), 2)  # texts after the two dashes are no options


def test_what_people_look_for_is_named(call) -> None:
    refused(call("explain", TEXT, "-M", "shap"), 2, "unknown method 'shap'; did you mean 'shapley'? (known: ")
    refused(call("explain", TEXT, "-M", "attention"), 2, "explain --attention")
    refused(call("methods", "nolime"), 2, "did you mean 'lime'?")


def test_options_of_runs_and_selectors_that_would_do_nothing(call, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    refused(call("run", "x.tsv", "--store", store, "--top", "3"), 2, "--top belongs to --influence")
    given = ["--arch", "rationale", "--encoder", "bert", "--out", store]
    refused(call("train", "x.tsv", *given), 2, "unknown --encoder 'bert' (known: lstm, gru, cnn, hf:FOLDER)")
    together = spoken("influence=METHOD and train=DATA belong together: name both, or none")
    assert spoken("and this is one text: leave lines out") == "and this is one text: leave --lines out"
    assert together.startswith("--influence METHOD and --train DATA belong")


def test_errors_speak_of_the_options_of_the_command_line() -> None:
    assert spoken("give truncate=True, or encoding='cp1252'") == "give --truncate, or --encoding cp1252"
    assert spoken("most=12, unless most= says; how='pad'") == "--most 12, unless --most says; --param how=pad"
