"""A key, what it does, and how to say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, key_to_character

_NAMES = {"escape": "esc"}


@dataclass(frozen=True)
class Command:
    """A key (or several, comma-separated), what it does, and how to say so.

    By its `id` the user's settings give it other keys; in `SECTIONS` it is `section.action` unless said.
    """

    keys: str
    action: str
    name: str
    help: str
    footer: bool = True
    id: str = ""

    @property
    def shown_keys(self) -> str:
        """The keys as people call them: `esc, backspace`."""
        return ", ".join(shown_key(key) for key in self.keys.split(","))


@dataclass(frozen=True)
class Section:
    """A screen: its name, what it is for, its keys, and those of lists and trees on it."""

    title: str
    about: str
    commands: tuple[Command, ...]
    widgets: tuple[Command, ...] = ()


def shown_key(key: str) -> str:
    """Return a key as people call it."""
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    # Textual calls signs by their names in Unicode; a blank is better called space.
    sign = _character(key)
    return _NAMES.get(key) or (sign if sign not in ("", " ") else key)


def _character(key: str) -> str:
    """Return what `key` types into a text field, "" if nothing."""
    # Textual's own shorter names are not Unicode's, such as `slash` for its `solidus`.
    character = key_to_character(REPLACED_KEYS.get(key, key)) or ""
    return character if character.isprintable() else ""


def bindings(*commands: Command) -> list[BindingType]:
    """Return the bindings of `commands`."""
    return [
        Binding(
            command.keys,
            command.action,
            command.name,
            show=command.footer,
            id=command.id or None,
        )
        for command in commands
    ]


def rebound(commands: Iterable[Command], keymap: Mapping[str, str]) -> tuple[Command, ...]:
    """Return `commands` with the keys that `keymap` gives them by their ids."""
    return tuple(
        replace(command, keys=keymap.get(command.id, command.keys)) for command in commands
    )


def is_typed(key: str) -> bool:
    """Tell whether a text field takes `key` for itself."""
    return key in ("backspace", "delete") or _character(key) != ""
