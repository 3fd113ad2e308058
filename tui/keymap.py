"""The keys that the user's settings give to commands: understood, checked, and never in each other's way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys
from textual.theme import BUILTIN_THEMES

from core.errors import UserError
from core.settings import Settings, unknown
from core.text import safe_text
from tui.command import Command, Section, rebound, shown_key
from tui.commands import EVERYWHERE, SECTIONS, TREE
from tui.look import textual_theme

# Names that this program shows, beside Textual's own.
_ALIASES = {"esc": "escape", "del": "delete", "pgup": "pageup", "pgdn": "pagedown"}
_NAMED = {key.value for key in Keys if "+" not in key.value and "<" not in key.value}
_NAMED |= {KEY_NAME_REPLACEMENTS.get(name, name) for name in KEY_TO_UNICODE_NAME}
_NAMED |= set(KEY_NAME_REPLACEMENTS.values())
_NAMED |= {"space", "comma", "colon", "semicolon", "apostrophe", "tilde"}
_MODIFIED = re.compile(r"(?:(?:ctrl|alt|shift)\+)+([a-z0-9]|[a-z_]+[0-9]*)")


def check_settings(settings: Settings) -> list[UserError]:
    """Return what is wrong with settings that only the screens can judge."""
    problems = keymap(settings.keys)[1]
    if textual_theme(settings.theme) not in BUILTIN_THEMES:
        problems.append(unknown(settings.theme, ("dark", "light", *BUILTIN_THEMES), "theme"))
    return problems


def keymap(wanted: Mapping[str, str]) -> tuple[dict[str, str], list[UserError]]:
    """Return by which keys the commands are called that `wanted` speaks of, and what is wrong with it.

    What is wrong is left out, so that those commands keep their own keys.
    """
    known = {command.id: command for command in all_commands()}
    keys: dict[str, str] = {}
    problems = []
    for command, words in wanted.items():
        if command not in known:
            problems.append(unknown(command, tuple(known), "command"))
            continue
        try:
            keys[command] = ",".join(_key(word, command) for word in words.split(","))
        except UserError as error:
            problems.append(error)
    while (clash := next(_clashes(keys), None)) is not None:
        section, one, other, key = clash
        said = f"“{shown_key(key)}” would mean two things on {section.title}: {one.name}, {other.name}."
        back = [command for command in (one.id, other.id) if keys.pop(command, None) is not None]
        problems.append(UserError(said, f"So {' and '.join(back)} is called by its usual key."))
    return keys, problems


def all_commands() -> Iterator[Command]:
    """Yield every command once that can get other keys."""
    seen = set()
    sections = SECTIONS.values()
    lists = (command for section in sections for command in section.widgets)
    of_sections = (command for section in sections for command in section.commands)
    for command in (*EVERYWHERE, *lists, *TREE, *of_sections):
        if command.id not in seen:
            seen.add(command.id)
            yield command


def key_of(command: str, keymap: Mapping[str, str]) -> str:
    """Return the first key of a command by its id, as people call it, for words that name it."""
    keys = keymap.get(command) or next(c.keys for c in all_commands() if c.id == command)
    return shown_key(keys.split(",")[0])


def key_name(word: str) -> str | None:
    """Return Textual's name of the key that a person calls `word`, None if there is none."""
    if len(word) == 1:
        if word.isascii() and word.isalnum():
            return word
        name = unicodedata.name(word, "").lower().replace("-", "_").replace(" ", "_")
        return KEY_NAME_REPLACEMENTS.get(name, name) if word.isprintable() and name else None
    word = _ALIASES.get(word.lower(), word.lower())
    modified = _MODIFIED.fullmatch(word)
    if word in _NAMED or (modified and (len(modified[1]) == 1 or modified[1] in _NAMED)):
        return word
    return None


def _key(word: str, command: str) -> str:
    name = key_name(word.strip())
    if name is None:
        raise UserError(
            f"There is no key “{safe_text(word.strip(), 30)}” for {command}.",
            "Keys are called p, P, ?, f8, ctrl+x, space, enter, pageup; a comma parts several.",
        )
    return name


def _clashes(keys: Mapping[str, str]) -> Iterator[tuple[Section, Command, Command, str]]:
    """Yield which two commands of a section share a key that one of them has from `keys`."""
    for section in SECTIONS.values():
        owners: dict[str, Command] = {}
        for command in rebound((*section.widgets, *section.commands, *EVERYWHERE), keys):
            for key in command.keys.split(","):
                owner = owners.setdefault(key, command)
                if owner.id != command.id and (owner.id in keys or command.id in keys):
                    yield section, owner, command, key
