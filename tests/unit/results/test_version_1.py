"""Files that an earlier version wrote, one of every kind of result, are read as the results that they held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import exegesis
from exegesis.core.errors import FileError
from exegesis.results.behaviour.study import Study
from exegesis.results.result import FORMS
from tests.support import every_result

SINCE_2 = {
    "adversary",
    "attention",
    "attributes",
    "decision",
    "gates",
    "generation",
    "influence",
    "information",
    "rationale",
    "empty rationale",
}  # kinds that version 1 did not have
VERSION_1 = {name: make for name, make in every_result.EVERY.items() if name not in SINCE_2}
FOLDER = Path(every_result.__file__).parent / "saved" / "version1"


def path(name: str) -> Path:
    return FOLDER / f"{name.replace(' ', '-')}.json"


def test_there_is_a_file_of_every_kind() -> None:
    values = [json.loads(path(name).read_text()) for name in VERSION_1]
    later = {every_result.EVERY[name]().to_dict()["format"] for name in SINCE_2}
    assert {one["format"] for one in values} == set(FORMS) - later
    assert {one["study"] for one in values if "study" in one} == set(Study.kinds()) - {
        "amend",
        "attention-test",
        "calibrate",
        "concepts",
        "corpus",
        "excerpts",
        "heads",
        "information",
        "links",
        "mislabels",
        "probe",
        "said",
        "written",
    }
    assert {one["version"] for one in values} == {1}
    assert {one.name for one in FOLDER.iterdir()} == {path(name).name for name in VERSION_1}


@pytest.mark.parametrize("name", VERSION_1)
def test_it_is_read_as_the_result_that_it_held(name: str, tmp_path: Path) -> None:
    result = exegesis.read(path(name))
    assert result == every_result.EVERY[name]()
    assert exegesis.read(result.save(tmp_path / "again.json")) == result  # in the form of today
    assert json.loads((tmp_path / "again.json").read_text())["version"] == 2


@pytest.mark.parametrize("name", VERSION_1)
def test_every_field_is_needed(name: str, tmp_path: Path) -> None:
    """All but what other programs alone read, and what has a default since the first version."""
    values = json.loads(path(name).read_text())
    others = {"words", "offsets", "scores", "residual", "gap", "advice", "means"}
    usual = {"lead", "budget", "seed", "absent", "curves", "remark", "samples", "k", "seconds", "grid", "contested",
             "agreement", "overlap", "disputes", "counts", "notes"}  # fmt: skip
    flat = "reading" not in values
    for field in values.keys() - others - (usual - {"contested"} if flat else set()):
        left = {key: value for key, value in values.items() if key != field}
        (tmp_path / "less.json").write_text(json.dumps(left))
        with pytest.raises(FileError) as error:
            exegesis.read(tmp_path / "less.json")
        assert "\n" not in str(error.value)
