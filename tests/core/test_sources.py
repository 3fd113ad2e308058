"""What a person gives becomes single pictures: addresses, files, folders, patterns, archives, lists."""

from __future__ import annotations

import asyncio
import os
import random
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.files import UnreadableError
from core.lines import lines_from
from core.prediction import archive, sources
from core.prediction.archive import Archive
from core.prediction.gather import gather
from core.prediction.reading import Readers, Wanted
from core.prediction.sources import Refusal, Source
from core.text import safe_text
from tests.core.conftest import picture

Gathered = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    made = Readers(1)
    yield made
    await made.close()


@pytest.fixture
def gathered(readers: Readers) -> Gathered:
    """Return what a word becomes, in words: the sources, or why there are none."""

    async def all_of(word: object) -> list[str]:
        found = [one async for one in gather(str(word), readers)]
        return [one.shown if isinstance(one, Source) else one.error.title for one in found]

    return all_of


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three pictures, one of them deeper, and things that are none."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("b.png", "a.png", "more/c.png"):
        picture(0, seed=1, size=8).save(folder / name)
    for name in ("notes.txt", ".git/d.png", "._a.png"):
        (folder / name).write_bytes(b"x")
    (folder / "loop").symlink_to(folder)
    return folder


def packed(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def png(tmp_path: Path) -> bytes:
    path = tmp_path / "one.png"
    picture(0, seed=1, size=8).save(path)
    return path.read_bytes()


async def test_a_folder_gives_its_pictures_in_order(gathered: Gathered, album: Path) -> None:
    assert await gathered(album) == [f"{album}/{name}" for name in ("a.png", "b.png", "more/c.png")]


async def test_a_pattern_gives_what_fits(gathered: Gathered, album: Path) -> None:
    assert await gathered(f"{album}/[ab].png") == [f"{album}/a.png", f"{album}/b.png"]
    assert await gathered(f"{album}/mor?") == [f"{album}/more/c.png"]
    assert await gathered(f"{album}/*.jpg") == [f"No file fits {album}/*.jpg."]
    assert "holds a NUL" in (await gathered("a\0*.png"))[0]
    (album / "odd[1].png").write_bytes(b"x")
    assert await gathered(f"{album}/odd[1].png") == [f"{album}/odd[1].png"]


async def test_a_home_folder_is_meant_only_where_it_was_typed(
    gathered: Gathered, readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    (here / "~").mkdir(parents=True)
    home.mkdir()
    picture(0, seed=1, size=8).save(home / "a.png")
    picture(0, seed=1, size=9).save(here / "~" / "a.png")
    packed(here / "~" / "z.zip", **{"1.png": png(tmp_path)})
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    assert await gathered("~") == [f"{home}/a.png"]
    assert await gathered("~/*.png") == [f"{home}/a.png"]
    assert await gathered("./~") == ["~/a.png"]
    assert [one async for one in gather(".", readers)] == [Source("~/a.png")]
    assert (await readers.read(Source("~/a.png"), Wanted())).original_width == 9
    assert [member.name for member in await readers.members("~/z.zip")] == ["1.png"]


@pytest.mark.parametrize("name", ["album", "more"])
async def test_a_folder_that_cannot_be_opened_is_told(
    gathered: Gathered, album: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened = os.scandir

    def forbidding(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    closed = album if name == "album" else album / name
    said = f"{closed} cannot be opened (Permission denied)."
    found = [] if name == "album" else [f"{album}/a.png", f"{album}/b.png"]
    assert await gathered(album) == [*found, said]


async def test_a_missing_file_and_an_empty_folder_are_told(
    gathered: Gathered, readers: Readers, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert await gathered(tmp_path / "empty") == [f"There are no pictures in {tmp_path}/empty."]
    with pytest.raises(UserError, match="No such file"):
        await readers.read(Source(str(tmp_path / "none.png")), Wanted())


async def test_an_archive_gives_its_pictures_and_what_it_refuses(
    gathered: Gathered, readers: Readers, tmp_path: Path
) -> None:
    good = png(tmp_path)
    path = packed(
        tmp_path / "a.zip",
        **{
            "cats/1.png": good,
            "notes.txt": b"x",
            "__MACOSX/2.png": good,
            "../up.png": good,
            "/etc/abs.png": good,
            "inner.zip": b"PK",
            "evil\x1b[31m.png": good,
        },
    )
    before = sorted(tmp_path.iterdir())
    assert await gathered(path) == [
        f"{path}/../up.png has a name that leads out of the archive.",
        f"{path}//etc/abs.png has a name that leads out of the archive.",
        f"{path}/cats/1.png",
        f"{path}/evil\\x1b[31m.png",
        f"{path}/inner.zip is an archive inside the archive, which is not opened.",
    ]
    read = await readers.read(Source(str(path), "cats/1.png"), Wanted(stored_size=8))
    assert (read.original_width, len(read.pixels)) == (8, 3 * 8 * 8)
    with pytest.raises(UserError, match="no longer in the archive"):
        await readers.read(Source(str(path), "none.png"), Wanted())
    with pytest.raises(UserError, match="leads out"):
        await readers.read(Source(str(path), "../up.png"), Wanted())
    # Nothing was unpacked.
    assert sorted(tmp_path.iterdir()) == before


async def test_an_archive_that_was_replaced_is_read_anew(readers: Readers, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", **{"1.png": png(tmp_path)})
    await readers.read(Source(str(path), "1.png"), Wanted())
    packed(tmp_path / "b.zip", **{"other.png": b"x"}).replace(path)
    with pytest.raises(UserError, match="no longer in the archive"):
        await readers.read(Source(str(path), "1.png"), Wanted())


async def test_a_file_that_is_no_archive(gathered: Gathered, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    os.mkfifo(tmp_path / "b.zip")
    assert "is no zip archive" in (await gathered(tmp_path / "a.zip"))[0]
    assert "is not a regular file" in (await gathered(tmp_path / "b.zip"))[0]
    assert "no pictures" in (await gathered(packed(tmp_path / "c.zip", **{"x.txt": b"x"})))[0]


def test_an_archive_that_is_a_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", **{"1.png": bytes(2**20), "2.png": bytes(2**20)})
    assert len(Archive(path).members()) == 2
    monkeypatch.setattr(archive, "BOMB_BYTES", 2**20)
    with pytest.raises(UnreadableError, match="times its size"):
        Archive(path)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    with pytest.raises(UnreadableError, match="the limit is 1 "):
        Archive(path)


def test_damage_in_an_archive_is_told_and_never_raised_as_something_else(tmp_path: Path) -> None:
    good = packed(tmp_path / "a.zip", **{"1.png": png(tmp_path), "2.png": b"x" * 999}).read_bytes()
    for at in range(0, len(good), 3):
        bad = bytearray(good)
        bad[at] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(bad)
        try:
            opened = Archive(tmp_path / "bad.zip")
            for member in opened.members():
                opened.read(member.name)
        except UnreadableError as error:
            assert str(error)


async def test_lines_come_as_they_are_written_and_block_nothing() -> None:
    reading, writing = os.pipe()
    lines = lines_from(reading)
    os.write(writing, b"a.png\r\nb\xff.png\nun")
    assert [await anext(lines), await anext(lines)] == ["a.png", "b\udcff.png"]
    waiting = asyncio.ensure_future(anext(lines))
    done, _ = await asyncio.wait({waiting}, timeout=0)
    assert not done
    os.write(writing, b"finished")
    os.close(writing)
    assert await waiting == "unfinished"
    assert [line async for line in lines] == []
    os.close(reading)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ftp://user:secret@h/a.png?secret", "ftp://h/a.png"),
        ("user:secret@example.com/a.png?key=secret", "example.com/a.png"),
        ("example.com/a.png?key=secret", "example.com/a.png"),
        ("http://user:secret@h:99999/a?secret", "http://h:99999/a"),
        ("http:/user:secret@host/x", "http:/host/x"),
        ("https:///user:secret@127.0.0.1/", "https:///127.0.0.1/"),
        ("https://user:sec#ret@h/", "https://h/"),
        ("https://user:sec?ret@h/", "https://h/"),
        ("https://user:1?secret@h/", "https://…"),
        ("user:sec/ret@host/x.png", "host/x.png"),
        ("//user:secret@host/a.png", "//host/a.png"),
        ("/user:secret@host/a.png", "/host/a.png"),
        ("localhost:8000/a.jpg?token=secret", "localhost:8000/a.jpg"),
        ("127.0.0.1:9/a.jpg?token=secret", "127.0.0.1:9/a.jpg"),
        ("example.com?sig=secret", "example.com"),
        ("https://example.com/a@2x.png?at=x@secret", "https://example.com/a@2x.png"),
        ("https://example.com/" + "a" * 900, "https://example.com/" + "a" * 279 + "…"),
        ("/pictures/what?.png", "/pictures/what?.png"),
        ("a\x1b[31m.png", "a\\x1b[31m.png"),
    ],
)
def test_c052_secrets_are_hidden_whatever_else_is_wrong(given: str, shown: str) -> None:
    assert sources.shown(given) == shown


async def test_c052_a_refused_address_does_not_repeat_its_secrets(readers: Readers) -> None:
    words = ["ftp://u:secret@h/a?secret", "u:secret@h/a.png", "https://u:secret@[h/?secret"]
    words += ["https://u:secret?@h/", "u:secret/@h/a.png", "example.com?sig=secret", "h/?secret"]
    for word in words:
        async for found in gather(word, readers):
            if isinstance(found, Refusal):
                assert "secret" not in found.source + found.error.title + found.error.hint
            else:
                assert "secret" not in found.shown


def test_what_may_hold_many_pictures(album: Path) -> None:
    many = [album, f"{album}/*.png", packed(album / "z.zip")]
    assert all(sources.is_many(str(word)) for word in many)
    one = [album / "a.png", "https://example.org/[1]*.png", "", "ftp://h/*", "none.png", "x" * 9999]
    assert not any(sources.is_many(str(word)) for word in one)


def test_c051_no_text_that_is_typed_or_pasted_is_more_than_refused() -> None:
    draw = random.Random(0)
    pieces = ["http://", "https:", "//", "@", ":", "[", "]", "?", "#", "%", "..", "*", "~", "\0"]
    pieces += ["\x1b[31m", "\udcff", "é", "١", "\u202e", " ", "\n", "a.b", "x.zip", "99999", "::1"]
    for _ in range(3000):
        text = "".join(draw.choices(pieces, k=draw.randrange(9)))
        assert sources.shown(text).isprintable()
        assert sources.is_many(text) in (True, False)
        try:
            assert sources.normalised(text)
        except UserError as error:
            assert safe_text(error.title) and error.hint
