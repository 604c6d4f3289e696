"""The environment of the templates: whatever a template is given is escaped."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(names: dict[str, Any], **options: Any) -> Environment:
    """An environment whose templates know ``names``; ``options`` are further ones of jinja2."""
    loader = PackageLoader("exegesis.show")
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options
    )
    made.globals.update(names)
    return made


def source(name: str) -> str:
    """The text of a file beside the templates, as it stands."""
    return (files("exegesis.show") / "templates" / name).read_text("utf-8")
