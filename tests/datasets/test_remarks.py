from pathlib import Path

from cvtool.datasets.faults import FAULTS
from cvtool.datasets.remarks import REMARKS, Remark
from cvtool.datasets.remedies import REMEDIES


def test_there_is_a_remedy_for_every_kind_of_finding():
    assert list(REMEDIES) == [*FAULTS, *REMARKS]


def test_a_remark_names_its_file():
    assert str(Remark("empty", "no box", Path("a.jpg"))) == "a.jpg: no box"
    assert str(Remark("rare", "cat: 1 box")) == "cat: 1 box"
