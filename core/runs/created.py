"""What a run was made with: `config.json`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.config import TrainConfig


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, when they were chosen, and whether another launcher is to start the trainer."""

    created: float
    config: TrainConfig
    prepared: bool = False


class _Named(msgspec.Struct):
    """The settings by their names, whatever they are."""

    config: dict[str, msgspec.Raw]


def read_created(path: Path) -> Created:
    """Return what the file says.

    Raises:
        OSError, msgspec.MsgspecError: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Created)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error


def unknown_settings(path: Path) -> list[str]:
    """Return the names of settings in the file that a newer version of this program gave the run.

    Raises:
        OSError, msgspec.MsgspecError: it cannot be read.
    """
    named: _Named = msgspec.json.decode(path.read_bytes(), type=_Named)
    return sorted(named.config.keys() - set(TrainConfig.__struct_fields__))
