"""Files are written whole or not at all, whatever fails, and whenever."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest

import exegesis
from exegesis.core.disk.files import try_writing, write_whole, writing
from exegesis.core.errors import FileError
from tests.support.command import TEXT
from tests.unit.cli.test_wrong_usage import refused

ENDINGS = [("--json", ".json"), ("--json", ".jsonl"), ("--html", ".html"), ("--figure", ".svg"), ("--figure", ".tex")]


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
@pytest.mark.parametrize(("option", "ending"), ENDINGS)
def test_a_full_disk(call, tmp_path: Path, monkeypatch, option: str, ending: str, broken: str, before) -> None:
    path = tmp_path / f"r{ending}"
    if before is not None:
        path.write_text(before)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if broken == "write":
        Full = type("Full", (io.BufferedWriter,), {"write": full})
        monkeypatch.setattr(os, "fdopen", lambda handle, mode: Full(io.FileIO(handle, mode)))
    else:
        monkeypatch.setattr(os, broken, full)
    said = call("explain", TEXT, option, path, "--quiet")
    monkeypatch.undo()
    refused(said, 1, f"cannot write {path} (No space left on device); choose another place")
    assert listing(tmp_path) == ([] if before is None else [path.name])
    assert before is None or path.read_text() == before


@pytest.mark.parametrize(("option", "ending"), ENDINGS)
def test_work_that_fails_midway(call, tmp_path: Path, monkeypatch, option: str, ending: str) -> None:

    import exegesis.api

    monkeypatch.setattr(import_module("exegesis.cli.explain"), "PART", 2)
    explain, calls = exegesis.api.Plan.explain, []

    def failing(self, texts, advance):
        calls.append(texts)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return explain(self, texts, advance)

    monkeypatch.setattr(exegesis.api.Plan, "explain", failing)
    said = call("explain", *[TEXT] * 9, option, tmp_path / f"r{ending}", "--quiet")
    assert said == (130, "", "exegesis: interrupted\n")
    assert len(calls) == 3
    assert listing(tmp_path) == []


def test_a_view_that_fails_leaves_no_other_file(call, tmp_path: Path, monkeypatch) -> None:
    from exegesis.show.figure import svg

    def broken(_: object) -> bytes:
        raise RuntimeError("cannot draw")

    monkeypatch.setattr(svg, "written", broken)
    given = ["--json", tmp_path / "r.jsonl", "--html", tmp_path / "r.html", "--figure", tmp_path / "r.svg"]
    assert call("explain", TEXT, *given, "--quiet").code == 1
    assert listing(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_for_reading_only(call, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for option, ending in ENDINGS:
        refused(call("explain", TEXT, option, tmp_path / f"r{ending}"), 1, "cannot write", "ermission denied")
    tmp_path.chmod(0o700)


def test_a_place_that_refuses_is_seen_before_the_work(call, tmp_path: Path, monkeypatch) -> None:
    import exegesis.api

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(exegesis.api, "load", lambda *_, **__: pytest.fail("the work was begun"))
    for option, ending in ENDINGS:
        said = call("explain", TEXT, option, tmp_path / f"r{ending}")
        refused(said, 1, "cannot write", "permission denied", "choose another place")


def test_folders_in_the_way(call, tmp_path: Path) -> None:
    for option, ending in ENDINGS:
        (tmp_path / f"r{ending}").mkdir()
        refused(call("explain", TEXT, option, tmp_path / f"r{ending}"), 1, "it is a folder")


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert write_whole(tmp_path / "link.txt", "new \ud800") == tmp_path / "link.txt"
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new \\ud800"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640
    assert listing(tmp_path) == ["link.txt", "real.txt"]
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "fresh.txt", b"x")
    finally:
        os.umask(mask)
    assert (tmp_path / "fresh.txt").stat().st_mode & 0o777 == 0o640


def test_odd_places(tmp_path: Path) -> None:
    write_whole(tmp_path / ("x" * 250 + ".txt"), "a long name")
    write_whole("/dev/null", "nothing")
    for place in (tmp_path, tmp_path / "none" / "x.txt", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(FileError, match=r"cannot write .*; choose another place$"):
            write_whole(place, "x")
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(FileError, match="cannot write"):
        write_whole(tmp_path / "round", "x")


def test_parts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "parts.txt"
    with writing(path) as put:
        put("one ")
        assert not path.exists()
        put(b"two")
        assert not path.exists()
    assert path.read_text() == "one two"
    with pytest.raises(ZeroDivisionError), writing(path) as put:  # noqa: PT012 - it fails within the block
        put("three")
        raise ZeroDivisionError
    assert path.read_text() == "one two"
    assert listing(tmp_path) == ["parts.txt"]


def test_options_of_views(call, tmp_path: Path) -> None:
    call("explain", TEXT, "--json", tmp_path / "r.json")
    result = exegesis.read(tmp_path / "r.json")
    result.save(tmp_path / "a.svg", palette="blue-orange", numbers=True)
    result.save(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() != (tmp_path / "b.svg").read_bytes()
    for ending, options in [(".json", {"palette": "blue-orange"}), (".svg", {"colour": 1}), (".html", {"numbers": 1})]:
        with pytest.raises(
            exegesis.core.errors.UsageError, match=f"a {ending} file has no option '{next(iter(options))}'"
        ):
            result.save(tmp_path / f"c{ending}", **options)
        assert not (tmp_path / f"c{ending}").exists()
    with pytest.raises(FileError, match=r"no way to save as '\.gif'; known endings: \.json"):
        result.save(tmp_path / "c.gif")


WAITS = """
import sys
from exegesis.core.disk.files import writing
with writing(sys.argv[1]) as put:
    put("half")
    print("writes", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path) -> None:
    target, other = tmp_path / "a.jsonl", tmp_path / ".a.jsonl.mine.exegesis"
    other.write_text("a file of the user's")
    started = [
        subprocess.Popen([sys.executable, "-c", WAITS, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    dead, alive = started
    for one in started:
        assert one.stdout.readline() == b"writes\n"
    left = sorted(tmp_path.iterdir())
    assert len(left) == 3
    dead.kill()
    dead.communicate()
    try_writing(target)
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(target, "whole")
    assert len(list(tmp_path.iterdir())) == 3
    assert alive.communicate(b"")[0] == b""
    assert alive.returncode == 0
    assert target.read_text() == "half"  # the one that lives was left to end
    assert sorted(tmp_path.iterdir()) == sorted([target, other])
