"""The built-in example: reproducible, balanced, safe to write, and told apart by the mouth alone."""

from __future__ import annotations

import errno
import os
import statistics
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageChops, ImageStat

from core.dataset import demo
from core.dataset.demo import CLASSES, draw_face, write_demo
from core.errors import UserError

Statistics = dict[str, dict[str, list[float]]]  # class → name of the summary → one per picture


def _bytes(written: dict[str, list[Path]]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for paths in written.values() for path in paths}


def _wrong_number(images: object) -> UserError:
    with pytest.raises(UserError) as caught:
        write_demo(Path("never-made"), images)  # type: ignore[arg-type]
    return caught.value


def test_writes_class_folders_of_equal_size_and_names_what_it_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "faces"
    heard: list[tuple[int, int]] = []
    written = write_demo(folder, 21, progress=lambda done, total: heard.append((done, total)))

    assert {mood: len(paths) for mood, paths in written.items()} == {"happy": 10, "sad": 10}
    assert sorted(folder.rglob("*.png")) == sorted(written["happy"] + written["sad"])
    assert written["happy"][0] == folder / "happy" / "happy-0001.png"
    assert heard[-1] == (20, 20)
    for path in written["happy"] + written["sad"]:
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 64))


def test_the_same_seed_draws_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    one = _bytes(write_demo(tmp_path / "one", 20, seed=7))
    two = _bytes(write_demo(tmp_path / "two", 20, seed=7))
    other = _bytes(write_demo(tmp_path / "other", 20, seed=8))

    assert one == two
    assert not set(one.values()) & set(other.values())
    assert len(set(one.values())) == 20


def test_a_larger_set_begins_with_the_smaller_one(tmp_path: Path) -> None:
    small = _bytes(write_demo(tmp_path / "small", 20))
    large = _bytes(write_demo(tmp_path / "large", 40))

    assert len(large) == 40
    assert small.items() < large.items()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert len(_bytes(write_demo(tmp_path, 20))) == 20


@pytest.mark.parametrize("name", ["holiday.jpg", ".hidden"])
def test_a_folder_that_holds_something_is_refused_and_left_as_it_was(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(UserError) as caught:
        write_demo(tmp_path, 20)

    assert str(tmp_path) in caught.value.title
    assert caught.value.hint
    assert [(path.name, path.read_bytes()) for path in tmp_path.rglob("*")] == [(name, b"mine")]


def test_a_file_in_the_way_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    wall = tmp_path / "wall"
    wall.write_bytes(b"mine")
    for folder in (wall, wall / "faces"):
        with pytest.raises(UserError) as caught:
            write_demo(folder, 20)
        assert str(folder) in caught.value.title
        assert caught.value.hint
    assert wall.read_bytes() == b"mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        write_demo(tmp_path / "faces", 20)


def test_what_ends_half_way_leaves_an_empty_folder_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    def full(*_: object) -> Image.Image:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(KeyboardInterrupt):
        write_demo(tmp_path, 20, progress=stop)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(demo, "draw_face", full)
        with pytest.raises(UserError, match="No space left"):
            write_demo(tmp_path, 20)
    assert not list(tmp_path.iterdir())
    assert write_demo(tmp_path, 20)


@pytest.mark.parametrize("images", [-2, 0, 19, 1_000_001, 20.5, "20", True, None])
def test_a_count_out_of_range_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: object
) -> None:
    monkeypatch.chdir(tmp_path)
    error = _wrong_number(images)

    assert str(images) in error.title
    assert "20 to 1,000,000" in error.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_face_has_the_size_asked_for(size: int) -> None:
    face = draw_face("happy", Random(1), size)
    assert (face.mode, face.size) == ("RGB", (size, size))


def test_twins_of_both_moods_differ_in_the_mouth_and_brows_only() -> None:
    """Nothing but the mood's sign may differ: the same draws, the same picture around the mouth."""
    shares = []
    for number in range(60):
        happy_rng, sad_rng = Random(number), Random(number)
        happy, sad = draw_face("happy", happy_rng), draw_face("sad", sad_rng)
        assert happy_rng.getstate() == sad_rng.getstate()
        levels = ImageChops.difference(happy, sad).convert("L").point([v > 8 for v in range(256)])
        shares.append(sum(levels.tobytes()) / (64 * 64))

    assert min(shares) > 0.01
    assert max(shares) < 0.25


def _summaries(path: Path) -> dict[str, float]:
    with Image.open(path) as image:
        image.load()
        colour, light = ImageStat.Stat(image), ImageStat.Stat(image.convert("L"))
        hue = ImageStat.Stat(image.convert("HSV"))
    return {
        "red": colour.mean[0],
        "green": colour.mean[1],
        "blue": colour.mean[2],
        "brightness": light.mean[0],
        "contrast": light.stddev[0],
        "hue": hue.mean[0],
        "saturation": hue.mean[1],
        "file size": float(path.stat().st_size),
    }


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> Statistics:
    written = write_demo(tmp_path_factory.mktemp("faces"), 400)
    measured = {mood: [_summaries(path) for path in written[mood]] for mood in CLASSES}
    return {mood: {name: [m[name] for m in ms] for name in ms[0]} for mood, ms in measured.items()}


def _separation(one: list[float], other: list[float]) -> float:
    """Return how far the area under the ROC curve of a summary is from chance, 0 to 0.5."""
    wins = sum((b > a) + 0.5 * (b == a) for a in one for b in other)
    return abs(wins / (len(one) * len(other)) - 0.5)


def test_no_summary_of_a_picture_tells_the_mood(summaries: Statistics) -> None:
    """With 200 a class the area's standard error is 0.029: 0.1 is 3.5 of them."""
    for name, happy in summaries["happy"].items():
        assert _separation(happy, summaries["sad"][name]) < 0.1, name


def test_the_check_above_would_notice_a_shift_of_half_a_deviation(summaries: Statistics) -> None:
    for name, happy in summaries["happy"].items():
        shift = 0.5 * statistics.stdev(happy)
        assert _separation(happy, [value + shift for value in happy]) > 0.1, name


def test_faces_vary_in_brightness_and_colour(summaries: Statistics) -> None:
    for name, least in (("brightness", 25.0), ("saturation", 20.0), ("hue", 25.0)):
        for mood in CLASSES:
            assert statistics.stdev(summaries[mood][name]) > least, name
