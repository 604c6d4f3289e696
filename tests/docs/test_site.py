"""The site of the documentation, built strictly where mkdocs is installed: every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import exegesis

ROOT = Path(__file__).parents[2]
LACKING = [name for name in ("mkdocs", "material", "mkdocstrings") if find_spec(name) is None]


@pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")
def test_the_site_is_built_and_names_everything_public(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "site" / "reference" / "index.html").read_text("utf-8")
    named = set(re.findall(r'id="exegesis\.(\w+)"', reference))
    assert named >= {name for name in exegesis.__all__ if name not in ("__version__", "study")}
    front = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "Why did this model say this about this text?" in front
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//(?!example)', front)
