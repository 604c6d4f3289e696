"""The import contracts hold, and each of them breaks on a planted import."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = {
    "core/text.py": "import exegesis.api",  # upwards
    "show/palette.py": "import exegesis.questions",  # sideways
    "show/wording.py": "from exegesis.protocols import batch",  # to torch, through a module that may load it
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    paths = {"PYTHONPATH": str(folder / "src"), "PATH": "", "HOME": str(folder)}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=paths, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(checkout):
    found = lint(checkout)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("file", PLANTED)
def test_a_planted_import_breaks_them(checkout, file):
    path = checkout / "src" / "exegesis" / file
    path.write_text(path.read_text() + f"\n{PLANTED[file]}\n")
    found = lint(checkout)
    assert found.returncode == 1
    assert "BROKEN" in found.stdout


def test_a_new_folder_must_take_a_place(checkout):
    (checkout / "src" / "exegesis" / "homeless").mkdir()
    (checkout / "src" / "exegesis" / "homeless" / "__init__.py").write_text("")
    assert lint(checkout).returncode == 1
