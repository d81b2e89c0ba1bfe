"""Which images are found where, what is left out and said to be, and what results are called."""

import importlib
from pathlib import PurePath

import pytest
from PIL import Image, features

from cli.running import photograph, run
from keras_fullgrad_cli import kinds, sources
from keras_fullgrad_cli.names import names
from keras_fullgrad_cli.paths import MissingPathError
from keras_fullgrad_cli.sources import Source


def found(*arguments):
    """The names of what is found."""
    return list(names(sources.find([str(each) for each in arguments]).images, {}).values())


@pytest.mark.parametrize("command", ["explain", "report"])
@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["{photos}/a.pgn"], "a.png"),
        (["{photos}/a.png", "{photos}/mroe"], "more"),
        (["{photos}/mroe/a.png"], "more/a.png"),
        (["{photos}/nothing like it"], None),
    ],
)
def test_a_mistyped_path_ends_the_command_before_anything_is_loaded(
    photos, tmp_path, monkeypatch, command, arguments, meant
):
    monkeypatch.setattr(f"keras_fullgrad_cli.commands.{command}.start", lambda: pytest.fail("loaded"))
    (tmp_path / "net.keras").touch()
    paths = [each.format(photos=photos) for each in arguments]
    said = run(command, tmp_path / "net.keras", *paths, "--out", tmp_path / "out")
    assert said.status == 2
    assert f"there is no {paths[-1]}" in said.err
    assert said.err.endswith(f"; did you mean {photos / meant}?\n" if meant else f"{paths[-1]}\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["{0}/nte.keras", "{1}"], ["{0}/net.keras", "{1}", "--labels", "{0}/nte.keras"]]
)
def test_likewise_of_models_and_labels(photos, tmp_path, arguments):
    (tmp_path / "net.keras").touch()
    options = [each.format(tmp_path, photos) for each in arguments]
    said = run("explain", *options, "--out", tmp_path / "out")
    assert said.status == 2
    assert f"there is no {tmp_path / 'nte.keras'}; did you mean {tmp_path / 'net.keras'}?" in said.err


def test_what_is_no_image_to_read_is_told(photos):
    for name in ("d.svg", "e.psd", "f.nef", "notes.txt", "more.csv", "LICENSE", "g.jxl"):
        (photos / name).write_text("nothing")
    seen = sources.find([str(photos)])
    assert len(seen.images) == 5
    assert {PurePath(source.path).name for source, _ in seen.unread} == {"d.svg", "e.psd", "f.nef", "g.jxl"}
    assert all(reason for _, reason in seen.unread)
    assert seen.others == {".txt": 1, ".csv": 1, "no suffix": 1}


def test_what_systems_leave_behind_is_passed_over(photos):
    (photos / "__MACOSX").mkdir()
    (photos / ".thumbnails").mkdir()
    for name in ("__MACOSX/a.png", "._a.png", ".hidden.jpg", "Thumbs.db", "desktop.ini", ".thumbnails/a.png"):
        photograph(1).save(photos / name, "PNG")
    for argument in (photos, photos / "**/*"):
        seen = sources.find([str(argument)])
        assert len(seen.images) == 5
        assert not seen.unread
        assert not seen.others


def test_an_image_without_a_suffix_is_known_by_what_it_holds(photos):
    photograph(1).save(photos / "scan", "JPEG")
    assert "scan" in found(photos)


def test_heic_asks_for_a_package(photos, monkeypatch):
    monkeypatch.setattr(kinds, "formats", lambda: {"PNG": (".png",)})
    (photos / "phone.HEIC").touch()
    ((source, reason),) = [each for each in sources.find([str(photos)]).unread if "HEIC" in each[0].path]
    assert source.path == str(photos / "phone.HEIC")
    assert "pip install pillow-heif" in reason


@pytest.mark.parametrize(
    ("name", "known"),
    [("a.avif", features.check("avif")), ("a.heic", importlib.util.find_spec("pillow_heif") is not None)],
)
def test_what_this_installation_reads_is_found(tmp_path, name, known):
    if not known:
        pytest.skip("this installation does not read it")
    kinds.formats()  # Pillow learns of it here.
    photograph(1, 64, 48).save(tmp_path / name)
    with Image.open(next(iter(sources.find([str(tmp_path)]).images)).path) as image:
        assert image.size == (48, 64)


def test_a_folder_of_unread_images_alone_says_why(tmp_path):
    (tmp_path / "a.svg").touch()
    with pytest.raises(ValueError, match=r"got none; .*a\.svg: \.svg holds a drawing: save it as PNG"):
        sources.find([str(tmp_path)])


def test_names_of_folders_are_kept(photos):
    assert found(photos) == ["a", "b", "c", "d", "more/a"]
    assert found(photos / "more", photos / "b.jpg") == ["a", "b"]
    assert found(photos / "*.png", photos / "b.jpg") == ["a", "b"]
    assert found(photos / "**/*.png") == ["a", "more/a"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["p/pic.bmp", "p/pic.webp", "p/other.png"], ["pic.bmp", "pic.webp", "other"]),
        (["x/a/pic.png", "x/b/pic.png"], ["a/pic.png", "b/pic.png"]),
        (["p/a.png", "p/A.png"], ["a", "A.png"]),
        (["../../a.png", "..", ".b.png", "/"], ["a", "image", "b", "image-2"]),
    ],
)
def test_images_that_would_be_called_the_same(paths, expected):
    places = {Source(path): PurePath(PurePath(path).name) for path in paths}
    assert list(names(places, {}).values()) == expected


def test_classes_tell_images_apart_that_are_explained_twice():
    places = {Source("p/a.png", wanted): PurePath("a.png") for wanted in ("7", "cat/dog")}
    assert list(names(places, {}).values()) == ["a-7", "a-cat_dog"]


def test_names_that_were_given_stay():
    old, new = Source("p/pic.bmp"), Source("p/pic.webp")
    called = names({new: PurePath("pic.webp")}, {old: "pic"})
    assert called == {old: "pic", new: "pic.webp"}


def test_a_missing_url_is_told():
    pytest.importorskip("pyarrow", reason="pyarrow comes with '.[ray]'")
    with pytest.raises(MissingPathError, match=r"there is no file:///nowhere/a\.png"):
        sources.find(["file:///nowhere/a.png"])


@pytest.mark.parametrize("images", ["photos", "photos/a.png", "photos/*.png", "photos/**/*"])
@pytest.mark.parametrize("out", ["photos", "."])
def test_results_do_not_go_among_the_images(photos, tmp_path, monkeypatch, images, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.keras").touch()
    said = run("explain", "net.keras", images, "--out", out)
    assert said.status == 1
    assert f"expected --out apart from the images, got {out}, which holds {images}" in said.err


@pytest.mark.parametrize("images", ["photos", "photos/a.png", "photos/**/*"])
def test_results_may_go_into_a_folder_below(photos, tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    (photos / "maps").mkdir()
    for name in (sources.SETTINGS, "a.overlay.png"):
        (photos / "maps" / name).touch()
    sources.check_apart(photos / "maps", [images])


def test_a_folder_of_results_is_no_folder_of_images(photos):
    (photos / "more" / sources.SETTINGS).write_text("{}")
    assert found(photos) == found(photos / "**/*") == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="into which a run wrote its maps"):
        sources.find([str(photos / "more")])
