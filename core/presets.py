"""Settings kept under a name, as TOML files in the user's config folder that a person may edit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from core.config import SETTINGS, default, parse, shown
from core.errors import UserError
from core.files import UnreadableError, read_bytes, sweep, write_atomically
from core.text import slug

MOST_BYTES = 2**16
MOST_NAME = 60
MOST_PRESETS = 500


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A name as it was typed, and the settings that differ from the defaults; `problem` if damaged."""

    name: str
    settings: dict[str, Any] = {}
    problem: str = ""


def presets_root() -> Path:
    """Return the folder of all presets."""
    return platformdirs.user_config_path("alexnet-tui") / "presets"


def load_presets() -> list[Preset]:
    """Return all presets by name; a damaged one says what is wrong with it."""
    found: list[Preset] = []
    with suppress(OSError):
        paths = sorted(path for path in presets_root().iterdir() if path.suffix == ".toml")
        found = [_load(path) for path in paths[:MOST_PRESETS]]
    return sorted(found, key=lambda preset: preset.name.casefold())


def save_preset(name: str, settings: Mapping[str, Any]) -> None:
    """Keep `settings` as the preset `name`; one of the same name is replaced, no other.

    Raises:
        UserError: the name is empty or too long, or the folder cannot be written.
    """
    import tomlkit

    name = _checked_name(name)
    values = {key: value for key, value in settings.items() if value != default(key)}
    text = tomlkit.dumps({"name": name, **values})
    root = presets_root()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(root)
        path = next(path for path in _places(root, name) if _is_free_for(path, name))
        write_atomically(path, [text.encode()])
    except (OSError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or "it holds what is no text"
        raise UserError(
            f"The preset cannot be kept in {root}: {reason}.",
            "Make room there, or name another config folder in XDG_CONFIG_HOME.",
        ) from error


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise UserError(
            f"A preset has a name of 1 to {MOST_NAME} letters.", "Type another name for it."
        )
    return name


def _places(root: Path, name: str) -> Iterator[Path]:
    """Yield where the preset `name` may lie, the likeliest first: other names may read alike as files."""
    base = slug(name)
    yield root / f"{base}.toml"
    for number in range(2, 10_000):
        yield root / f"{base}-{number}.toml"


def _is_free_for(path: Path, name: str) -> bool:
    return not path.exists() or _load(path).name == name


def _load(path: Path) -> Preset:
    """Return the preset in a file; its values pass the same checks as typed ones."""
    try:
        values = tomllib.loads(read_bytes(path, MOST_BYTES).decode())
        name = values.pop("name", path.stem)
        if not isinstance(name, str):
            raise ValueError("its name is no text")
        settings = {key: _checked(key, value) for key, value in values.items()}
        return Preset(name=name, settings=settings)
    except UserError as error:
        return Preset(name=path.stem, problem=error.title)
    except (UnreadableError, ValueError, RecursionError) as error:
        return Preset(name=path.stem, problem=f"{path.name}: {error}"[:200])


def _checked(name: str, value: object) -> Any:
    if name not in SETTINGS:
        raise ValueError(f"there is no setting “{name}”")
    return parse(name, shown(value))
