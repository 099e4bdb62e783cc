"""What the templates show: a frozen view of each field, with nothing left to decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChoiceView:
    id: str
    value: str
    label: str
    checked: bool


@dataclass(frozen=True, slots=True)
class ButtonView:
    """A button that changes the form: ``action`` is what it sends, ``label`` says it all, ``icon`` is what is shown."""

    action: str
    label: str
    icon: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class ToggleView:
    """The tick that says whether an optional group is there."""

    id: str
    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class MarkView:
    """A control that nobody sees."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field. ``kind`` is the name of its template; ``bare`` leaves the label to those who can't see the row."""

    kind: str
    id: str
    name: str
    label: str
    hint: str = ""
    description: str = ""
    error: str = ""
    bare: bool = False
    required: bool = False
    text: str = ""
    type: str = "text"
    inputmode: str = ""
    placeholder: str = ""
    lines: int = 3
    step: str = ""
    focus: bool = False
    keep: bool = False
    marks: tuple[MarkView, ...] = ()
    zone: FieldView | None = None
    choices: tuple[ChoiceView, ...] = ()
    fields: tuple[FieldView, ...] = ()
    toggle: ToggleView | None = None
    rows: tuple[RowView, ...] = ()
    add: ButtonView | None = None
    tabs: tuple[TabView, ...] = ()

    @property
    def hint_id(self) -> str:
        return f"{self.id}.hint"

    @property
    def error_id(self) -> str:
        return f"{self.id}.error"

    @property
    def about_id(self) -> str:
        return f"{self.id}.about"

    @property
    def described_by(self) -> str:
        """The ids of what is said about it, the error first."""
        said = ((self.error, self.error_id), (self.hint, self.hint_id), (self.description, self.about_id))
        return " ".join(id for text, id in said if text)


@dataclass(frozen=True, slots=True)
class RowView:
    fields: tuple[FieldView, ...]
    buttons: tuple[ButtonView, ...]


@dataclass(frozen=True, slots=True)
class TabView:
    """One alternative of a union: a radio button, and the fields that show while it is chosen."""

    id: str
    name: str
    value: str
    label: str
    chosen: bool
    field: FieldView | None


@dataclass(frozen=True, slots=True)
class FaultView:
    """A line of the summary: where it leads, and what is wrong."""

    href: str
    label: str
    message: str


@dataclass(frozen=True, slots=True)
class FormView:
    """A whole form. ``fields`` are those of the editor that is shown; ``switch`` leads to the other."""

    id: str
    action: str
    submit: str
    mode: str
    fields: tuple[FieldView, ...]
    faults: tuple[FaultView, ...]
    marks: tuple[MarkView, ...]
    switch: ButtonView
    focus: str = ""
