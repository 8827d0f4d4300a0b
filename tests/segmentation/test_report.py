import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cvtool.errors import OutputError
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.report import Mistake, Report, write_report
from cvtool.segmentation.summary import summarise
from cvtool.training.diagnosis import diagnose
from cvtool.training.report_parts import jpeg_of
from html_page import Page

NAMES = ("background", "<b>cat</b>", 'dog & "co"', "Käfer")


def picture(path, size=(200, 200)):
    write_picture(path, np.full((*size, 3), (90, 120, 40), np.uint8))
    return path


def written(report, folder, **options):
    write_report(folder / "report.html", report, **options)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def report(tmp_path):
    confusions = np.zeros((12, 4, 4), np.int64)
    confusions[:, 0, 0], confusions[:, 1, 1], confusions[:, 1, 2] = 900, 60, 40
    confusions[0, 2, 2] = confusions[0, 2, 0] = 2
    scores = summarise(confusions, NAMES)
    per_class = scores.pop("per_class")
    for number, row in enumerate(per_class.values()):
        row["boundary_f"] = 0.123 if number == 1 else None
    pair = jpeg_of(np.full((240, 486, 3), 99, np.uint8))
    return Report(
        name="run <1>",
        dataset="photos & more",
        model="everyday-unet",
        classes=NAMES,
        settings={"epochs": 20, "freeze": "backbone", "odd": "<i>"},
        versions={"keras": "3.15"},
        splits={"train": 1234, "dev": 40, "test": 12},
        scores={"train": scores | {"miou": 0.987, "interval": None}, "test": scores},
        scored_split="test",
        per_class=per_class,
        confusion=confusions.sum(axis=0),
        worst=[Mistake(tmp_path / "a&b.jpg", 0.25, "<b>cat</b> taken for owl", pair)],
        diagnosis=diagnose(train=0.01, dev=0.2, test=0.21, chance=0.7, task="segment"),
        curves=picture(tmp_path / "curves.png"),
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
    assert report.diagnosis.summary in text and "1 - mIoU" in text
    assert "mIoU 0.250 <b>cat</b> taken for owl" in text


def test_the_headline_says_how_good_it_is_and_how_sure_that_is(report, tmp_path):
    scores = {"miou": 0.872, "pixel_accuracy": 0.955, "interval": (0.82, 0.911)}
    told = replace(report, scores={"test": scores | {"pictures": 40}})
    text = written(told, tmp_path).text
    assert (
        "Mean IoU is 0.872 (95 % interval: 0.820 to 0.911), and 95.5 % of the pixels are right, "
        "measured on 40 pictures of test." in text
    )
    assert "chosen on dev" not in text
    on_dev = replace(told, scores={"dev": scores}, scored_split="dev")
    assert "chosen on dev" in written(on_dev, tmp_path, overwrite=True).text


def test_the_order_of_the_page(report, tmp_path):
    firsts = [heading.split()[0].strip(",") for heading in written(report, tmp_path).headings]
    parts = "Curves Scores Diagnosis Classes Confusion Worst Training"
    assert " ".join(firsts) == f"{parts} Remarks Settings Versions How"


def test_classes_with_their_intervals_and_the_confusions(report, tmp_path):
    text = written(report, tmp_path).text
    low, high = report.per_class[NAMES[1]]["interval"]
    assert f"{NAMES[1]} 12 10.0 % 0.600 {low:.3f}–{high:.3f} 0.750 0.123" in text
    # Nowhere, and so last and without figures.
    assert f"{NAMES[3]} 0 0 % – – – –" in text
    assert f"{NAMES[1]} {NAMES[2]} 480 40.0 %" in text
    assert "On test, 1 class is in fewer than 10 pictures" in text


def test_pictures(report, tmp_path):
    page = written(replace(report, worst=report.worst * 30), tmp_path)
    kinds = [image["src"].split(";")[0].removeprefix("data:image/") for image in page.images]
    # Curves and confusion; at most twelve pairs; the sheet.
    assert kinds == ["png"] * 2 + ["jpeg"] * 13 and page.tags.count("figure") == 12
    sizes = [
        Image.open(BytesIO(base64.b64decode(image["src"].split(",")[1]))).size
        for image in page.images[2:]
    ]
    assert sizes == [(486, 240)] * 12 + [(1400, 1400)]
    assert page.images[2]["alt"].startswith("Truth on the left, prediction on the right: <b>cat")


def test_a_run_with_next_to_nothing(report, tmp_path):
    empty = replace(
        report,
        scores={},
        splits={},
        per_class={},
        confusion=None,
        worst=[],
        diagnosis=None,
        curves=None,
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
    assert f"cvtool segment photo.jpg --model '{folder}'" in text


def test_a_report_that_is_there_is_kept(report, tmp_path):
    written(report, tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        write_report(tmp_path / "report.html", replace(report, name="other"))
    assert (tmp_path / "report.html").read_bytes() == before
