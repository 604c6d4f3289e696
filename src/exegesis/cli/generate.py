"""``exegesis generate``: a prompt in, the words that made the answer out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exegesis.cli.explain import Output
from exegesis.cli.inputs import load, parameters_of
from exegesis.cli.options import PARAM, Command, Model, argument, option
from exegesis.cli.outputs import check_files, stream
from exegesis.core.errors import UsageError


class Generate(Command, Output, Model):
    """Explain an answer of a language model: which words of the prompt made each of its words?

    \b
    exegesis generate "The capital of France is" --model my-language-model
    exegesis generate "The capital of France is" -m lm --continuation " Paris."
    exegesis generate "The capital of France is" -m lm --contrast " Rome" --at 0
    exegesis generate "Who was first?" -m lm --chat --unit answer -M gradient
    exegesis generate "Who was first?" -m lm --chat --sources documents.txt
    """

    prompt: str = argument("The prompt; '-' reads it from standard input.", "PROMPT")
    continuation: str | None = option("The answer to explain; by default the model's own.", metavar="TEXT")
    chat: bool = option("Put the prompt into the model's template of chats.", "--chat", default=False)
    sources: Path | None = option(
        "Which of these made the answer? A text, cut at blank lines, else into sentences.", metavar="FILE"
    )
    method: str | None = option(
        "By default leave-one-out, of sources context-cite.", "--method", "-M", metavar="METHOD"
    )
    param: list[str] | None = PARAM()
    unit: str = option("word, piece, or answer for one number.", metavar="UNIT", default="word")
    number: str | None = option("log-probability or logit.", metavar="NUMBER")
    contrast: str | None = option("Why the answer, and not this one?", metavar="TEXT")
    at: int | None = option("The word of the answer, from 0, at which a contrast differs.", metavar="N", min=0)
    most_pieces: int = option("Pieces of the model's own answer, at most.", metavar="N", min=1, default=50)

    def run(self) -> None:
        self.view()
        check_files(self.files(), [self.sources])
        from exegesis import api

        name = self.method or ("leave-one-out" if self.sources is None else "context-cite")
        own = parameters_of(self.param, [name])[name]
        own |= {"number": self.number, "most_pieces": self.most_pieces}
        if self.sources is None:
            result = api.generation(
                load(self), self.told(), self.continuation, name, unit=self.unit, contrast=self.contrast, at=self.at,
                **own,
            )  # fmt: skip
        else:
            if self.contrast is not None or self.at is not None or self.unit != "word":
                raise UsageError("--unit, --contrast and --at belong to words; leave them out of --sources")
            from exegesis.core.disk.files import read_text

            question, sources = self.read_prompt(), read_text(self.sources)
            result = api.citations(load(self), question, sources, self.continuation, name, chat=self.chat, **own)
        with stream(self) as add:
            add([[result]])

    def told(self) -> Any:
        """The prompt, of a chat as its one message."""
        prompt = self.read_prompt()
        return [{"role": "user", "content": prompt}] if self.chat else prompt

    def read_prompt(self) -> str:
        """The prompt as given, or what standard input holds. Raises UsageError if that is a terminal."""
        if self.prompt != "-":
            return self.prompt
        import sys

        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("'-' reads the prompt from standard input: pipe one into it")
        return sys.stdin.read()
