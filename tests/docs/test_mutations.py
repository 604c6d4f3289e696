"""The table of mutations fits today's code, so that every row can be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.doc_pages import ROOT, from_scripts

mutations = from_scripts("mutations")
pytestmark = pytest.mark.quick


def test_every_row_fits_the_code():
    rows = mutations.mutations()
    assert len(rows) >= 60
    assert mutations.stale(rows) == []


def test_a_row_that_fits_no_longer_is_named():
    row = mutations.mutations()[0]
    stale = {
        "occurs 0 times": replace(row, old="text that stands nowhere"),
        "there is no file": replace(row, file="nowhere.py"),
        "is the old one": replace(row, new=row.old),
        "there is no test": replace(row, test="unit/nowhere.py::test_nothing"),
    }
    for complaint, changed in stale.items():
        (found,) = mutations.stale([changed])
        assert complaint in found
        assert row.name in found
    twice = replace(row, old="return")
    with pytest.raises(ValueError, match="not once"):
        twice.applied(ROOT)


def test_a_name_must_be_unique(tmp_path):
    table = tmp_path / "mutations.toml"
    row = "[[mutation]]\nname = 'a'\nfile = 'b'\nold = 'c'\nnew = 'd'\ntest = 'e'\n"
    table.write_text(row * 2, "utf-8")
    with pytest.raises(ValueError, match="twice: a"):
        mutations.mutations(table)


def test_a_fault_is_put_into_a_copy_and_taken_out_again(tmp_path):
    """The copy is whole after every row, also after one whose test cannot be run."""
    row = mutations.mutations()[0]
    path = tmp_path / mutations.SOURCE / row.file
    path.parent.mkdir(parents=True)
    whole = (ROOT / mutations.SOURCE / row.file).read_text("utf-8")
    path.write_text(whole, "utf-8")
    seen = []

    def run(tests):
        assert tests == [row.test]
        seen.append(path.read_text("utf-8"))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return "ended"

    assert mutations.planted(row, tmp_path, run) == "ended"
    with pytest.raises(KeyboardInterrupt):
        mutations.planted(row, tmp_path, run)
    assert all(text == whole.replace(row.old, row.new) for text in seen)
    assert path.read_text("utf-8") == whole


def test_the_tests_that_do_not_pass_are_told_from_those_that_do():
    def run(tests):
        return SimpleNamespace(how=mutations.PASSED if "broken" not in tests else mutations.FELL)

    assert mutations.failing(["one", "broken", "two", "three"], run) == ["broken"]
    assert mutations.failing(["one", "two"], run) == []


PLANTS = """
import sys
from pathlib import Path
import planting
from planting import Nursery

root = Path(sys.argv[1])
nursery, source = Nursery(root, ("pytest",)), root / "src" / "exegesis" / "__init__.py"
for text in ("VALUE = 1", "VALUE = 20", "VALUE = 1 /", "while True: pass", "import time; time.sleep(99)", "VALUE = 1"):
    source.write_text(text)
    planting.WALL = 2 if "sleep" in text else 100
    print(nursery.run(["test_value.py::test_value"]).how)
for test in ("test_value", "test_skipped", "test_missing"):
    print(nursery.run([f"test_value.py::{test}"], fresh=True).how)
"""


TESTS = """
import pytest


def test_value():
    import exegesis

    assert exegesis.VALUE == 1


@pytest.mark.skip
def test_skipped():
    pass
"""


def test_forks_see_the_fault_and_nothing_of_the_one_before(tmp_path):
    """A test that falls, and none that cannot be imported, is skipped or missing; what loops or waits is ended."""
    for place, text in {
        "src/exegesis/__init__.py": "",
        "tests/test_value.py": TESTS,
        "plants.py": PLANTS,
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, "utf-8")
    limits = "import planting; planting.PROCESSOR = 3; "
    command = [sys.executable, "-c", f"{limits}exec(open('plants.py').read())", str(tmp_path)]
    given = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=True)
    fates = ["passed", "fell", "fell", "endless", "endless", "passed", "passed", "broken", "broken"]
    assert done.stdout.split() == fates, done.stderr
    nursery = from_scripts("planting").Nursery(tmp_path, ())
    with pytest.raises(RuntimeError, match="is imported already, so that forks would not see its faults"):
        nursery.run(["test_value.py"])


def test_outcomes_hold_while_their_files_do(tmp_path):
    row, file = mutations.mutations()[0], tmp_path / "outcomes.jsonl"
    for place in (f"{mutations.SOURCE}/{row.file}", f"tests/{row.test.partition('::')[0]}"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text((ROOT / place).read_text("utf-8"), "utf-8")
    first = mutations.fingerprint(row, tmp_path)
    assert mutations.remembered(file) == set()
    file.write_text(
        json.dumps({"fingerprint": first, "how": "fell"}) + "\n" + '{"fingerprint": "x", "how": "passed"}\n'
    )
    assert mutations.remembered(file) == {first}
    assert first != mutations.fingerprint(replace(row, new="other"), tmp_path)
    for place in (f"{mutations.SOURCE}/{row.file}", f"tests/{row.test.partition('::')[0]}"):
        (tmp_path / place).write_text("# more\n" + (tmp_path / place).read_text("utf-8"), "utf-8")
        assert mutations.fingerprint(row, tmp_path) != first
        first = mutations.fingerprint(row, tmp_path)
