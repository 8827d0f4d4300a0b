"""Faces that may be enrolled under a wrong name, against distances told one by one."""

import numpy as np

from cvtool.faces.doubts import Doubt, find_doubts
from cvtool.faces.known_faces import KnownFaces


def turned(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


# Ada at 0 and 10 degrees, Bob at 90.
KNOWN = KnownFaces(("Ada", "Bob"), turned(0, 10, 90), np.array([0, 2]))


def rounded(doubts):
    return [Doubt(each.index, each.other, round(each.distance, 4)) for each in doubts]


def test_a_face_near_to_somebody_else_is_doubted():
    found = find_doubts(KNOWN, "Bob", turned(80, 12), near=0.1, far=4.0)
    assert rounded(found) == [Doubt(1, "Ada", round(2 - 2 * np.cos(np.radians(2)), 4))]
    assert find_doubts(KNOWN, "Ada", turned(12), near=0.1, far=4.0) == []


def test_a_face_far_from_all_others_of_its_person_is_doubted():
    found = find_doubts(KNOWN, "Ada", turned(50, 181), near=-1.0, far=1.0)
    assert rounded(found) == [Doubt(1, None, round(2 - 2 * np.cos(np.radians(131)), 4))]
    # Of a new person, the new faces are all there are.
    found = find_doubts(None, "Eve", turned(0, 5, 120), near=4.0, far=1.0)
    assert [(each.index, each.other) for each in found] == [(2, None)]
    assert find_doubts(None, "Eve", turned(0), near=4.0, far=0.0) == []


def test_the_embeddings_of_a_person_are_theirs():
    np.testing.assert_array_equal(KNOWN.of("Ada"), turned(0, 10))
    np.testing.assert_array_equal(KNOWN.of("Bob"), turned(90))
    assert KNOWN.of("Eve").shape == (0, 2)
