"""A file without a result is no list of none."""

from __future__ import annotations

import pytest

import exegesis
from exegesis.core.errors import FileError, UsageError


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "[]"), ("a.jsonl", ""), ("a.jsonl", "\n \n"), ("a.json", "[ ]\n")]
)
def test_a_file_without_results_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(FileError, match=r"a\.jsonl?: holds no result; save it again"):
        exegesis.read(path)


def test_nothing_is_not_saved(tmp_path):
    with pytest.raises(UsageError, match="there is no result to save"):
        exegesis.save([], tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []
