"""Forms from JSON Schema, for launching and for answering alike, made on the server.

``build`` shows a value or what was typed, ``parse`` reads what the browser sent, ``errors_from`` puts the engine's
objections beside their fields. Nothing is validated here: only what can't be read is an error.
"""

from studio.forms.building import build
from studio.forms.faults import errors_from
from studio.forms.nodes import MISSING
from studio.forms.parsing import Action, Parsed, parse
from studio.forms.reading import read
from studio.forms.views import FieldView, FormView

__all__ = [
    "MISSING", "Action", "FieldView", "FormView", "Parsed", "build", "errors_from", "parse", "read",
]  # fmt: skip
