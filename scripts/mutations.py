"""Break the code on purpose, one line at a time, and watch the named test fail.

python scripts/mutations.py                     every row of tests/mutations.toml (an hour of processor)
python scripts/mutations.py --only lrp          the rows whose name, file or change has "lrp" in it
python scripts/mutations.py --outcomes FILE     write every outcome there; leave out what fell there with today's files
python scripts/mutations.py --check             only check that every row's old text occurs exactly once

Rows are applied to a copy of the checkout, so nothing needs to be put back. Before a row is planted its test must pass
without the fault, in a process of the same kind; what falls then falls by the fault.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import py_compile
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from planting import BROKEN, ENDLESS, FELL, PASSED, Ending, Nursery

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
CAUGHT = (FELL, ENDLESS)
WORDS = {FELL: "fell    ", PASSED: "SURVIVED", ENDLESS: "endless ", BROKEN: "NOT RUN "}
TOGETHER = 16  # rows whose tests are first run without a fault, in one process


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
    """A copy of the checkout in a folder, compiled. A compiled file is used only while its source is that very text."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    compileall.compile_dir(folder / "src", quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return folder


def planted(row: Mutation, root: Path, run: Callable[[Sequence[str]], Ending]) -> Ending:
    """How the named test ends in a copy with the fault. The copy is mended afterwards."""
    path = root / SOURCE / row.file
    whole = path.read_text("utf-8")
    path.write_text(row.applied(root), "utf-8")
    try:
        return run([row.test])
    finally:
        path.write_text(whole, "utf-8")


def failing(tests: Sequence[str], run: Callable[[Sequence[str]], Ending]) -> list[str]:
    """The tests that do not pass without a fault: all are run together, and one by one only if that fails."""
    if not tests or run(tests).how == PASSED:
        return []
    if len(tests) == 1:
        return list(tests)
    half = len(tests) // 2
    return failing(tests[:half], run) + failing(tests[half:], run)


def fingerprint(row: Mutation, root: Path = ROOT) -> str:
    """A hash of the row, of the file that it changes and of its test's file: an outcome holds as long as they do."""
    files = (root / SOURCE / row.file, root / "tests" / row.test.partition("::")[0])
    parts = [row.file, row.old, row.new, row.test, *(path.read_text("utf-8") for path in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def remembered(outcomes: Path | None) -> set[str]:
    """The fingerprints of the rows that fell before."""
    if outcomes is None or not outcomes.exists():
        return set()
    lines = [json.loads(line) for line in outcomes.read_text("utf-8").splitlines()]
    return {line["fingerprint"] for line in lines if line["how"] in CAUGHT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen rows; 0 if every test fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows with this in their name, file or change")
    parser.add_argument("--outcomes", type=Path, metavar="FILE", help="JSON lines of outcomes, to go on with")
    parser.add_argument("--check", action="store_true", help="run no test; check that every row fits the code")
    options = parser.parse_args(arguments)
    rows = [row for row in mutations() if any(options.only in text for text in (row.name, row.file, row.old, row.new))]
    complaints = stale(rows)
    print("\n".join(complaints or [f"{len(rows)} rows fit the code"]), flush=True)
    if options.check or complaints:
        return 1 if complaints else 0
    fell = remembered(options.outcomes)
    left = [row for row in rows if fingerprint(row) not in fell]
    with tempfile.TemporaryDirectory() as folder:
        caught = _planted_all(left, copied(Path(folder)), options.outcomes)
    print(f"{len(rows) - len(left) + caught} of {len(rows)} faults were caught, {len(rows) - len(left)} of them before")
    return 0 if caught == len(left) else 1


def _planted_all(rows: Sequence[Mutation], root: Path, outcomes: Path | None) -> int:
    """The number of rows that are caught; each is printed, and written down, as soon as it is known."""
    nursery = Nursery(root)
    caught = 0
    for begin in range(0, len(rows), TOGETHER):
        some = rows[begin : begin + TOGETHER]
        fresh = failing(sorted({row.test for row in some}), nursery.run)
        anew = partial(nursery.run, fresh=True)
        unsound = [test for test in fresh if anew([test]).how != PASSED]
        for row in some:
            if row.test in unsound:
                print(f"NO PROOF  {row.name}: {row.test} does not pass without the fault", flush=True)
                continue
            ending = planted(row, root, anew if row.test in fresh else nursery.run)
            caught += ending.how in CAUGHT
            print(f"{WORDS[ending.how]}  {row.name}: {row.test}", flush=True)
            if outcomes is not None:
                line = {"name": row.name, "fingerprint": fingerprint(row, root), **asdict(ending)}
                with outcomes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return caught


if __name__ == "__main__":
    sys.exit(main())
