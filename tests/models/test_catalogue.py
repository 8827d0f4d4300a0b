"""Models by name: shipped, downloaded, imported; found, checked and removed."""

import json
import threading

import pytest

from cvtool.errors import ModelError
from cvtool.models import pulling
from cvtool.models.catalogue import catalogue, find_entry, problems, pull, remove
from cvtool.models.downloads import downloaded_path, part_of
from cvtool.models.presets import find_model, load_presets, preset_file, verify
from model_shelf import NAMES, a_shelf, write_model


@pytest.fixture
def shelf(tmp_path):
    with a_shelf(tmp_path) as shelf:
        yield shelf


@pytest.fixture
def darknet_files(tmp_path):
    paths = tmp_path / "own.cfg", tmp_path / "own.weights"
    for path in paths:
        path.write_bytes(b"of my own")
    return paths


def own(darknet_files, name="own", **options):
    return pulling.import_darknet_model(*darknet_files, name=name, classes=NAMES, **options)


def test_the_catalogue_tells_what_is_here_without_a_network(shelf):
    entries = {entry.name: entry for entry in catalogue()}
    assert list(entries)[:2] == ["ours", "tiny"] and "resnet50" in entries
    assert (entries["ours"].source, entries["ours"].folder) == ("shipped", shelf.pretrained)
    assert entries["ours"].bytes == 100 * len("litert of ours" + "weights of ours")
    tiny = entries["tiny"]
    assert (tiny.source, tiny.folder, tiny.bytes, tiny.classes) == ("download", None, None, 2)
    assert tiny.download_bytes == 6 + 15000
    resnet = entries["resnet50"]
    assert (resnet.source, resnet.folder, resnet.classes) == ("keras.applications", None, 1000)
    assert shelf.server.asked == [] and not shelf.cache.exists()


def test_a_preset_is_downloaded_and_converted_when_it_is_first_asked_for(shelf, capsys):
    first = find_model("tiny")
    assert find_model("tiny") == first and shelf.converted == ["tiny"]
    assert [path for path, _ in shelf.server.asked] == ["/tiny.cfg", "/tiny.weights"]
    assert (first.name, first.classes, first.licence) == ("tiny", ("cat", "dog"), "public domain")
    assert first.source == load_presets()["tiny"].source and first.scores["mAP50"] == 0.5
    assert preset_file(first, "litert").parent == shelf.cache / "models" / "tiny"
    assert capsys.readouterr().err.splitlines()[-1] == "cvtool: tiny: converting"
    entry = find_entry("tiny")
    assert entry.folder == shelf.cache / "models" / "tiny" and problems(entry) == []
    # The models's files, and those that were downloaded.
    assert entry.bytes == 100 * len("litert of tiny" + "weights of tiny") + 15006


def test_offline_is_one_line_with_the_command(shelf, monkeypatch):
    monkeypatch.setenv("CVTOOL_OFFLINE", "yes")
    with pytest.raises(ModelError, match='^model "tiny" is not on this machine, .* pull tiny$'):
        find_model("tiny")
    assert shelf.server.asked == [] and shelf.converted == []
    monkeypatch.setenv("CVTOOL_OFFLINE", "0")
    find_model("tiny")
    # What is here needs none.
    monkeypatch.setenv("CVTOOL_OFFLINE", "1")
    assert find_model("tiny").name == "tiny" and find_model("ours").name == "ours"


def test_the_downloads_alone_are_enough_to_convert_again(shelf, monkeypatch):
    find_model("tiny")
    (shelf.cache / "models" / "tiny" / "model.json").unlink()
    monkeypatch.setenv("CVTOOL_OFFLINE", "1")
    assert find_model("tiny").name == "tiny" and shelf.converted == ["tiny", "tiny"]


def test_a_preset_whose_files_changed_is_made_anew(shelf):
    find_model("tiny")
    path = shelf.cache / "models" / "tiny" / "model.json"
    entry = json.loads(path.read_text())
    entry["source"]["files"]["weights"]["sha256"] = "0" * 64
    path.write_text(json.dumps(entry))
    assert find_entry("tiny").folder is None
    find_model("tiny")
    assert shelf.converted == ["tiny", "tiny"] and find_entry("tiny").folder is not None


@pytest.mark.parametrize("damage", ["tiny.tflite", "tiny.weights.h5", "model.json"])
def test_a_damaged_model_is_told_and_pulled_again(shelf, damage):
    find_model("tiny")
    path = shelf.cache / "models" / "tiny" / damage
    path.write_bytes(b"damaged")
    if damage != "model.json":
        (line,) = problems(find_entry("tiny"))
        assert damage in line and line.endswith("get it again: cvtool models pull tiny")
    assert pull(find_entry("tiny")) and verify(find_model("tiny")) == []
    assert not pull(find_entry("tiny")) and shelf.converted == ["tiny", "tiny"]


def test_a_damaged_download_is_told_and_fetched_again(shelf):
    find_model("tiny")
    (path,) = (shelf.cache / "downloads").glob("*.weights")
    path.write_bytes(b"x" * 15000)
    (line,) = problems(find_entry("tiny"))
    assert path.name in line and "pull tiny" in line
    assert pull(find_entry("tiny")) and problems(find_entry("tiny")) == []


def test_a_conversion_that_fails_leaves_nothing_and_what_was_there(shelf, monkeypatch):
    def broken(configuration, weights, folder, **_):
        folder.mkdir()
        (folder / "model.json").write_text("{}")
        raise ModelError("tiny.cfg, line 3: no")

    real = pulling._import_darknet()
    monkeypatch.setattr(pulling, "_import_darknet", lambda: broken)
    with pytest.raises(ModelError, match="line 3"):
        find_model("tiny")
    assert list((shelf.cache / "models").iterdir()) == []
    monkeypatch.setattr(pulling, "_import_darknet", lambda: real)
    find_model("tiny")
    monkeypatch.setattr(pulling, "_import_darknet", lambda: broken)
    path = shelf.cache / "models" / "tiny" / "tiny.tflite"
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="line 3"):
        pull(find_entry("tiny"))
    assert path.read_bytes() == b"damaged"
    assert [p.name for p in (shelf.cache / "models").iterdir()] == ["tiny"]


