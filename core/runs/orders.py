"""Orders to a living run: one word in a file, the newest counts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Order = Literal["go", "pause", "stop", "stop-now"]


class OrderReader:
    """Reads the newest order cheaply: one `stat` as long as nothing changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        self._order: Order | None = None

    def newest(self) -> Order | None:
        """Return the order that stands, None before the first."""
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._seen = changed
                self._order = _ORDERS.get(self._path.read_text("ascii", errors="replace").strip())
        except OSError:
            return self._order
        return self._order


_ORDERS: dict[str, Order] = {"go": "go", "pause": "pause", "stop": "stop", "stop-now": "stop-now"}
