"""Fields and what is in them, made ready for the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from studio.forms import hints, texts
from studio.forms.faults import placed
from studio.forms.nodes import (
    MISSING,
    Anything,
    Boolean,
    Choice,
    Constant,
    Dict,
    Group,
    Leaf,
    List,
    Moment,
    Node,
    Number,
    Object,
    Text,
    Tuple,
    Union,
)
from studio.forms.paths import control, join
from studio.forms.reading import Schema, read
from studio.forms.rows import row_buttons
from studio.forms.typed import (
    MAX_ROWS,
    Typed,
    at,
    chosen,
    controls,
    count,
    is_checkbox,
    last,
    mode,
    secrets,
    without_secrets,
)
from studio.forms.views import (
    ButtonView,
    ChoiceView,
    FaultView,
    FieldView,
    FormView,
    MarkView,
    RowView,
    TabView,
    ToggleView,
)

SEGMENTS = 4  # more choices than these are a list to pick from
SEGMENT_LETTERS = 44
_INPUTMODES = {"email": "email", "uri": "url", "url": "url"}
_PICKERS = {"date": "date", "time": "time", "datetime": "datetime-local"}
_PATTERNS = {"date": "YYYY-MM-DD", "time": "HH:MM:SS", "datetime": "YYYY-MM-DDTHH:MM:SS"}


def build(
    schema: Schema | None,
    value: Any = MISSING,
    *,
    typed: Typed | None = None,
    errors: Mapping[str, str] | None = None,
    id: str = "form",
    action: str = "",
    submit: str = "Send",
) -> FormView:
    """A form that shows a value (without one: the defaults), or again what was typed, with errors by dotted path.

    ``typed`` is :attr:`Parsed.typed`, or a mapping of the names a browser sent; ``action`` the address it is posted to.
    """
    root = read(schema)
    builder = _Builder(root, controls(root, "", value) if typed is None else typed, errors or {}, id)
    return builder.edited(action, submit) if mode(builder.typed) == "json" else builder.form(action, submit)


class _Builder:
    def __init__(self, root: Node, typed: Typed, errors: Mapping[str, str], id: str) -> None:
        self.root = root
        self.typed = typed
        self.id = id
        self.focus = last(typed, "_focus")
        self.errors = dict(errors) if mode(typed) == "json" else placed(errors, root, typed)
        self.labels: dict[str, str] = {}

    # -- the two editors

    def form(self, action: str, submit: str) -> FormView:
        root = self.field(self.root, "")
        whole = isinstance(self.root, Object) and root is not None and root.kind == "group" and not root.toggle
        fields = () if root is None else root.fields if whole else (root,)
        marks = (MarkView("_mode", "form"), *(root.marks if root is not None and whole else ()))
        return FormView(
            id=self.id,
            action=action,
            submit=submit,
            mode="form",
            fields=fields,
            faults=tuple(self.faults(whole=whole)),
            marks=marks,
            switch=ButtonView("mode:json", "Edit as JSON"),
            focus=self.focus,
        )

    def edited(self, action: str, submit: str) -> FormView:
        """The JSON editor, and beside it the secrets: they are not written into it."""
        text = last(self.typed, "_json")
        whole = {path: message for path, message in self.errors.items() if not path}
        error = "; ".join(f"{path}: {message}" if path else message for path, message in self.errors.items())
        editor = FieldView(
            kind="json",
            id=self.at(""),
            name="_json",
            label="Value as JSON",
            error=error,
            text=self.without_secrets(text),
            lines=min(max(text.count("\n") + 2, 6), 24),
            required=True,
        )
        hidden = [self.field(node, path) for path, node in secrets(self.root)]
        marks = tuple(MarkView(name, last(self.typed, name)) for name in ("_mode", "_fields") if name in self.typed)
        faults = (FaultView(f"#{editor.id}", editor.label, whole.get("") or error),) if error else ()
        fields = (editor, *(one for one in hidden if one is not None))
        back = ButtonView("mode:form", "Edit as form")
        return FormView(self.id, action, submit, "json", fields, faults, marks, back, self.focus)

    def without_secrets(self, text: str) -> str:
        try:
            value = texts.from_json(text)
        except texts.Unreadable:
            return text
        clean = without_secrets(self.root, value)
        return text if texts.same(clean, value) else texts.to_json(clean)

    def faults(self, *, whole: bool) -> Iterator[FaultView]:
        places = {path: index for index, path in enumerate(self.labels)}
        for path, message in sorted(self.errors.items(), key=lambda one: places.get(one[0], -1)):
            shown = path in self.labels and not (whole and not path)
            href = f"#{self.at(path)}" if shown else f"#{self.id}"
            yield FaultView(href, self.trail(path) if shown else "", message)

    def trail(self, path: str) -> str:
        """The labels on the way to a field."""
        parts = path.split(".") if path else []
        places = [".".join(parts[:length]) for length in range(1, len(parts))]
        labels = [self.labels[place] for place in (*places, path) if place in self.labels]
        # A row is named for its list.
        return " / ".join(
            label
            for index, label in enumerate(labels)
            if not "".join(labels[index + 1 : index + 2]).startswith(f"{label} ")
        )

    # -- one field

    def at(self, path: str) -> str:
        """The id of the field at a path."""
        return f"{self.id}.{path}" if path else f"{self.id}.value"

    def field(self, node: Node, path: str, *, label: str = "", bare: bool = False) -> FieldView | None:
        """The view of one field; ``None`` for what nobody is asked."""
        asked = at(self.typed, path, "@json")
        if isinstance(node, Constant) and asked is None:
            return None
        base = self.base(node, path, label=label, bare=bare)
        self.labels[path] = base.label
        if asked is not None or isinstance(node, Constant):
            # Its fields stay what they are, unseen: another value may fit them.
            text = asked or ""
            return replace(base, kind="json", name=control(join(path, "@json")), text=text, lines=_lines(text, 2))
        if isinstance(node, Leaf):
            return self.leaf(node, path, base)
        return self.group(node, path, base) if isinstance(node, Group) else self.union(node, path, base)

    def base(self, node: Node, path: str, *, label: str, bare: bool) -> FieldView:
        """What every kind of field has."""
        about = node.about
        blank = at(self.typed, path, "@blank")
        return FieldView(
            kind="text",
            id=self.at(path),
            name=control(path),
            label=label or about.label or "value",
            hint=hints.of(node),
            description=about.description,
            error=self.errors.get(path, ""),
            bare=bare,
            required=not about.optional,
            focus=self.focus == path and bool(path),
            placeholder=about.example or hints.default_text(node),
            marks=() if blank is None else (MarkView(control(join(path, "@blank")), blank),),
        )

    def leaf(self, node: Leaf, path: str, base: FieldView) -> FieldView:
        text = at(self.typed, path) or ""
        match node:
            case Text():
                return self.text(node, path, replace(base, text=text))
            case Number():
                mode = "numeric" if node.whole else "decimal"
                return replace(base, kind="number", text=text, inputmode=mode)
            case Boolean() if is_checkbox(node):
                ticked = at(self.typed, path) is not None
                return replace(base, kind="boolean", text="true" if ticked else "", required=False, hint="")
            case Boolean():
                return self.choices(base, {"true": "yes", "false": "no"}, text, optional=node.about.skipped)
            case Choice():
                labels = {wire: hints.shown(value) for wire, value in texts.wires(node).items()}
                return self.choices(base, labels, text, optional=node.about.skipped)
            case Moment():
                return self.moment(node, path, replace(base, text=text))
            case Anything():
                hint = hints.joined("JSON", base.hint)
                return replace(base, kind="json", text=text, hint=hint, lines=_lines(text, 2))
            case _:
                assert_never(node)

    def text(self, node: Text, path: str, base: FieldView) -> FieldView:
        if node.secret:
            # A row's place says nothing of who is in it: there, what was typed must not stay where it was.
            keep = not any(part.isdigit() or part.startswith("@") for part in path.split("."))
            return replace(base, kind="secret", type="password", text="", keep=keep)
        if node.long or "\n" in base.text:
            return replace(base, kind="long", lines=_lines(base.text, 3))
        return replace(base, inputmode=_INPUTMODES.get(node.format, ""))

    def moment(self, node: Moment, path: str, base: FieldView) -> FieldView:
        zone = at(self.typed, path, "@zone")
        if zone is None and node.kind == "datetime" and not base.text:
            zone = "UTC"
        picker = not base.text or texts.pickable(node.kind, base.text)
        base = replace(
            base,
            kind="moment",
            type=_PICKERS[node.kind] if picker and (node.kind != "datetime" or zone is not None) else "text",
            step="" if node.kind == "date" else "any" if "." in base.text else "1",
            hint=hints.joined("" if picker else _PATTERNS[node.kind], base.hint),
        )
        if zone is None:
            return base
        name, label = control(join(path, "@zone")), f"time zone of {base.label}"
        return replace(base, zone=FieldView("text", f"{base.id}.zone", name, label, text=zone, bare=True))

    def choices(self, base: FieldView, labels: Mapping[str, str], text: str, *, optional: bool) -> FieldView:
        if text and text not in labels:
            labels = {text: text, **labels}  # what was typed elsewhere stays to be seen
        if optional:
            labels = {**labels, "": "none"}
        many = len(labels) > SEGMENTS + optional or sum(map(len, labels.values())) > SEGMENT_LETTERS
        if many and not optional and text not in labels:
            labels = {"": "choose", **labels}
        made = [
            ChoiceView(f"{base.id}.{index}", wire, label, wire == text)
            for index, (wire, label) in enumerate(labels.items(), start=1)
        ]
        return replace(base, kind="select" if many else "choice", choices=tuple(made), text=text)

    # -- several fields

    def group(self, node: Group, path: str, base: FieldView) -> FieldView:
        if base.focus:
            self.focus = _first(node, path)
        if node.about.skipped:
            on = at(self.typed, path, "@on") is not None
            base = replace(base, toggle=ToggleView(f"{base.id}.on", control(join(path, "@on")), on))
        match node:
            case Object():
                fields = [self.field(part, join(path, name)) for name, part in node.fields]
                fields.append(self.more(path))
            case Tuple():
                fields = [
                    self.field(part, join(path, index), label=part.about.label or f"{base.label} {index + 1}")
                    for index, part in enumerate(node.items)
                ]
            case List() | Dict():
                return self.rows(node, path, base)
            case _:
                assert_never(node)
        shown = tuple(one for one in fields if one is not None)
        return replace(base, kind="group", fields=shown)

    def more(self, path: str) -> FieldView | None:
        """What was given beyond the fields of the schema."""
        place = join(path, "@more")
        if at(self.typed, place) is None:
            return None
        base = self.beside("json", place, "more fields")
        return replace(base, hint="JSON", lines=_lines(base.text, 2))

    def beside(self, kind: str, place: str, label: str) -> FieldView:
        """A control that is no field of the schema."""
        self.labels[place] = label
        text, error = at(self.typed, place) or "", self.errors.get(place, "")
        return FieldView(kind, self.at(place), control(place), label, text=text, error=error)

    def rows(self, node: List | Dict, path: str, base: FieldView) -> FieldView:
        amount = count(self.typed, path)
        part = node.item if isinstance(node, List) else node.value
        if isinstance(part, Leaf) and part.about.rules:
            base = replace(base, hint=hints.joined(base.hint, "each " + ", ".join(part.about.rules)))
        rows = tuple(
            RowView(self.row(node, path, index, base), tuple(row_buttons(path, index, amount, base.label)))
            for index in range(amount)
        )
        most = node.most if isinstance(node, List) and node.most is not None else MAX_ROWS
        add = ButtonView(f"add:{path}", f"Add to {base.label}", "plus") if amount < most else None
        marks = (*base.marks, MarkView(control(join(path, "@rows")), str(amount)))
        return replace(base, kind="list" if isinstance(node, List) else "dict", rows=rows, add=add, marks=marks)

    def row(self, node: List | Dict, path: str, index: int, base: FieldView) -> tuple[FieldView, ...]:
        if isinstance(node, List):
            return self.cell(node.item, join(path, index), f"{base.label} {index + 1}")
        row = join(path, f"@{index}")
        key = self.beside("text", join(row, "key"), f"key {index + 1}")
        focus = self.focus == join(row, "key")
        key = replace(key, required=True, bare=True, placeholder="key", focus=focus)
        return (key, *self.cell(node.value, join(row, "value"), f"value {index + 1}"))

    def cell(self, node: Node, path: str, label: str) -> tuple[FieldView, ...]:
        """A value in its row. If it is one control, its list says what each has to be."""
        single = isinstance(node, Leaf)
        found = self.field(node, path, label=label, bare=single)
        return () if found is None else (replace(found, hint="") if single else found,)

    def union(self, node: Union, path: str, base: FieldView) -> FieldView:
        place = chosen(node, self.typed, path)
        name = control(join(path, "@tab"))
        tabs = [
            TabView(
                id=f"{base.id}.tab{index}",
                name=name,
                value=str(index),
                label=one.label,
                chosen=index == place,
                field=self.alternative(one.node, join(path, f"@{index}"), one.label),
            )
            for index, one in enumerate(node.alternatives)
        ]
        return replace(base, kind="union", tabs=tuple(tabs))

    def alternative(self, node: Node, path: str, label: str) -> FieldView | None:
        """The fields of one alternative. The tab names it already."""
        found = self.field(node, path, label=label, bare=True)
        return found if found is None or found.kind != "group" or found.fields else None


def _lines(text: str, least: int) -> int:
    return min(max(text.count("\n") + 1, least), 16)


def _first(node: Group, path: str) -> str:
    """Where one types first in a new row, or what one presses there."""
    match node:
        case Object():
            names: list[str | int] = [name for name, part in node.fields if not isinstance(part, Constant)]
            return join(path, names[0]) if names else path
        case Tuple():
            return join(path, 0)
        case _:
            return f"add:{path}"
