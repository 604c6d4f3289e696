"""What a model is called, what it decides and what it lacks, as the profile of its module says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from exegesis.protocols.target import Link


class Facts(Protocol):
    """What every profile of a module says."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def link(self) -> Link: ...
    @property
    def lacks(self) -> Mapping[str, str]: ...


class Profiled:
    """A model that knows itself by the ``profile`` of its module."""

    profile: Facts

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.profile.labels

    @property
    def link(self) -> Link:
        return self.profile.link

    @property
    def lacks(self) -> Mapping[str, str]:
        """The abilities that this model does not have, by name, each with the reason in words."""
        return self.profile.lacks
