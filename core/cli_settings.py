"""The verb `settings`: where they live, what each is and means, and how to change one."""

from __future__ import annotations

import argparse

import msgspec

from core.engine import Engine
from core.errors import UserError
from core.fields import shown
from core.printing import complain, print_json, say
from core.settings import (
    FIELDS,
    KEYS,
    NAMES,
    Check,
    Settings,
    new_problem,
    read_settings,
    settings_file,
    unknown,
    write_key,
    write_setting,
)
from core.text import readable


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of the verb."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a setting, or keys.COMMAND")
    parser.add_argument(
        "value", metavar="VALUE", nargs="?", help="its new value; for keys, default takes it back"
    )


async def settings(engine: Engine, chosen: argparse.Namespace) -> int:
    """Print the settings, or change one; 1 if something in the file does not count."""
    if chosen.name is not None:
        _check_name(chosen.name)
    if chosen.value is not None:
        _change(chosen.name, chosen.value, chosen.check)
    found = read_settings()
    problems = [*found.problems, *chosen.check(found.settings)]
    if chosen.name is None and chosen.json:
        print_json({"file": readable(str(settings_file()))})
    elif chosen.name is None:
        say(f"settings are kept in {settings_file()}")
    for name in NAMES:
        if chosen.name in (None, name):
            _print(name, getattr(found.settings, name), chosen.json)
    named = (chosen.name or "").removeprefix(f"{KEYS}.")
    if named not in ("", KEYS, *NAMES, *found.settings.keys):
        # Judged by a key that nothing is called by: there may be no such command.
        _refuse(chosen.check, Settings(), Settings(keys={named: "f24"}))
        _print_key(named, "default", chosen.json)
    for command, keys in found.settings.keys.items():
        if chosen.name in (None, KEYS, f"{KEYS}.{command}"):
            _print_key(command, keys, chosen.json)
    for problem in problems:
        complain(problem)
    return 1 if problems else 0


def _check_name(name: str) -> None:
    if name not in (*NAMES, KEYS) and not name.startswith(f"{KEYS}."):
        raise unknown(name, NAMES)


def _change(name: str, typed: str, check: Check) -> None:
    """Keep a new value, unless it is wrong."""
    before = read_settings(set_aside=False).settings
    if name in NAMES:
        value = FIELDS.parse(name, typed)
        _refuse(check, before, msgspec.structs.replace(before, **{name: value}))
        write_setting(name, value)
        return
    command = name.removeprefix(KEYS).removeprefix(".")
    if not command:
        raise UserError("Which command?", f"Such as: run_tui.py settings {KEYS}.dashboard.pause p")
    keys = None if typed == "default" else typed
    if keys is not None:
        after = msgspec.structs.replace(before, keys=before.keys | {command: keys})
        _refuse(check, before, after)
    write_key(command, keys)


def _refuse(check: Check, before: Settings, after: Settings) -> None:
    problem = new_problem(check, before, after)
    if problem is not None:
        raise problem


def _print(name: str, value: object, as_json: bool) -> None:
    meta, default = FIELDS.meta(name), FIELDS.default(name)
    if as_json:
        facts = {"setting": name, "value": value, "default": default}
        print_json(facts | {"means": meta.description, "allowed": FIELDS.allowed(name)})
        return
    say(f"{name} = {shown(value)}")
    say(f"    {meta.description} ({FIELDS.allowed(name)}; default: {shown(default)})")


def _print_key(command: str, keys: str, as_json: bool) -> None:
    if as_json:
        print_json({"setting": f"{KEYS}.{command}", "value": keys})
    else:
        say(f"{KEYS}.{command} = {keys}")
