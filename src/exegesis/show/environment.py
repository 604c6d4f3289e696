"""The environment of the templates: whatever a template is given is escaped."""

from __future__ import annotations

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
