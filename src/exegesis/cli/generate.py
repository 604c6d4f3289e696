"""``exegesis generate``: a prompt in, the words that made the answer out."""

from __future__ import annotations

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
    exegesis generate "The capital of France is" -m lm --continuation " Paris." --html why.html
    exegesis generate "The capital of France is" -m lm --contrast " Rome" --at 0
    exegesis generate "Who was first?" -m lm --chat --unit answer -M gradient-x-input
    """

    prompt: str = argument("The prompt; '-' reads it from standard input.", "PROMPT")
    continuation: str | None = option("The answer to explain; by default the model's own.", metavar="TEXT")
    chat: bool = option("Put the prompt into the model's template of chats.", "--chat", default=False)
    method: str = option("See 'exegesis methods'.", "--method", "-M", metavar="METHOD", default="leave-one-out")
    param: list[str] | None = PARAM()
    unit: str = option("word, piece, or answer for one number.", metavar="UNIT", default="word")
    number: str | None = option("log-probability or logit.", metavar="NUMBER")
    contrast: str | None = option("Why the answer, and not this one?", metavar="TEXT")
    at: int | None = option("The word of the answer, from 0, at which a contrast differs.", metavar="N", min=0)
    most_pieces: int = option("Pieces of the model's own answer, at most.", metavar="N", min=1, default=50)

    def run(self) -> None:
        self.view()
        check_files(self.files())
        from exegesis import api

        model = load(self)
        own = parameters_of(self.param, [self.method])[self.method]
        result = api.generation(
            model, self.told(), self.continuation, self.method, unit=self.unit, number=self.number,
            contrast=self.contrast, at=self.at, most_pieces=self.most_pieces, **own,
        )  # fmt: skip
        with stream(self) as add:
            add([[result]])

    def told(self) -> Any:
        """The prompt, of a chat as its one message."""
        prompt = self.prompt
        if prompt == "-":
            import sys

            if sys.stdin is None or sys.stdin.isatty():
                raise UsageError("'-' reads the prompt from standard input: pipe one into it")
            prompt = sys.stdin.read()
        return [{"role": "user", "content": prompt}] if self.chat else prompt
