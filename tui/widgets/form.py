"""Fields one under another, in a column that scrolls to the one with the focus."""

from __future__ import annotations

from textual.containers import VerticalScroll


class Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Leaves the arrows to its screen: they go from field to field also where it could scroll."""
