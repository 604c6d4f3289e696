"""Every direct dependency has a lower bound, which scripts/versions tries, and a pin, which development installs."""

from __future__ import annotations

import re
import tomllib

from tests.support.doc_pages import ROOT, from_scripts

lowest = from_scripts("lowest")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BENCH = ("captum", "lime")  # of benchmarks, which development does not install


def numbers(version):
    return [int(part) for part in version.split(".")]


def bounds():
    lines = [*PROJECT["dependencies"], *(line for part in PROJECT["optional-dependencies"].values() for line in part)]
    return [line for line in lines if not line.startswith("exegesis")]


def test_every_dependency_is_pinned_at_or_above_its_lower_bound():
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    for line in bounds():
        name, least = re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups()
        assert name in BENCH or numbers(pins[name]) >= numbers(least), name


def test_the_lowest_versions_are_those_of_the_bounds():
    found = lowest.lowest(PROJECT)
    assert set(found) == {line.replace(">=", "==") for line in bounds() if not line.startswith("torch>")}
    assert "typer==0.16" in found


def test_the_base_package_asks_for_nine_packages():
    """Runs, the page, reports and the site are extras: what a plain installation brings along stays what it was."""
    names = [re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]]
    assert names == ["numpy", "scipy", "torch", "safetensors", "jaxtyping", "typer", "rich", "jinja2", "matplotlib"]
