"""Folders replaced as a whole, whenever the process ends: what is left is put right by the next run."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exegesis.core.disk.checksums import check_checksums, checksum, checksums, with_checksums
from exegesis.core.disk.folders import recover, replacing
from exegesis.core.errors import FileError

STEPS = ("rename", "replace", "mkdir", "rmdir", "unlink", "fsync")  # what the system is asked for


def replace(target: Path, content: str) -> None:
    with replacing(target) as fresh:
        (fresh / "a.txt").write_text(content)
        (fresh / "b.txt").write_text(content)


def content(target: Path) -> str:
    parts = {path.name: path.read_text() for path in target.iterdir()}
    assert set(parts) == {"a.txt", "b.txt"}
    assert len(set(parts.values())) == 1
    return parts["a.txt"]


def counted(monkeypatch: pytest.MonkeyPatch, at: int, end: object) -> list[str]:
    """Count the steps from now on, and end at one of them."""
    steps: list[str] = []

    def watched(name: str):
        real = getattr(os, name)

        def step(*args: object, **kwargs: object) -> object:
            steps.append(name)
            if len(steps) == at:
                end()
            return real(*args, **kwargs)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, watched(name))
    return steps


def fail() -> None:
    raise OSError(errno.EIO, "Input/output error")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("end", [fail, interrupt])
def test_an_error_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, end: object) -> None:
    for at in range(1, 30):
        target = tmp_path / str(at) / "model"
        target.parent.mkdir()
        if before is not None:
            replace(target, before)
        with monkeypatch.context() as patch:
            steps = counted(patch, at, end)
            try:
                replace(target, "new")
                whole = True
            except (OSError, KeyboardInterrupt):
                whole = False
        recover(target)
        assert [path.name for path in target.parent.iterdir()] == (["model"] if target.exists() else [])
        assert content(target) in ("new", before) if target.exists() else before is None
        if whole:
            assert content(target) == "new"
        if len(steps) < at:
            return
    raise AssertionError("no end")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.unit.core.test_folders import STEPS, replace
for at in range(1, 30):
    for before in (None, "old"):
        target = Path(sys.argv[2], f"{at} {before}", "model")
        target.parent.mkdir()
        if before is not None:
            replace(target, before)
        child = os.fork()
        if not child:
            seen = []
            for name in STEPS:
                def step(*args, real=getattr(os, name), **kwargs):
                    seen.append(1)
                    if len(seen) == at:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **kwargs)
                setattr(os, name, step)
            replace(target, "new")
            os._exit(0)
        print(at, before, os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills at every step need fork")
def test_a_kill_at_any_step(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    told = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    killed = 0
    for line in told.stdout.splitlines():
        at, before, status = line.split()
        target = tmp_path / f"{at} {before}" / "model"
        killed += int(status) == signal.SIGKILL
        recover(target)
        assert [path.name for path in target.parent.iterdir()] == (["model"] if target.exists() else []), line
        assert content(target) in ("new", before) if target.exists() else before == "None", line
        if int(status) == 0:
            assert content(target) == "new"
    assert killed > 10


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    """Those of a process that runs, of another folder, and the user's own."""
    target = tmp_path / "model"
    (tmp_path / ".model-mine").mkdir()
    with replacing(tmp_path / "model-2") as other, replacing(target) as fresh:
        recover(target)
        recover(tmp_path / "model-2")
        assert other.is_dir()
        assert fresh.is_dir()
        (fresh / "a.txt").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".model-mine", "model", "model-2"]


def test_checksums(tmp_path: Path) -> None:
    path, card = tmp_path / "a.txt", tmp_path / "README.md"
    path.write_bytes(b"abc")
    value = checksum(b"abc")
    assert value == checksum(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    text = with_checksums("# A card\n\n## Checksums of a method\n\nmore\n", {"a.txt": value})
    assert text.startswith("# A card\n\n## Checksums of a method\n\nmore\n\n## Checksums\n\n")
    assert with_checksums(text, {"b": value}) == text.replace("`a.txt`", "`b`")
    card.write_text(text)
    assert checksums(card) == {"a.txt": value}
    check_checksums(card)
    path.write_bytes(b"abd")
    with pytest.raises(FileError, match=r"a\.txt has changed since it was saved"):
        check_checksums(card)
