"""A data folder is understood by its names, or refused in words that say what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from core.dataset.folder import PART_NAMES, inspect, scan
from core.dataset.problems import LEAST_PER_CLASS, hopeless
from core.errors import UserError


def tree(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    root.mkdir(exist_ok=True)
    return root


def filled(root: Path, *files: str) -> Path:
    """Make a tree whose classes have as many pictures as training needs."""
    tree(root, *files)
    more = {name.split("/")[0] for name in files if name.count("/")}
    return tree(root, *[f"{name}/more{i}.jpg" for name in more for i in range(LEAST_PER_CLASS)])


def scanned(root: Path) -> list[list[str]]:
    """Return the files found, without those that only fill."""
    return [[name for name in files if "/more" not in name] for files in scan(root).files]


def problem(root: Path) -> str:
    found = inspect(root).problem
    assert found is not None and found.hint
    with pytest.raises(UserError):
        scan(root)
    return found.title


def test_class_folders_become_labelled_files(tmp_path: Path) -> None:
    filled(tmp_path, "cat/b.jpg", "cat/a.PNG", "cat/deep/er/c.webp", "dog/x.jpeg", "dog/nosuffix")
    assert scan(tmp_path).classes == ["cat", "dog"]
    dogs = ["dog/nosuffix", "dog/x.jpeg"]
    assert scanned(tmp_path) == [["cat/a.PNG", "cat/b.jpg", "cat/deep/er/c.webp"], dogs]


def test_names_that_promise_no_picture_do_not_count_as_one(tmp_path: Path) -> None:
    tree(filled(tmp_path, "cat/1.jpg", "dog/1.jpg"), "cat/labels.txt", "dog/labels.csv")
    assert [found.pictures for found in inspect(tmp_path).classes] == [4, 4]


def test_c001_a_path_that_is_no_readable_folder(tmp_path: Path) -> None:
    assert "no folder" in problem(tmp_path / "missing")
    assert "is a file" in problem(tree(tmp_path, "f.jpg") / "f.jpg")
    assert problem(Path("nul\0byte"))


def test_c002_pictures_without_class_folders(tmp_path: Path) -> None:
    assert "2 pictures but no class folders" in problem(tree(tmp_path, "a.jpg", "b.jpg"))


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "nothing to train on" in problem(tmp_path)


def test_c003_one_level_too_high_offers_the_right_folder(tmp_path: Path) -> None:
    tree(tmp_path / "a", "data/cat/1.jpg", "data/dog/1.jpg")
    tree(tmp_path / "b", "data/train/cat/1.jpg", "data/test/cat/1.jpg")
    assert "one level deeper" in problem(tmp_path / "a")
    assert inspect(tmp_path / "a").suggestion == tmp_path / "a" / "data"
    assert inspect(tmp_path / "b").suggestion == tmp_path / "b" / "data"


def dealt_tree(root: Path, *parts: str) -> Path:
    names = [
        f"{part}/{name}/{i}.jpg" for part in parts for name in ("cat", "dog") for i in range(3)
    ]
    return tree(root, *names)


@pytest.mark.parametrize(
    "parts",
    [("train", "val", "test"), ("Train", "valid"), ("training", "validation"), ("train", "test")],
)
def test_c003_a_folder_dealt_into_parts_is_used_as_dealt(
    tmp_path: Path, parts: tuple[str, ...]
) -> None:
    found = scan(dealt_tree(tmp_path, *parts))
    assert found.classes == ["cat", "dog"]
    assert {found.part(path) for path in found.files[0]} == {PART_NAMES[p.lower()] for p in parts}
    assert set(inspect(tmp_path).dealt) == set(found.parts.values())
    assert inspect(tmp_path).pictures == 6 * len(parts)


def test_a_class_that_one_part_lacks_is_named(tmp_path: Path) -> None:
    dealt_tree(tmp_path, "train", "test")
    tree(tmp_path, "train/bird/1.jpg", "train/bird/2.jpg")
    assert "“bird” is missing in “test”" in problem(tmp_path)


def test_folders_beside_the_parts_are_left_out_by_name(tmp_path: Path) -> None:
    tree(dealt_tree(tmp_path, "train", "test"), "annotations/all.json", "loose.jpg")
    found = scan(tmp_path)
    assert found.classes == ["cat", "dog"]
    reasons = {file.path: file.reason for file in found.left_out}
    assert set(reasons) == {"annotations", "loose.jpg"}


def test_c003_parts_are_never_trained_on_as_classes(tmp_path: Path) -> None:
    dealt_tree(tmp_path / "a", "val", "test")
    assert "without train" in problem(tmp_path / "a")
    tree(dealt_tree(tmp_path / "b", "val"), "train/cat/1.jpg", "train/cat/2.jpg")
    assert "“dog” is missing in “train”" in problem(tmp_path / "b")
    tree(dealt_tree(tmp_path / "c", "train"), "val/cat/1.jpg", "samples/1.jpg")
    assert "“dog” is missing in “val”" in problem(tmp_path / "c")


def test_a_part_without_labels_is_left_out_by_name(tmp_path: Path) -> None:
    found = scan(tree(dealt_tree(tmp_path, "train", "val"), "test/1.jpg", "test/2.jpg"))
    assert set(found.parts) == {"train", "val"}
    assert "test" in {file.path for file in found.left_out}


def test_links_from_parts_to_a_store_beside_them_are_followed(tmp_path: Path) -> None:
    tree(tmp_path, *[f"images/{i}.jpg" for i in range(12)])
    number = iter(range(12))
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for _ in range(3):
                i = next(number)
                (tmp_path / part / name / f"{i}.jpg").symlink_to(f"../../images/{i}.jpg")
    assert [len(files) for files in scan(tmp_path).files] == [6, 6]


def test_a_class_that_is_a_link_outside_is_missing_in_its_part(tmp_path: Path) -> None:
    dealt_tree(tmp_path / "d", "train", "val")
    shutil.rmtree(tmp_path / "d" / "val" / "dog")
    (tmp_path / "d" / "val" / "dog").symlink_to(tree(tmp_path / "outside", "1.jpg"))
    assert "“dog” is missing in “val”" in problem(tmp_path / "d")


def test_c008_nested_targets_are_counted_once(tmp_path: Path) -> None:
    filled(tmp_path, "cat/1.jpg", "dog/2.jpg", ".store/a.jpg", ".store/sub/b.jpg", ".st/c.jpg")
    (tmp_path / "cat" / "all").symlink_to("../.store")
    (tmp_path / "dog" / "part").symlink_to("../.store/sub")
    (tmp_path / "dog" / "other").symlink_to("../.st")
    cats, dogs = scanned(tmp_path)
    assert cats == ["cat/1.jpg", "cat/all/a.jpg", "cat/all/sub/b.jpg"]
    assert dogs == ["dog/2.jpg", "dog/other/c.jpg"]


def test_classes_called_train_and_test_are_classes(tmp_path: Path) -> None:
    filled(tmp_path, "train/1.jpg", "test/1.jpg", "bus/1.jpg")
    assert scan(tmp_path).classes == ["bus", "test", "train"]


def test_a_part_alone_is_a_level_too_high(tmp_path: Path) -> None:
    assert inspect(dealt_tree(tmp_path, "train")).suggestion == tmp_path / "train"


def test_c004_one_class_only(tmp_path: Path) -> None:
    assert "Only one class (cat)" in problem(tree(tmp_path, "cat/1.jpg", "cat/2.jpg"))


def test_c005_a_class_without_pictures(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.jpg", "dog/2.jpg", "bird/readme.txt")
    assert "“bird” has no picture" in problem(tmp_path)


def test_c006_c007_system_folders_and_files_are_no_classes(tmp_path: Path) -> None:
    clutter = [".git/a.jpg", ".ipynb_checkpoints/a.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg"]
    junk = ["cat/._1.jpg", "cat/Thumbs.db", "cat/.hidden/3.jpg"]
    tree(filled(tmp_path, "cat/1.jpg", "dog/2.jpg"), *junk, *clutter)
    found = scan(tmp_path)
    assert found.classes == ["cat", "dog"]
    assert scanned(tmp_path) == [["cat/1.jpg"], ["dog/2.jpg"]]
    named = {*(c.split("/")[0] for c in clutter), *junk[:2], "cat/.hidden"}
    assert {f.path for f in found.left_out} == named


@pytest.mark.timeout(20)
def test_c008_links_are_followed_inside_and_once(tmp_path: Path) -> None:
    filled(tmp_path / "d", "cat/1.jpg", "cat/2.jpg", "dog/3.jpg")
    outside = tree(tmp_path / "outside", "secret.jpg")
    root = tmp_path / "d"
    (root / "cat" / "loop").symlink_to(root / "dog")
    (root / "dog" / "loop").symlink_to(root / "cat")
    (root / "dog" / "up").symlink_to(root)
    (root / "dog" / "out").symlink_to(outside)
    (root / "dog" / "out.jpg").symlink_to(outside / "secret.jpg")
    (root / "dog" / "nowhere.jpg").symlink_to(root / "gone.jpg")
    (root / "bird").symlink_to(outside)
    found = scan(root)
    # Everything that a link inside leads to is counted already, once.
    assert sum(map(len, scanned(root))) == 3
    assert not any("secret" in f or "out" in f for files in found.files for f in files)
    reasons = {f.path: f.reason for f in found.left_out}
    assert "bird" in reasons and "dog/out" in reasons
    assert "dog/out.jpg" in reasons and "dog/nowhere.jpg" in reasons


def test_c008_a_link_to_what_only_links_reach_is_followed_once(tmp_path: Path) -> None:
    filled(tmp_path, "cat/1.jpg", "dog/2.jpg", ".store/a.jpg", ".store/deep/b.jpg")
    (tmp_path / "cat" / "a.jpg").symlink_to(tmp_path / ".store" / "a.jpg")
    (tmp_path / "dog" / "again.jpg").symlink_to(tmp_path / ".store" / "a.jpg")
    (tmp_path / "dog" / "deep").symlink_to(tmp_path / ".store" / "deep")
    assert scanned(tmp_path) == [["cat/1.jpg", "cat/a.jpg"], ["dog/2.jpg", "dog/deep/b.jpg"]]


def test_links_that_lead_outside_are_counted_where_nothing_else_is_left(tmp_path: Path) -> None:
    outside = tree(tmp_path / "outside", "1.jpg")
    tree(tmp_path / "d", "cat/readme.txt", "dog/readme.txt")
    for name in ("cat", "dog"):
        (tmp_path / "d" / name / "1.jpg").symlink_to(outside / "1.jpg")
    found = inspect(tmp_path / "d").problem
    assert found is not None and "2 links lead out of the data folder" in found.hint


@pytest.mark.timeout(20)
def test_c009_special_files_are_never_opened(tmp_path: Path) -> None:
    filled(tmp_path, "cat/1.jpg", "dog/2.jpg")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    found = scan(tmp_path)
    assert scanned(tmp_path) == [["cat/1.jpg"], ["dog/2.jpg"]]
    assert [(f.path, f.reason) for f in found.left_out] == [
        ("cat/pipe.jpg", "is not a regular file")
    ]


def test_c010_c011_any_file_name_is_taken(tmp_path: Path) -> None:
    names = [b"bad\xff.png", b"new\nline.png", b"\x1b[31m.png", b"-rf.png", b"a" * 240 + b".png"]
    filled(tmp_path, "cat/1.jpg", "dog/2.jpg")
    for name in names:
        (tmp_path / "cat" / os.fsdecode(name)).write_bytes(b"x")
    assert {os.fsencode(f) for f in scan(tmp_path).files[0]} >= {b"cat/" + name for name in names}


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("caf\u00e9", "cafe\u0301"), ("cat", "cat ")])
def test_c012_c013_classes_that_look_alike(tmp_path: Path, pair: tuple[str, str]) -> None:
    assert "look alike" in problem(tree(tmp_path, f"{pair[0]}/1.jpg", f"{pair[1]}/2.jpg"))


def test_c021_fewer_pictures_than_parts(tmp_path: Path) -> None:
    tree(filled(tmp_path, "cat/1.jpg"), "dog/1.jpg", "dog/2.jpg")
    assert "“dog” has only 2" in problem(tmp_path)


def test_a_scan_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    tree(tmp_path, *[f"cat/{i}.jpg" for i in range(1100)], "dog/1.jpg")

    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path, cancel)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.jpg", "dog/1.jpg").chmod(0)
    try:
        assert "may not be read" in problem(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_classes_are_left_out_by_name(tmp_path: Path) -> None:
    filled(tmp_path, "cat/a.jpg", "dog/b.jpg", "fish/c.jpg")
    tree(tmp_path, "bird/readme.txt")
    assert inspect(tmp_path).problem is not None
    found = scan(tmp_path, without=["bird", "fish"])
    assert found.classes == ["cat", "dog"]
    assert {file.path for file in found.left_out} == {"bird", "fish"}
    looked = inspect(tmp_path, without=["bird"])
    assert looked.problem is None
    assert [known.name for known in looked.classes] == ["cat", "dog", "fish"]


def test_a_class_that_is_dealt_into_parts_is_left_out_of_each(tmp_path: Path) -> None:
    files = [
        f"{part}/{name}/{i}.jpg" for part in ("train", "test") for name in "abc" for i in "123"
    ]
    tree(tmp_path, *files)
    found = scan(tmp_path, without=["c"])
    assert found.classes == ["a", "b"]
    assert all("/c/" not in path for paths in found.files for path in paths)


def test_a_name_that_is_no_class_is_told(tmp_path: Path) -> None:
    filled(tmp_path, "cat/a.jpg", "dog/b.jpg", "fish/c.jpg")
    problem = inspect(tmp_path, without=["brid"]).problem
    assert problem is not None and problem.title == "There is no class folder “brid” to leave out."
    # A model knows what it was not trained on, also where there is none of it.
    assert scan(tmp_path, without=["brid"]).classes == ["cat", "dog", "fish"]


def test_what_cannot_be_trained_on_says_how_to_do_without_it(tmp_path: Path) -> None:
    filled(tmp_path, "cat/a.jpg", "dog/b.jpg")
    tree(tmp_path, "a bird/readme.txt")
    problem = inspect(tmp_path).problem
    assert problem is not None and problem.hint.endswith("without it: --without 'a bird'")


@pytest.mark.parametrize(
    ("pictures", "hopeless_ones"),
    [
        ({"a": 9, "b": 9, "c": 0, "d": 2}, ("c", "d")),
        ({"a": 9, "b": 9}, ()),
        ({"a": 9, "b": 0}, ()),
        ({"a": 9, "b": 9, "\udcff": 0}, ()),
    ],
)
def test_what_can_be_done_without_is_known(
    pictures: dict[str, int], hopeless_ones: tuple[str, ...]
) -> None:
    assert hopeless(pictures) == hopeless_ones
