"""Which pictures belong together: copies by content, near copies, and what their names say."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence

from core.dataset.crew import Crew
from core.dataset.split import Member
from core.errors import UserError
from core.processes import die_with_parent
from core.text import native, readable_path

# How long a pattern may take on some names, and on a single one.
CHUNK_SECONDS = 3.0
NAME_SECONDS = 1.0


class _Together:
    """Sets of numbers that grow together (Galler and Fischer, CACM 7(5), 1964)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def join(self, a: int, b: int) -> None:
        """Put the sets of `a` and `b` together."""
        first, second = self.of(a), self.of(b)
        self._above[max(first, second)] = min(first, second)

    def of(self, number: int) -> int:
        """Return the least number in the set of `number`."""
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def all(self) -> list[int]:
        """Return the set of each number."""
        return [self.of(number) for number in range(len(self._above))]


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return the group of each of `count` rows when `pairs` go together: the number of its first."""
    together = _Together(count)
    for a, b in pairs:
        together.join(a, b)
    return together.all()


def grouped(
    members: Sequence[Member],
    near: Iterable[tuple[int, int]] = (),
    names: Sequence[str | None] = (),
) -> list[int]:
    """Return the group of each member: the number of its first.

    Equal bytes, `near` pairs, and equal `names` (see `names_by`), go together.
    """
    digests = [member.digest for member in members]
    return joined(len(members), [*_equal(digests), *_equal(names), *near])


def several(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the rows of each key that more than one row has, in the order of their first."""
    rows: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return [of_key for of_key in rows.values() if len(of_key) > 1]


def _equal(names: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """Yield each row that has a name with the first that has the same."""
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if name is not None and first.setdefault(name, row) != row:
            yield first[name], row


def names_by(pattern: str, members: Sequence[Member]) -> list[str | None]:
    """Return what the regular expression `pattern` finds in the name of each member, None for nothing.

    It is searched in the file's name, or, if it holds a slash, in the path below the class folder; what
    its first bracket finds counts, or else the whole. That is done in processes of their own: there are
    patterns that take for ever, and nothing else can stop them.

    Raises:
        UserError: it takes too long on a name.
    """
    paths = [member.path for member in members]
    with Crew(die_with_parent, False, CHUNK_SECONDS, NAME_SECONDS) as crew:
        return list(crew.map(_found, paths, (pattern,), lambda path: _endless(path, pattern)))


def _endless(path: str, pattern: str) -> str:
    raise UserError(
        f"The pattern {pattern} takes too long on the name {readable_path(path)}.",
        "Give --group a simpler one, without repetitions inside repetitions.",
    )


def _found(paths: Sequence[str], pattern: str) -> list[str | None]:
    expression = re.compile(pattern)
    names: list[str | None] = []
    for path in paths:
        folder, _, name = native(path).rpartition("/")
        below = f"{folder.partition('/')[2]}/{name}".lstrip("/")
        found = expression.search(below if "/" in pattern else name)
        names.append(None if found is None else found[1] if expression.groups else found[0])
    return names
