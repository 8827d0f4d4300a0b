"""What to do about each kind of finding in a data set."""

from __future__ import annotations

# A key for each kind in FAULTS and in REMARKS.
REMEDIES = {
    "missing picture": "add the pictures, name their folder with --pictures, or delete their "
    "labels",
    "unreadable picture": "copy the pictures again from where they came, or delete them and their "
    "labels",
    "missing mask": "add the masks, name their folder with --masks, or take the pictures out",
    "wrong size": "put back the pictures that were labelled, or label them again: boxes in pixels "
    "and masks fit one size only",
    "unreadable label": "correct these places, or export the labels again",
    "unknown class": "add the class to the list of classes (of masks, the background is the "
    "first), or correct the box or the mask; where many colours or ids are between those of two "
    "classes, the masks were smoothed or resized: write them without",
    "all void": "draw these masks, or take them out with their pictures: they teach nothing",
    "outside": "cut the boxes at the edges; where there are many, see whether the numbers are in "
    "the order and the unit (pixels or fractions) that the layout wants",
    "no area": "draw these boxes again, or delete them",
    "twice": "keep one of each",
    "one picture": "add pictures with masks: some to learn from, others to measure on",
    "across splits": "keep each of these pictures in one split only: a score on pictures that "
    "were trained on is too high",
    "two classes": "decide on one class for each of these pictures",
    "untrained": "add pictures to train on, or take these classes out: they cannot be learnt",
    "rare": "add pictures of these classes: they will hardly be learnt, nor their scores be known",
    "double": "look at these boxes, and delete one where a single object has two",
    "duplicate": "delete spare copies: they teach nothing",
    "tiny": "train and detect at a larger --size, or detect with --tile, if such objects matter",
    "whole picture": "look at these boxes, and draw them closer where the object does not fill "
    "the picture",
    "empty": "nothing, if there is indeed none of the objects in them: they teach what is "
    "background; else label them",
    "unmasked": "nothing, if they are not meant to have one; else add the masks",
    "odd": "look at these pictures: icons and strips are often there by mistake",
}
