import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cvtool.classification.metrics import confusion_matrix, per_class_table
from cvtool.classification.report import Mistake, Report, write_report
from cvtool.errors import OutputError
from cvtool.pictures.writing import write_picture
from cvtool.training.diagnosis import diagnose
from html_page import Page

NAMES = ("<script>alert(1)</script>", 'cat & "dog"', "Käfer")


def written(report, folder, **options):
    write_report(folder / "report.html", report, **options)
    html = (folder / "report.html").read_text(encoding="utf-8")
    return Page(html), html


def picture(path, colour=(200, 30, 30), size=(600, 900)):
    write_picture(path, np.full((*size, 3), colour, np.uint8))
    return path


@pytest.fixture
def report(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 100)
    predicted = np.where(rng.random(100) < 0.8, labels, 0)
    confusion = confusion_matrix(labels, predicted, 3)
    scores = {"top1": 0.87, "interval": (0.79, 0.92), "top5": None, "ece": 0.04, "pictures": 100}
    return Report(
        name="run <1>",
        dataset="photos & more",
        model="tiny200, all layers released",
        classes=NAMES,
        settings={"epochs": 20, "dropout": 0.1, "target": None, "flip": True, "odd": "<i>"},
        versions={"keras": "3.15"},
        splits={"train": 1234, "dev": 100, "test": 100},
        scores={"train": scores | {"top1": 0.99}, "test": scores},
        scored_split="test",
        per_class=per_class_table(confusion, NAMES),
        confusion=confusion,
        mistakes=[Mistake(picture(tmp_path / "a&b.jpg"), NAMES[0], NAMES[1], 0.93)],
        diagnosis=diagnose(train=0.01, dev=0.12, test=0.13),
        curves=picture(tmp_path / "curves.png"),
        augmented=picture(tmp_path / "augmented.jpg", size=(300, 3000)),
        remarks=["2 files are <broken>"],
        minutes=34.2,
        stopped="stopped with Ctrl-C after epoch 3",
    )


def test_the_page_needs_no_other_file_and_holds_no_script(report, tmp_path):
    page, html = written(report, tmp_path)
    assert page.links and all(link.startswith("data:image/") for link in page.links)
    assert not {"script", "link", "iframe", "i", "broken"} & set(page.tags)
    assert "url(" not in html and "@import" not in html and "http" not in html
    assert "color-scheme: light dark" in html and 'name="viewport"' in html


def test_every_text_is_there_as_it_was(report, tmp_path):
    page, _ = written(report, tmp_path)
    words = ["run <1>", "photos & more", *NAMES, "2 files are <broken>", "<i>", "a&b.jpg", "3.15"]
    for word in [*words, "1,234 pictures", "34 minutes", "Ended early: stopped with Ctrl-C"]:
        assert word in page.text
    assert report.diagnosis.summary in page.text
    assert all(sentence in page.text.replace(" ,", ",") for sentence in report.remarks)
    assert "93.0 %" in page.text


def test_the_headline_says_the_score_and_its_interval(report, tmp_path):
    page, _ = written(report, tmp_path)
    assert (
        "names the right class for 87.0 % of the pictures (95 % interval: 79.0 % to 92.0 %), "
        "measured on 100 pictures of test." in page.text
    )
    assert "chosen on dev" not in page.text
    scores = {"dev": report.scores["test"]}
    page, _ = written(replace(report, scores=scores, scored_split="dev"), tmp_path, overwrite=True)
    assert "chosen on dev" in page.text


def test_the_order_of_the_page(report, tmp_path):
    page, _ = written(report, tmp_path)
    firsts = [heading.split()[0].strip(",") for heading in page.headings]
    parts = "Curves Scores Diagnosis Classes Confusion Most Augmented Remarks Settings Versions How"
    assert " ".join(firsts) == parts


