"""Structs whose fields say in their `Meta` what they mean: checked as typed, and put into words.

A field's `Meta` is the only place that says what it means and how far it may go: forms, `--help`, and
error messages all read it from here. Its `extra` may hold `words`, what the field takes where its type
does not tell, `unit`, which may be typed behind it, and `check`, a function that raises `ValueError` for a
value that the type cannot refuse.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from core.errors import UserError

_DIGITS = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?|\.[0-9]{1,12}")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_MOST_QUOTED = 80


class Fields:
    """The documented fields of a Struct, by name."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self.names = struct.__struct_fields__
        self._hints: dict[str, Any] = get_type_hints(struct, include_extras=True)
        self._defaults = struct.__struct_defaults__

    def meta(self, name: str) -> Meta:
        """Return title, description and limits of the field `name`."""
        return next(part for part in _parts(self._hints[name]) if isinstance(part, Meta))

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the words that the field `name` may take, none if it is a number or free text."""
        literals = (part for part in _parts(self._hints[name]) if get_origin(part) is Literal)
        return tuple(word for literal in literals for word in get_args(literal))

    def default(self, name: str) -> Any:
        """Return the value that the field `name` has when nobody says otherwise."""
        return self._defaults[self.names.index(name) - len(self.names)]

    def allowed(self, name: str) -> str:
        """Return in words what the field `name` accepts, such as `1 to 99`."""
        limits = self.meta(name)
        words: list[str] = list((limits.extra or {}).get("words", self.choices(name)))
        if bool in self._kinds(name):
            words = ["yes", "no"]
        if limits.ge is not None and limits.le is not None:
            words.insert(0, f"{limits.ge:,} to {limits.le:,}")
        elif limits.gt is not None and limits.le is not None:
            words.insert(0, f"more than {limits.gt:g}, up to {limits.le:g}")
        return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]

    def parse(self, name: str, typed: str) -> Any:
        """Return the value of the field `name` from what a person typed.

        Stricter than `int()` and `float()`, which accept `1_000`, full-width digits and `nan`.

        Raises:
            UserError: the text is not a value of this field; the title says what is.
        """
        kinds, unit = self._kinds(name), (self.meta(name).extra or {}).get("unit", "")
        text = typed.strip().removesuffix(unit).rstrip()
        value: Any = None
        if type(None) in kinds and text in ("", "none"):
            return None
        if text in self.choices(name):
            value = text
        elif bool in kinds:
            value = _YES_NO.get(text.lower())
        elif int in kinds and _DIGITS.fullmatch(text):
            value = int(text)
        elif float in kinds and _DECIMAL.fullmatch(text):
            value = float(text)
        elif str in kinds:
            value = text or None
        return self.checked(name, value, typed)

    def checked(self, name: str, value: object, typed: object) -> Any:
        """Return `value` if the field `name` may have it; `typed` is what an error calls it.

        Raises:
            UserError: as `parse`.
        """
        try:
            if value is None:
                raise msgspec.ValidationError
            checked = msgspec.convert(value, self._hints[name])
            if check := (self.meta(name).extra or {}).get("check"):
                check(checked)
            return checked
        except (ValueError, re.error, RecursionError, OverflowError):
            title, said = self.meta(name).title, str(typed)
            said = said if len(said) <= _MOST_QUOTED else said[:_MOST_QUOTED] + "…"
            raise UserError(
                f"{title} cannot be “{said}”. It is {self.allowed(name)}.",
                f"Give {title} as {self.allowed(name)}; the default is {shown(self.default(name))}.",
            ) from None

    def _kinds(self, name: str) -> list[type]:
        return [part for part in _parts(self._hints[name]) if isinstance(part, type)]


def _parts(kind: Any) -> list[Any]:
    """Return `kind` and all that it is made of, such as the sides of a union."""
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner))]


def shown(value: object) -> str:
    """Return a field's value as forms and command lines write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
