"""The Python interface."""

import subprocess
import sys

import pytest
import skimage.data


def test_importing_cvtool_loads_neither_numpy_nor_a_network_library():
    code = (
        "import sys, cvtool; print(sorted({'numpy', 'cv2', 'keras', 'typer'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n"


def test_every_public_name_is_there_and_no_other():
    import cvtool

    for name in cvtool.__all__:
        assert getattr(cvtool, name) is not None
        assert name in dir(cvtool)
    with pytest.raises(AttributeError, match="detektor"):
        _ = cvtool.detektor


def test_the_example_of_the_readme_runs(tmp_path):
    from cvtool import Detection, Detector, read_picture
    from cvtool.pictures.writing import write_picture

    write_picture(tmp_path / "photo.jpg", skimage.data.astronaut())
    detector = Detector.load("everyday", device="cpu")
    found = detector(read_picture(tmp_path / "photo.jpg"), min_score=0.05)
    assert found and all(isinstance(d, Detection) and len(d.box) == 4 for d in found)
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
