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
    "show/layout.py": "import exegesis.models",  # beneath, but with torch
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


CIRCLES = """
import grimp
graph = grimp.build_graph("exegesis", exclude_type_checking_imports=True, cache_dir=None)
for module in sorted(graph.modules):
    for imported in sorted(graph.find_modules_directly_imported_by(module)):
        back = graph.find_shortest_chain(imported, module)
        if back:
            print(*(name.removeprefix("exegesis.") for name in (module, *back)))
"""
WITHOUT_CIRCLES = (
    "core",
    "statistics",
    "results",
    "data",
    "protocols",
    "nn",
    "engine",
    "mech",
    "models",
    "questions",
    "show",
    "api",
    "study",
    "jobs",
    "cli",
)


def circles(folder: Path) -> list[str]:
    """Every import that closes a circle, imports inside functions included, in the folders that have none."""
    paths = {"PYTHONPATH": str(folder / "src"), "PATH": "", "HOME": str(folder)}
    found = subprocess.run(
        [sys.executable, "-c", CIRCLES], cwd=folder, env=paths, capture_output=True, text=True, check=True
    )
    return [line for line in found.stdout.splitlines() if line.split(".")[0] in WITHOUT_CIRCLES]


def test_no_import_goes_round(checkout):
    assert circles(checkout) == []


def test_a_lazy_import_in_a_circle_is_found(checkout):
    path = checkout / "src" / "exegesis" / "mech" / "lrp" / "state.py"
    path.write_text(path.read_text() + "\n\ndef lazy():\n    from exegesis.mech.lrp.table import table\n")
    assert "mech.lrp.state mech.lrp.table mech.lrp.state" in circles(checkout)
