"""Every folder of the package says what it is for, has a name of its own and few files."""

import ast
from collections import Counter
from pathlib import Path

import exegesis
import exegesis.study

PACKAGE = Path(exegesis.__file__).parent
FOLDERS = sorted(file.parent for file in PACKAGE.rglob("__init__.py") if file.parent != PACKAGE)
MOST = 18  # modules beside __init__


def test_every_folder_says_what_it_is_for() -> None:
    for folder in FOLDERS:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def test_folders_hold_few_files() -> None:
    sizes = {str(folder.relative_to(PACKAGE)): len(list(folder.glob("*.py"))) - 1 for folder in FOLDERS}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}


def test_no_two_folders_and_no_folder_and_function_share_a_name() -> None:
    names = Counter(folder.name for folder in FOLDERS)
    names.update(folder.name for folder in PACKAGE.rglob("bundled/*") if folder.is_dir())
    assert [name for name, count in names.items() if count > 1] == []
    functions = {
        name for place in (exegesis, exegesis.study) for name in place.__all__ if callable(getattr(place, name))
    }
    assert names.keys() & functions == set()
