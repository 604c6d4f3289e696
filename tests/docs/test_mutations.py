"""The table of mutations fits today's code, so that every row can be run."""

from __future__ import annotations

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
        return "an ending"

    assert mutations.planted(row, tmp_path, run) == "an ending"
    with pytest.raises(KeyboardInterrupt):
        mutations.planted(row, tmp_path, run)
    assert seen == [whole.replace(row.old, row.new)] * 2
    assert path.read_text("utf-8") == whole


def test_the_tests_that_do_not_pass_are_told_from_those_that_do():
    def run(tests):
        return SimpleNamespace(how=mutations.PASSED if "broken" not in tests else mutations.FELL)

    assert mutations.failing(["one", "broken", "two", "three"], run) == ["broken"]
    assert mutations.failing(["one", "two"], run) == []
