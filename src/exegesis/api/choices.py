"""A chooser for notebooks: the explanation of a text, by the method, class and level that the reader chooses."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from exegesis.api.explanations import explain
from exegesis.api.models import as_model, methods, preferred
from exegesis.core.errors import ExegesisError, MissingExtraError
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.results.attribution import LEVELS, Attribution

PREDICTED = "the predicted label"


class Chooser:
    """What a notebook's cell shows: widgets to choose by where ipywidgets is installed, else the explanation alone.

    ``result`` is the explanation by what is chosen; ``choose`` chooses in code.
    """

    def __init__(self, model: Classifier, text: Raw, names: Sequence[str]) -> None:
        self.model, self.text, self.names = model, text, tuple(names)
        self.chosen: dict[str, str | None] = {"method": self.names[0], "target": None, "level": "word"}
        self.result: Attribution = self.choose()

    def choose(self, **choices: str | None) -> Attribution:
        """Explain by another ``method``, ``target`` or ``level``. Raises the errors of ``exegesis.explain``, and then
        leaves the choice as it was."""
        wanted = {**self.chosen, **choices}
        method, target, level = wanted["method"], wanted["target"], wanted["level"]
        result = explain(self.model, self.text, method, target, level=level or "word")
        self.chosen, self.result = wanted, result
        return result

    def widget(self) -> Any:
        """The widgets. Raises MissingExtraError without ipywidgets."""
        if find_spec("ipywidgets") is None:
            raise MissingExtraError("ipywidgets", "notebook", "a chooser")
        import ipywidgets

        shown = ipywidgets.HTML(str(self.result._repr_html_()))
        lists = {
            "method": [(name, name) for name in self.names],
            "target": [(PREDICTED, None), *((label, label) for label in self.model.labels)],
            "level": [(level, level) for level in (*LEVELS, "all")],
        }
        boxes = {
            name: ipywidgets.Dropdown(options=entries, value=self.chosen[name], description=name)
            for name, entries in lists.items()
        }

        def changed(_: Any) -> None:
            try:
                shown.value = str(self.choose(**{name: box.value for name, box in boxes.items()})._repr_html_())
            except ExegesisError as error:
                shown.value = f"<p>{_escaped(error)}</p>"

        for box in boxes.values():
            box.observe(changed, names="value")
        return ipywidgets.VBox([ipywidgets.HBox(list(boxes.values())), shown])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if find_spec("ipywidgets") is None:
            return {"text/html": self.result._repr_html_(), "text/plain": repr(self.result)}
        return self.widget()._repr_mimebundle_(**options)


@entry
def chooser(model: Classifier | str, text: Raw, names: Sequence[str] | None = None) -> Chooser:
    """An explanation of a text whose method, class and level the reader of a notebook chooses.

    ``names`` are the methods to choose from, by default all that the model can serve, its default method first. Without
    ipywidgets (``pip install 'exegesis[notebook]'``) the cell shows the explanation by the default method. Raises the
    errors of ``explain``.
    """
    classifier = as_model(model)
    served = [card.name for card in methods(classifier)]
    first = preferred(classifier)
    return Chooser(classifier, text, names or [first, *(name for name in served if name != first)])


def _escaped(error: Exception) -> str:
    from markupsafe import escape

    return str(escape(" ".join(str(error).split())))
