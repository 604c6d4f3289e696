"""The lowest versions that pyproject.toml allows, as constraints for pip.

    python scripts/lowest.py > lowest.txt

Every direct dependency, those of the extras too, is pinned to its lower bound; torch is left to constraints.txt,
because older builds for the CPU alone are not on every index. ``scripts/versions`` installs them and runs the quick
tests.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?>=([\w.]+)$")


def lowest(project: dict[str, object]) -> list[str]:
    """A line ``name==version`` for each dependency with a lower bound, once each."""
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    every = [*project.get("dependencies", ()), *(line for lines in extras.values() for line in lines)]  # type: ignore[misc]
    found = {}
    for line in every:
        bound = BOUND.match(line.replace(" ", ""))
        if bound is not None and bound[1] != "torch":
            found[bound[1]] = f"{bound[1]}=={bound[2]}"
    return list(found.values())


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    torch = [
        line for line in (PYPROJECT.parent / "constraints.txt").read_text("utf-8").split() if line.startswith("torch=")
    ]
    print("\n".join([*lowest(project), *torch]))
