"""The site's pages that do not lie in docs/, as a hook of mkdocs: the README as its front door, the reference of all
public names, a gallery, the experiments with their verdicts; and links of all pages that lead outside docs/.

python -m mkdocs build --strict        writes build/site; a link that leads nowhere ends it with an error
"""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {  # a page of the site -> where it lies
    "index.md": ROOT / "README.md", "CONTRIBUTING.md": ROOT / "CONTRIBUTING.md", "CHANGELOG.md": ROOT / "CHANGELOG.md",
    **{f"experiments/{path.parent.name}/{path.name}": path for path in sorted((ROOT / "experiments").glob("*/*.md"))},
    **{f"models/{path.parent.name}.md": path
       for path in sorted((ROOT / "src/exegesis/models/bundled").glob("*/README.md"))},
}  # fmt: skip
PAGES = {path: page for page, path in OUTSIDE.items()}
LINK = re.compile(r"""(\]\(|(?:src|srcset|href)=")([^)"#\s]+)""")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files from outside docs/."""
    made = {"reference.md": reference(), "gallery.md": gallery(), "experiments.md": experiments()}
    texts = {page: path.read_text("utf-8") for page, path in OUTSIDE.items()} | made
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    for page, text in texts.items():
        for _, link in LINK.findall(text):
            target = _target(page, link)
            if target is not None and target.is_file() and files.get_file_from_path(_uri(target)) is None:
                files.append(File.generated(config, _uri(target), abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where their files are in the site; a folder is named in words."""
    place = page.file.src_uri

    def moved(found: re.Match[str]) -> str:
        target = _target(place, found[2])
        if target is None or not target.exists():
            return found[0]
        uri = "gallery.md" if target.is_dir() else _uri(target)
        return found[1] + os.path.relpath(uri, os.path.dirname(place) or ".")

    return LINK.sub(moved, markdown)


def _target(page: str, link: str) -> Path | None:
    """The file of the repository to which a page's link leads; None for an address or a place within the page."""
    if "://" in link or link.startswith(("mailto:", "/")):
        return None
    home = OUTSIDE.get(page, ROOT / "docs" / page).parent
    return (home / link).resolve()


def _uri(path: Path) -> str:
    """The place of a file of the repository in the site."""
    if path in PAGES:
        return PAGES[path]
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix()
    return f"files/{path.relative_to(ROOT).as_posix()}" + ".txt" * (path.suffix in ("", ".toml"))


def _listed(path: Path, name: str = "__all__") -> list[str]:
    """The names of a list that a file assigns, without importing it."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return [str(value) for value in ast.literal_eval(node.value)]
    raise LookupError(f"{path} assigns no {name}")


def reference() -> str:
    """Every public name with its docstring."""
    package = ROOT / "src/exegesis"
    names = [name for name in _listed(package / "__init__.py") if name not in ("__version__", "study")]
    groups = {
        "Functions": [f"exegesis.{name}" for name in names if name[0].islower()],
        "Studies": [f"exegesis.study.{name}" for name in _listed(package / "study/__init__.py")],
        "Results and errors": [f"exegesis.{name}" for name in names if name[0].isupper()],
    }
    parts = ["# Reference\n\nEvery public name, from its docstring."]
    for title, members in groups.items():
        parts.append(f"\n## {title}\n")
        parts += [f"::: {name}\n    options:\n      heading_level: 3\n" for name in members]
    return "\n".join(parts)


def gallery() -> str:
    """The pictures of docs/images, and the examples."""
    pictures = {
        "why.svg": "The words behind a prediction", "tree.svg": "Phrases and their interactions",
        "figure4.svg": "Seven methods on one sentence", "figure6.svg": "Words, phrases, clauses, the text",
        "page.png": "The page of `exegesis serve`", "page-phone.png": "The page on a phone",
    }  # fmt: skip
    parts = ["# Gallery\n"]
    parts += [f"## {title}\n\n![{title}](images/{name})\n" for name, title in pictures.items()]
    parts.append("## Examples\n\nScripts and notebooks that run as they are; the tests run them.\n")
    for path in sorted((ROOT / "examples").glob("*.py")):
        first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or path.name).splitlines()[0]
        parts.append(f"- [{path.name}](../examples/{path.name}): {first}")
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        title = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"]).splitlines()[0].lstrip("# ")
        parts.append(f"- [{path.name}](../examples/{path.name}): {title}")
    return "\n".join(parts) + "\n"


def experiments() -> str:
    """The experiments, each with the beginning of its page."""
    parts = ["# Experiments\n"]
    for page, path in OUTSIDE.items():
        if page.startswith("experiments/") and path.name == "README.md":
            title, *rest = path.read_text("utf-8").lstrip("# \n").splitlines()
            first = " ".join("\n".join(rest).strip().split("\n\n")[0].split())
            parts.append(f"## [{title}](../{path.relative_to(ROOT).as_posix()})\n\n{_plain(first)}\n")
    return "\n".join(parts)


def _plain(text: str) -> str:
    """A paragraph whose links, which lead from another place, are words."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
