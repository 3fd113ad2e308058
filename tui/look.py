"""The colours of the app: a theme by the name that a person gives it, if asked in colours for all eyes."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

from core.settings import Settings

# Okabe and Ito, "Color Universal Design" (2008): told apart with any of the common colour blindnesses.
_SKY, _BLUE, _ORANGE = "#56B4E9", "#0072B2", "#E69F00"
_GREEN, _YELLOW, _VERMILION, _PURPLE = "#009E73", "#F0E442", "#D55E00", "#CC79A7"


def textual_theme(name: str) -> str:
    """Return Textual's name of the theme that a person calls `name`."""
    return {"dark": "textual-dark", "light": "textual-light"}.get(name, name)


def theme_for(settings: Settings) -> Theme:
    """Return the theme that `settings` ask for, the usual one if there is none of that name."""
    theme = BUILTIN_THEMES.get(textual_theme(settings.theme), BUILTIN_THEMES["textual-dark"])
    if settings.colours == "usual":
        return theme
    return replace(
        theme,
        name=f"{theme.name}-colour-blind",
        primary=_SKY if theme.dark else _BLUE,
        secondary=_PURPLE,
        accent=_ORANGE,
        success=_GREEN,
        warning=_YELLOW,
        error=_VERMILION,
    )
