"""The user's settings: one TOML file, read however damaged it is, written so that comments stay.

Each field's `Meta` is the only place that says what a setting means; see `core.fields`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import platformdirs
from msgspec import Meta

from core.config import check_command
from core.errors import UserError
from core.fields import Fields, shown
from core.files import UnreadableError, expanded, read_bytes, write_atomically
from core.text import safe_text

APP = "alexnet-tui"
MOST_BYTES = 2**20
KEYS = "keys"
_HEAD = "# Settings of alexnet-tui; `run_tui.py settings` says what each means.\n\n"


def _check_url(url: str) -> None:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
        raise ValueError
    # Raises ValueError for a port that is none.
    _ = parts.port
    if " " in url or not url.isascii():
        raise ValueError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose once and for all; every field has a default."""

    theme: Annotated[
        str,
        Meta(
            title="Theme",
            description="Colours of the screens.",
            pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
            extra={"words": ("dark", "light", "the name of a theme, such as nord or gruvbox")},
        ),
    ] = "dark"
    colours: Annotated[
        Literal["usual", "colour-blind"],
        Meta(
            title="Colours",
            description="The colours that mean something; colour-blind takes those of Okabe and Ito,"
            " which nearly everybody can tell apart.",
        ),
    ] = "usual"
    ascii: Annotated[
        bool,
        Meta(title="ASCII", description="Draw with ASCII alone, for terminals that know no more."),
    ] = False
    mouse: Annotated[
        bool,
        Meta(
            title="Mouse",
            description="Take the mouse from the terminal; counts from the next start on.",
        ),
    ] = False
    bell: Annotated[
        bool, Meta(title="Bell", description="Ring the terminal's bell when a run has ended.")
    ] = True
    notice: Annotated[
        Literal["osc9", "osc777", "both", "off"],
        Meta(
            title="Notice",
            description="How the terminal is asked to show a notice when a run has ended: osc9 for"
            " iTerm2, WezTerm, kitty and most others, osc777 for urxvt and VTE. tmux hands it on"
            " after: set -g allow-passthrough on.",
        ),
    ] = "osc9"
    on_finish: (
        Annotated[
            str,
            Meta(
                title="On finish",
                description="The command for the shell after every run that names no other; see"
                " train --help.",
                max_length=4096,
                extra={"words": ("none", "a command for /bin/sh"), "check": check_command},
            ),
        ]
        | None
    ) = None
    webhook: (
        Annotated[
            str,
            Meta(
                title="Webhook",
                description="An address that is told by a POST of JSON when a run has ended.",
                max_length=4096,
                extra={"words": ("none", "a URL with http or https"), "check": _check_url},
            ),
        ]
        | None
    ) = None
    keys: dict[str, str] = {}


FIELDS = Fields(Settings)
# Judges what only the screens can: names of keys, of commands and of themes.
Check = Callable[[Settings], Sequence[UserError]]
# The settings with one value; `keys` is a table, checked by the screen that has the keys.
NAMES = tuple(name for name in FIELDS.names if name != KEYS)


class Read(NamedTuple):
    """The settings as they count, and what in the file did not."""

    settings: Settings
    problems: tuple[UserError, ...]


def settings_file() -> Path:
    """Return where the settings live: `ALEXNET_TUI_SETTINGS`, or the user's config folder."""
    named = os.environ.get("ALEXNET_TUI_SETTINGS")
    return expanded(named) if named else platformdirs.user_config_path(APP) / "settings.toml"


def read_settings(set_aside: bool = True) -> Read:
    """Return the settings; whatever is wrong with the file costs only what is wrong, and is told.

    With `set_aside` a file that is no TOML is renamed, so that it is complained of once and not lost.
    """
    path = settings_file()
    try:
        table = _parsed(path)
    except UnreadableError as error:
        hint = "Defaults are used."
        if isinstance(error, _DamagedError) and set_aside:
            hint = _set_aside(path)
        return Read(Settings(), (UserError(f"The settings file {path} {error}.", hint),))
    values: dict[str, Any] = {}
    problems = []
    for name, value in table.items():
        try:
            values[name] = _value(name, value)
        except UserError as error:
            problems.append(error)
    if problems:
        problems.append(UserError(f"The settings are in {path}.", "All other settings count."))
    return Read(Settings(**values), tuple(problems))


class _DamagedError(UnreadableError):
    """A settings file that is no TOML."""


