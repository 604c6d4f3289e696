"""The files of a study, and its view in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from exegesis.cli import options as opt
from exegesis.cli.options import option
from exegesis.cli.outputs import PICTURES, Files, check_files, say

if TYPE_CHECKING:
    from exegesis.results.behaviour.study import Study


class Output(opt.Look, opt.Report):
    """The files of a study, and the view in the terminal."""

    figure: Path | None = option("A figure: .svg, .png or .pdf.", metavar="FILE", **opt.OUTPUT)
    quiet: bool = opt.QUIET()

    def files(self) -> Files:
        return {**super().files(), "--figure": (self.figure, PICTURES)}

    def check(self, *inputs: str | Path | None) -> None:
        """Check the options before the work begins. Raises as ``check_files``."""
        self.view()
        check_files(self.files(), inputs)

    def put(self, study: Study) -> None:
        """Write the files, then show the result."""
        view = self.view()
        for path in filter(None, (self.json, self.report, self.figure)):
            study.save(path, **({} if path == self.json else {"palette": view["palette"]}))
            say(path, self.quiet)
        if not self.quiet:
            from exegesis.show import render

            sys.stdout.write(render(study, **view))