def test_what_a_killed_conversion_left_is_swept_up(shelf):
    left = shelf.cache / "models" / ".tiny.part" / ".tiny-0123"
    left.mkdir(parents=True)
    (left / "tiny.tflite").write_bytes(b"half")
    assert find_entry("tiny").folder is None
    find_model("tiny")
    assert [path.name for path in (shelf.cache / "models").iterdir()] == ["tiny"]


def test_threads_that_ask_at_once_convert_once(shelf):
    found = []
    threads = [threading.Thread(target=lambda: found.append(find_model("tiny"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and shelf.converted == ["tiny"] and len(shelf.server.asked) == 2


def test_a_model_of_ones_own_is_imported_by_a_name(shelf, darknet_files):
    folder = own(darknet_files, licence="MIT")
    assert folder == shelf.cache / "models" / "own"
    preset = find_model("own")
    assert (preset.name, preset.classes, preset.licence) == ("own", ("cat", "dog"), "MIT")
    assert preset.source["files"]["weights"]["file"] == "own.weights"
    entry = find_entry("own")
    assert (entry.source, entry.download_bytes) == ("imported", None)
    assert [e.name for e in catalogue()][:3] == ["ours", "tiny", "own"]
    (folder / "own.tflite").write_bytes(b"")
    (line,) = problems(entry)
    assert line.endswith("import it again, see cvtool models import --help")
    with pytest.raises(ModelError, match="import it again"):
        pull(entry)


def test_an_imported_model_comes_before_a_folder_of_its_name(shelf, darknet_files, tmp_path):
    own(darknet_files)
    write_model(tmp_path / "own", "trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert find_model("own").name == "own" and find_model("./own").name == "trained"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ours", 'there is a model "ours" that comes with cvtool'),
        ("Tiny", 'there is a model "tiny" that comes with cvtool'),
        ("resnet50", "comes with cvtool"),
        ("OWN", 'there is a model "own" already; take another name$'),
        ("own", "already; take another name, or replace it with --overwrite"),
        ("", "cannot be a model's name"),
        ("../up", "cannot be a model's name"),
        ("a/b", "cannot be a model's name"),
        (".hidden", "cannot be a model's name"),
        ("a.", "cannot be a model's name"),
        ("a\n", "cannot be a model's name"),
        ("größe", "cannot be a model's name"),
        ("CON", "is the name of a device"),
        ("lpt1.v2", "is the name of a device"),
        ("x" * 65, "at most 64"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(shelf, darknet_files, name, words):
    own(darknet_files)
    with pytest.raises(ModelError, match=words):
        own(darknet_files, name)
    assert shelf.converted == ["own"]


def test_an_import_is_replaced_only_when_asked(shelf, darknet_files):
    own(darknet_files)
    own(darknet_files, licence="new", overwrite=True)
    assert find_model("own").licence == "new"
    with pytest.raises(ModelError, match="comes with cvtool"):
        own(darknet_files, "tiny", overwrite=True)


def test_a_damaged_import_does_not_hide_the_others(shelf, darknet_files):
    folder = own(darknet_files)
    (folder / "model.json").write_text("{")
    entry = find_entry("own")
    assert entry.preset is None and "model.json: not the description" in entry.problem
    assert problems(entry) == [entry.problem] and find_entry("tiny").source == "download"
    assert entry.to_dict()["on_disk"] and remove(entry) > 0
    with pytest.raises(ModelError, match="unknown model"):
        find_entry("own")


def test_removing_frees_the_model_and_its_downloads(shelf):
    find_model("tiny")
    size = find_entry("tiny").bytes
    freed = remove(find_entry("tiny"))
    assert freed > size  # model.json counts too
    assert [p.name for p in shelf.cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []
    assert find_entry("tiny").folder is None
    with pytest.raises(ModelError, match='"tiny" is not on this machine, so there is nothing'):
        remove(find_entry("tiny"))


def test_removing_takes_half_a_download_too(shelf):
    shelf.server.manners += ["404"]
    with pytest.raises(ModelError, match="404"):
        find_model("tiny")
    (shelf.cache / "downloads").mkdir(exist_ok=True)
    for file in load_presets()["tiny"].source["files"].values():
        part = part_of(downloaded_path(file["url"], file["sha256"]))
        part.write_bytes(b"half")
    assert remove(find_entry("tiny")) == 8 and not part.exists()


def test_what_ships_and_what_is_not_in_the_cache_stays(shelf, tmp_path):
    with pytest.raises(ModelError, match='"ours" ships with cvtool and stays'):
        remove(find_entry("ours"))
    write_model(tmp_path / "run", "run")
    with pytest.raises(ModelError, match="not in the cache folder"):
        remove(find_entry(str(tmp_path / "run")))
    assert (tmp_path / "run" / "model.json").exists()


def test_a_name_that_is_none(shelf, tmp_path):
    with pytest.raises(ModelError, match='unknown model "tiy"; did you mean tiny'):
        find_entry("tiy")
    with pytest.raises(ModelError, match="unknown model"):
        find_entry("")
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ModelError, match="is a file; give the model's folder"):
        find_entry(str(tmp_path / "file.txt"))
    with pytest.raises(ModelError, match='"tiny" is not on this machine; get it: cvtool models'):
        problems(find_entry("tiny"))