def _parsed(path: Path) -> dict[str, Any]:
    """Return the table in the file at `path`, empty without one.

    Raises:
        UnreadableError: it cannot be read; _DamagedError: what it holds is no TOML.
    """
    try:
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            return {}
        read = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise UnreadableError(f"cannot be read ({error.strerror})") from error
    import tomllib

    try:
        return tomllib.loads(read.decode())
    except tomllib.TOMLDecodeError as error:
        raise _DamagedError(f"is damaged: {error}") from error
    except (ValueError, RecursionError) as error:
        raise _DamagedError("is damaged: it is not text, or too deep") from error


def _set_aside(path: Path) -> str:
    """Rename a damaged file and return in words where it is."""
    kept = path.with_name(f"{path.name}.bad-{time.strftime('%Y%m%d-%H%M%S')}")
    while kept.exists():
        kept = kept.with_name(f"{kept.name}-")
    with suppress(OSError):
        # A link stays where it points: what is damaged is the file behind it.
        path.resolve().rename(kept)
        return f"Defaults are used; it is kept as {kept}."
    return "Defaults are used."


def _value(name: str, value: object) -> Any:
    """Return the value of the setting `name` as it stands in a file.

    Raises:
        UserError: there is no such setting, or it cannot have this value.
    """
    if name == KEYS:
        return _keys(value)
    if name not in NAMES:
        raise unknown(name, NAMES)
    if isinstance(value, str):
        return FIELDS.parse(name, value)
    return FIELDS.checked(name, value, shown(value))


def _keys(value: object, above: str = "") -> dict[str, str]:
    """Return command → keys from a table in which `dashboard.pause` may be quoted, or a table in a table."""
    if not isinstance(value, dict):
        title = (
            f"[{KEYS}] has “{safe_text(above[:-1] or value, 60)}” with something that is no key."
        )
        raise UserError(title, 'A line of it looks like this: dashboard.pause = "p"')
    keys: dict[str, str] = {}
    for name, said in value.items():
        if isinstance(said, list) and all(isinstance(key, str) for key in said):
            said = ",".join(said)
        keys |= {above + name: said} if isinstance(said, str) else _keys(said, f"{above}{name}.")
    return keys


def unknown(
    name: str, known: Mapping[str, object] | tuple[str, ...], what: str = "setting"
) -> UserError:
    """Return the error for a name that is not among the `known` ones, with the one that is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]}?" if close else "The settings in the app list them all."
    return UserError(f"There is no {what} “{safe_text(name, 60)}”.", hint)


def new_problem(check: Check, before: Settings, after: Settings) -> UserError | None:
    """Return what `check` says of `after` that it does not say of `before`, None if nothing."""
    old = {problem.title for problem in check(before)}
    return next((problem for problem in check(after) if problem.title not in old), None)


def write_setting(name: str, value: object) -> None:
    """Keep one setting; the rest of the file stays as it is, comments and all.

    Raises:
        UserError: the file cannot be written.
    """
    _write(lambda document: _put(document, name, value, value == FIELDS.default(name)))


def write_key(command: str, keys: str | None) -> None:
    """Keep by which `keys` a command is called, None for its own.

    Raises:
        UserError: the file cannot be written.
    """
    import tomlkit

    def change(document: Any) -> None:
        table = document.setdefault(KEYS, tomlkit.table())
        if not isinstance(table, dict):
            raise ValueError(f"{KEYS} is no table there")
        *above, name = command.split(".") if command not in table else [command]
        for part in above:
            if not isinstance(table.get(part), dict):
                above, name, table = [], command, document[KEYS]
                break
            table = table[part]
        if keys is not None:
            table[name] = keys
        elif name in table:
            del table[name]

    _write(change)


def _put(document: Any, name: str, value: object, is_default: bool) -> None:
    """Put a setting into a document, unless it is a default that nobody wrote down."""
    if not is_default or name in document:
        document[name] = "none" if value is None else value


def _write(change: Any) -> None:
    """Apply `change` to the file's document, and replace the file as a whole."""
    import tomllib

    import tomlkit
    import tomlkit.exceptions

    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A link, such as into a folder of dot files, stays a link.
        target = path.resolve()
        text = ""
        if target.exists() and target.stat().st_size:
            _parsed(target)
            text = target.read_text("utf-8")
        document = tomlkit.parse(text or _HEAD)
        change(document)
        new = tomlkit.dumps(document)
        tomllib.loads(new)
        write_atomically(target, [new.encode()])
    except (OSError, UnreadableError, ValueError, tomlkit.exceptions.TOMLKitError) as error:
        # TOMLKit is not Python's reader: what one of them refuses is not written.
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"The settings cannot be kept in {path}: {reason}.",
            "Look at that file, or name another one in ALEXNET_TUI_SETTINGS.",
        ) from error
