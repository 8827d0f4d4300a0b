import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cvtool.detection.confusion import confusion_matrix
from cvtool.detection.error_types import error_types
from cvtool.detection.mistakes import false_positives, missed_objects
from cvtool.detection.plots import plot_precision_recall
from cvtool.detection.report import Report, write_report
from cvtool.detection.summary import summarise
from cvtool.errors import OutputError
from cvtool.pictures.writing import write_picture
from cvtool.training.diagnosis import diagnose
from html_page import Page
from tiny_predictions import dataset, example, prediction

NAMES = ("<b>cat</b>", 'dog & "co"', "Käfer")
CAT, DOG = [0, 0, 60, 60], [100, 100, 180, 180]


def picture(path, size=(200, 200)):
    write_picture(path, np.full((*size, 3), (90, 120, 40), np.uint8))
    return path


def written(report, folder, **options):
    write_report(folder / "report.html", report, **options)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def report(tmp_path):
    path = picture(tmp_path / "a&b.jpg")
    data = dataset(
        example([CAT, DOG, [0, 150, 20, 190]], [0, 1, 1], path=path, size=200), classes=NAMES
    )
    found = [prediction((0.9, 0, CAT), (0.8, 0, DOG), (0.7, 2, [150, 0, 199, 30]), (0.4, 1, DOG))]
    scores, curves = summarise(data, found, 0.5)
    png = BytesIO()
    plot_precision_recall(curves, png)
    return Report(
        name="run <1>",
        dataset="photos & more",
        model="everyday, backbone frozen",
        classes=NAMES,
        settings={"epochs": 20, "freeze": "backbone", "odd": "<i>"},
        versions={"keras": "3.15"},
        splits={"train": 1234, "dev": 40, "test": 1},
        scores={"train": scores | {"mAP50": 0.987, "interval": None}, "test": scores},
        scored_split="test",
        per_class=scores["per_class"],
        best_score=0.5,
        errors=error_types(data, found, 0.5),
        confusion=confusion_matrix(data, found, 0.5),
        false_positives=false_positives(data, found, 0.5),
        missed=missed_objects(data, found, 0.5),
        diagnosis=diagnose(train=0.01, dev=0.2, test=0.21, task="detect"),
        curves=picture(tmp_path / "curves.png"),
        precision_recall=png.getvalue(),
        thresholds=picture(tmp_path / "thresholds.png"),
        sheet=picture(tmp_path / "sheet.jpg", (1500, 1500)),
        remarks=["2 files are <broken>"],
        minutes=34.2,
        stopped="stopped with Ctrl-C after epoch 3",
    )


def test_the_page_needs_no_other_file_and_holds_no_markup_of_the_data(report, tmp_path):
    page = written(report, tmp_path)
    assert page.links and all(link.startswith("data:image/") for link in page.links)
    assert not {"script", "link", "iframe", "b", "i", "broken"} & set(page.tags)


def test_every_text_is_there_as_it_was(report, tmp_path):
    text = written(report, tmp_path).text
    words = ["run <1>", "photos & more", *NAMES, "2 files are <broken>", "<i>", "a&b.jpg", "3.15"]
    for word in [*words, "1,234 pictures", "34 minutes", "Ended early: stopped with Ctrl-C"]:
        assert word in text
    assert report.diagnosis.summary in text and "1 - mAP50" in text


def test_the_headline_says_what_is_found_and_how_sure_that_is(report, tmp_path):
    scores = {"recall": 0.84, "precision": 0.91, "mAP50": 0.872, "interval": (0.82, 0.911)}
    told = replace(report, best_score=0.31, scores={"test": scores | {"pictures": 40}})
    text = written(told, tmp_path).text
    assert (
        "finds 84.0 % of the objects (recall), and 91.0 % of its boxes are right (precision), "
        "at score 0.31; mAP50 is 0.872 (95 % interval: 0.820 to 0.911), measured on 40 pictures "
        "of test." in text
    )
    assert "chosen on dev" not in text and "--score 0.31" in text
    on_dev = replace(told, scores={"dev": scores}, scored_split="dev")
    assert "chosen on dev" in written(on_dev, tmp_path, overwrite=True).text


def test_the_order_of_the_page(report, tmp_path):
    page = written(report, tmp_path)
    firsts = [heading.split()[0].strip(",") for heading in page.headings]
    parts = "Curves Scores Diagnosis Kinds Classes Precision Confusion Most Missed Training"
    assert " ".join(firsts) == f"{parts} Remarks Settings Versions How"


def test_errors_and_confusions_are_told_in_words(report, tmp_path):
    text = written(report, tmp_path).text
    # The dog taken for a cat has a box of its own class too, of a low score.
    assert "classification a box in the right place, of the wrong class 1 +" in text
    assert "background a box where no object is 1 +" in text
    assert "missed an object without a box 1 +" in text
    assert f"{NAMES[1]} {NAMES[0]} 1 50.0 %" in text
    assert f"background {NAMES[2]} 1 100.0 %" in text
    assert f"{NAMES[1]} background 1 50.0 %" in text


def test_few_objects_are_said(report, tmp_path):
    assert "On test, 2 classes have fewer than 10 objects" in written(report, tmp_path).text
    many = {name: row | {"truths": 10} for name, row in report.per_class.items()}
    page = written(replace(report, per_class=many), tmp_path, overwrite=True)
    assert "fewer than 10" not in page.text


def test_pictures(report, tmp_path):
    images = written(report, tmp_path).images
    kinds = [image["src"].split(";")[0].removeprefix("data:image/") for image in images]
    # Curves, two plots, the confusion; two wrong boxes, a missed object, the sheet.
    assert kinds == ["png"] * 4 + ["jpeg"] * 4
    sizes = [
        Image.open(BytesIO(base64.b64decode(image["src"].split(",")[1]))).size for image in images
    ]
    assert max(sizes[4]) == max(sizes[5]) == max(sizes[6]) == 240 and sizes[7] == (1400, 1400)
    assert images[4]["alt"] == f"{NAMES[0]}: wrong class: it is {NAMES[1]}"
    assert images[6]["alt"] == f"{NAMES[1]}: no box at any score"


def test_unreadable_pictures_are_left_out_with_a_note(report, tmp_path):
    (tmp_path / "a&b.jpg").unlink()
    page = written(replace(report, thresholds=tmp_path / "gone.png"), tmp_path)
    assert "2 pictures left out" in page.text and "1 picture left out" in page.text
    assert "gone.png could not be read" in page.text and len(page.images) == 4


def test_at_most_24_of_a_kind(report, tmp_path):
    many = replace(report, false_positives=report.false_positives * 30, missed=report.missed * 30)
    assert written(many, tmp_path).tags.count("figure") == 48


def test_a_run_with_next_to_nothing(report, tmp_path):
    empty = replace(
        report,
        scores={},
        splits={},
        per_class={},
        errors={},
        confusion=None,
        false_positives=[],
        missed=[],
        diagnosis=None,
        curves=None,
        precision_recall=None,
        thresholds=None,
        sheet=None,
        remarks=[],
        settings={},
        versions={},
        stopped=None,
    )
    page = written(empty, tmp_path)
    assert "No score was measured" in page.text
    assert page.headings == ["How to use the model"]


def test_the_command_names_the_folder(report, tmp_path):
    folder = tmp_path / "my run"
    text = written(report, folder).text
    assert f"cvtool detect photo.jpg --model '{folder}'" in text


def test_a_report_that_is_there_is_kept(report, tmp_path):
    written(report, tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        write_report(tmp_path / "report.html", replace(report, name="other"))
    assert (tmp_path / "report.html").read_bytes() == before
