"""One setting on the form: its name, its value, and under it what is wrong with the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from core.config import FIELDS
from core.errors import UserError
from core.fields import Fields, shown
from tui.command import Command, bindings
from tui.words import plain

# Settings that are chosen among a few words rather than typed.
YES_NO = ("no", "yes")


def words_of(name: str, fields: Fields = FIELDS) -> tuple[str, ...]:
    """Return the words among which the setting `name` is chosen, none if it is typed."""
    if isinstance(fields.default(name), bool):
        return YES_NO
    # "auto" beside numbers is a word too, but there the numbers are typed.
    return fields.choices(name) if len(fields.choices(name)) > 1 else ()


class Choice(Widget, can_focus=True):
    """A few words, one of them taken; left and right choose."""

    BINDINGS = bindings(
        Command("left,h", "take(-1)", "word before", "Take the word before.", False),
        Command("right,l,space", "take(1)", "next word", "Take the next word.", False),
    )
    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another word was taken."""

    def __init__(self, words: tuple[str, ...], value: str) -> None:
        super().__init__()
        self.words = words
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        """Return the words, the taken one between brackets; close together where there is little room."""
        roomy = sum(len(word) + 2 for word in self.words) <= self.size.width
        return Content("" if roomy else " ").join(
            Content.styled(f"[{word}]", "bold")
            if word == self.value
            else Content.styled(f" {word} " if roomy else word, "$foreground 60%")
            for word in self.words
        )

    def action_take(self, step: int) -> None:
        """Take the word `step` further on, round the ends."""
        self.value = self.words[(self.words.index(self.value) + step) % len(self.words)]
        self.post_message(self.Changed())


class Field(Widget):
    """A setting by its name in `fields`; `value` is what was typed, once it is right."""

    class Changed(Message):
        """The value, or whether it is right, changed."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(self, setting: str, value: object, fields: Fields = FIELDS) -> None:
        super().__init__(id=f"field-{setting}")
        self.setting = setting
        self.fields = fields
        self.value: Any = value
        self.error: UserError | None = None
        self.about = f"{fields.meta(setting).description} It is {fields.allowed(setting)}."

    def compose(self) -> ComposeResult:
        words = words_of(self.setting, self.fields)
        value = shown(self.value)
        with Horizontal(classes="row"):
            yield Static(self._titled(), classes="name", markup=False)
            yield Choice(words, value) if words else Input(value, max_length=4096, compact=True)
        yield Static("", classes="error", markup=False)

    @property
    def title(self) -> str:
        """What people call the setting."""
        return self.fields.meta(self.setting).title or self.setting

    @property
    def default(self) -> object:
        """The value that it has when nobody says otherwise."""
        return self.fields.default(self.setting)

    @property
    def differs(self) -> bool:
        """Whether the value is another than the default."""
        return bool(self.value != self.default)

    def _titled(self) -> str:
        return self.title + ("*" if self.differs else "")

    def set(self, value: object) -> None:
        """Put `value` into the field."""
        control = self.control
        if control.value != shown(value):
            control.value = shown(value)
            if isinstance(control, Input):
                control.cursor_position = len(control.value)
            self.check()

    @property
    def typed(self) -> str:
        """What stands in the field."""
        control = self.control
        return control.value

    @property
    def control(self) -> Input | Choice:
        """The widget that takes the keys."""
        found = self.query("Choice, Input").first()
        assert isinstance(found, Input | Choice)
        return found

    @on(Choice.Changed)
    @on(Input.Changed)
    def _typed(self, event: Message) -> None:
        event.stop()
        self.check()

    def check(self) -> None:
        """Read the value anew and show what is wrong with it."""
        try:
            self.value, self.error = self.fields.parse(self.setting, self.typed), None
        except UserError as error:
            self.error = error
        self._show_error()
        self.post_message(self.Changed(self))

    def refuse(self, error: UserError) -> None:
        """Show what is wrong with a value that its type does not forbid."""
        self.error = error
        self._show_error()

    def _show_error(self) -> None:
        message = self.query_one(".error", Static)
        message.update(plain(f"✗ {self.error.title}") if self.error else "")
        self.query_one(".name", Static).update(self._titled())
        self.set_class(self.error is not None, "-wrong")

    def controls(self) -> Iterator[Widget]:
        """Yield what can take the focus here."""
        yield self.control
