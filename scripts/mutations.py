"""Break the code on purpose, one line at a time, and watch the named test fail.

python scripts/mutations.py                     every row of tests/mutations.toml (many minutes)
python scripts/mutations.py --only lrp          the rows whose name, file or change has "lrp" in it
python scripts/mutations.py --check             only check that every row's old text occurs exactly once

Rows are applied to a copy of the checkout, so nothing needs to be put back.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "mutations.toml"
SOURCE = "src/exegesis"
COPIED = (
    "src",
    "tests",
    "docs",
    "scripts",
    "examples",
    "experiments",
    "pyproject.toml",
    "README.md",
    "CONTRIBUTING.md",
)
LARGE = "*.safetensors"  # linked, not copied


@dataclass(frozen=True)
class Mutation:
    """One fault: a change of one file under src/exegesis, in words and as text, and the test that must fall."""

    name: str
    file: str
    old: str
    new: str
    test: str

    def applied(self, root: Path) -> str:
        """The file's text with the fault. Raises ValueError unless the old text occurs exactly once."""
        path = root / SOURCE / self.file
        if not path.is_file():
            raise ValueError(f"{self.name}: there is no file {SOURCE}/{self.file}")
        text = path.read_text("utf-8")
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the old text occurs {count} times in {SOURCE}/{self.file}, not once")
        if self.old == self.new:
            raise ValueError(f"{self.name}: the new text is the old one")
        return text.replace(self.old, self.new)


def mutations(table: Path = TABLE) -> list[Mutation]:
    """The rows of the table. Raises TypeError for a row without one of its fields, ValueError for a name used twice."""
    rows = [Mutation(**row) for row in tomllib.loads(table.read_text("utf-8"))["mutation"]]
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names that occur twice: {', '.join(twice)}")
    return rows


def stale(rows: Sequence[Mutation], root: Path = ROOT) -> list[str]:
    """The rows that fit the code no longer, each in one sentence."""
    complaints = []
    for row in rows:
        try:
            row.applied(root)
        except ValueError as error:
            complaints.append(str(error))
        file, _, function = row.test.partition("::")
        path = root / "tests" / file
        name = function.partition("[")[0]
        if not path.is_file() or (name and f"def {name}(" not in path.read_text("utf-8")):
            complaints.append(f"{row.name}: there is no test tests/{row.test}")
    return complaints


def copied(folder: Path) -> Path:
    """A copy of the checkout in a folder."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", LARGE))
        else:
            shutil.copy(source, folder / name)
    for path in (ROOT / "src").rglob(LARGE):
        (folder / path.relative_to(ROOT)).symlink_to(path)
    return folder


def falls(row: Mutation, root: Path) -> bool:
    """True if the named test fails in a copy with the fault. The copy is mended afterwards."""
    path = root / SOURCE / row.file
    whole = path.read_text("utf-8")
    path.write_text(row.applied(root), "utf-8")
    try:
        return _run(row.test, root) == 1
    finally:
        path.write_text(whole, "utf-8")


def _run(test: str, root: Path) -> int:
    """The exit code of pytest: 0 if the test passes, 1 if it fails, others if it could not run."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{test}"]
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        print(done.stdout[-2000:] + done.stderr[-2000:], file=sys.stderr)
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen rows; 0 if every test fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows with this in their name, file or change")
    parser.add_argument("--check", action="store_true", help="run no test; check that every row fits the code")
    options = parser.parse_args(arguments)
    rows = [row for row in mutations() if any(options.only in text for text in (row.name, row.file, row.old, row.new))]
    complaints = stale(rows)
    print("\n".join(complaints or [f"{len(rows)} rows fit the code"]))
    if options.check or complaints:
        return 1 if complaints else 0
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder))
        for row in rows:
            fell = falls(row, root)
            survivors += not fell
            print(f"{'fell    ' if fell else 'SURVIVED'}  {row.name}: {row.test}", flush=True)
    print(f"{len(rows) - survivors} of {len(rows)} faults were caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
