"""Fields one under another, in a column that scrolls to the one with the focus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.containers import VerticalScroll

from tui.widgets.field import Field


class Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Leaves the arrows to its screen: they go from field to field also where it could scroll."""

    @property
    def fields(self) -> list[Field]:
        """All fields, from above."""
        return [*self.query(Field).results(Field)]

    def field(self, setting: str) -> Field:
        """Return the field of a setting."""
        return self.query_one(f"#field-{setting}", Field)

    def values(self, *settings: str) -> dict[str, Any] | None:
        """Return what was chosen, of all fields or of those of `settings`; None while one is wrong."""
        fields = [field for field in self.fields if not settings or field.setting in settings]
        if any(field.error is not None for field in fields):
            return None
        return {field.setting: field.value for field in fields}

    def take(self, settings: Mapping[str, object]) -> None:
        """Put `settings` into the fields, into all others their defaults."""
        for field in self.fields:
            field.set(settings.get(field.setting, field.default))

    @property
    def in_hand(self) -> Field | None:
        """The field with the focus."""
        return next((field for field in self.fields if field.has_focus_within), None)