def test_pictures_are_thumbnails(report, tmp_path):
    page, _ = written(report, tmp_path)
    kinds, sizes = [], []
    for image in page.images:
        head, data = image["src"].split(",")
        kinds.append(head)
        sizes.append(Image.open(BytesIO(base64.b64decode(data))).size)
        assert image["alt"]
    png, jpeg = "data:image/png;base64", "data:image/jpeg;base64"
    assert kinds == [png, png, jpeg, jpeg]
    assert sizes[0] == (900, 600) and sizes[2] == (240, 160) and sizes[3] == (1400, 140)
    assert f"{NAMES[0]}, taken for {NAMES[1]}" == page.images[2]["alt"]


def test_unreadable_pictures_are_left_out_with_a_note(report, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    gone = [Mistake(tmp_path / name, "x", "y", 0.5) for name in ("gone.jpg", "broken.jpg")]
    odd = replace(
        report,
        mistakes=[*gone, *report.mistakes],
        curves=tmp_path / "gone.png",
        augmented=tmp_path / "broken.jpg",
    )
    page, _ = written(odd, tmp_path)
    assert "2 pictures left out" in page.text
    assert "gone.png could not be read" in page.text
    assert "broken.jpg could not be read" in page.text
    assert len(page.images) == 2  # the confusion matrix and one mistake


def test_at_most_24_mistakes(report, tmp_path):
    page, _ = written(replace(report, mistakes=report.mistakes * 30), tmp_path)
    assert page.tags.count("figure") == 24


def test_the_worst_class_comes_first_and_many_fold_away(report, tmp_path):
    table = {
        f"class {n}": {"pictures": 5, "precision": None, "recall": n / 50, "f1": n / 50}
        for n in reversed(range(50))
    }
    table["never seen"] = {"pictures": 0, "precision": None, "recall": None, "f1": None}
    page, html = written(replace(report, per_class=table), tmp_path)
    text = page.text
    assert text.index("class 0 5") < text.index("class 1 5") < text.index("class 49 5")
    assert text.index("class 49 5") < text.index("never seen")
    assert "31 more classes" in text
    assert html.index("class 19<") < html.index("<details>") < html.index("class 20<")


def test_several_labels(report, tmp_path):
    scores = {"mean_average_precision": 0.81, "accuracy": 0.92, "f1": 0.7, "pictures": 100}
    row = {"pictures": 3, "labelled": 9, "average_precision": 0.5, "f1": None}
    several = replace(
        report,
        scores={"test": scores},
        confusion=None,
        mistakes=[],
        per_class=dict.fromkeys(NAMES, row),
    )
    page, _ = written(several, tmp_path)
    assert "mean average precision over the labels is 81.0 %" in page.text
    assert "92.0 % of the single labels" in page.text
    assert not any(heading.startswith(("Confusion", "Most")) for heading in page.headings)
    assert "top-1" not in page.text and "average precision" in page.text


def test_a_run_with_next_to_nothing(report, tmp_path):
    empty = replace(
        report,
        scores={},
        splits={},
        per_class={},
        confusion=None,
        mistakes=[],
        diagnosis=None,
        curves=None,
        augmented=None,
        remarks=[],
        settings={},
        versions={},
        stopped=None,
        minutes=0.2,
    )
    page, _ = written(empty, tmp_path)
    assert "No score was measured" in page.text and "12 seconds" in page.text
    assert page.headings == ["How to use the model"] and "Ended early" not in page.text


def test_bad_bytes_and_percent_signs_in_names(report, tmp_path):
    page, _ = written(replace(report, name="100 % \udcff %s", dataset="%(body)s"), tmp_path)
    assert "100 % ? %s" in page.text and "%(body)s" in page.text


def test_the_command_names_the_folder(report, tmp_path):
    folder = tmp_path / "my run"
    page, _ = written(report, folder)
    assert f"cvtool classify photo.jpg --model '{folder}'" in page.text


def test_a_report_that_is_there_is_kept(report, tmp_path):
    written(report, tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        write_report(tmp_path / "report.html", replace(report, name="other"))
    assert (tmp_path / "report.html").read_bytes() == before
    page, _ = written(replace(report, name="other"), tmp_path, overwrite=True)
    assert "other" in page.text
