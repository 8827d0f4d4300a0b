"""Compare an imported Darknet detector with OpenCV's own reading of the same files.

    python benchmarks/darknet_agreement.py --cfg NET.cfg --weights NET.weights --pictures DIR \\
        [--limit 50] [--score 0.25] [--names NAMES --labels BOXES]

Both see the same decoded pictures, each resizes them by itself. Printed are the largest
difference of the raw outputs, as LiteRT gives them, and of the edges of the final boxes, in
pixels of the picture, with the boxes that only one of the two has. The exit code is 1 where the
raw outputs differ by more than 0.001, a box by more than a pixel, or a box has no partner.

With --labels, boxes in any layout that `cvtool evaluate` reads, and --names, the classes, both are
scored on all pictures, boxes below the threshold that OpenCV's reader has built in left out, and
also cvtool alone as `cvtool evaluate` does it, with nearly every box.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from cvtool.detection.boxes import clip_boxes
from cvtool.detection.detector import Detector
from cvtool.detection.evaluation import MIN_SCORE, evaluate_detector, read_detection_dataset
from cvtool.detection.metrics import evaluate_detections
from cvtool.models.darknet.importing import import_darknet, read_plan
from cvtool.pictures.sources import read_each

MAX_IOU = 0.45
# Lower scores are 0 in what OpenCV gives, unless the configuration has a thresh= of its own.
OPENCV_SCORE = 0.2
RAW_TOLERANCE, BOX_TOLERANCE = 1e-3, 1.0


def raw_outputs(network, plan, pixels):
    """What OpenCV gives before the heads, float (P, 5 + C) in the order of ours."""
    network.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255, (plan.size, plan.size)))
    maps = network.forward([f"conv_{head.layer}" for head in plan.heads])
    rows = []
    for head, (values,) in zip(plan.heads, maps, strict=True):
        cells = values.reshape(len(head.anchors), 5 + head.classes, *values.shape[1:])
        rows.append(cells.transpose(2, 3, 0, 1).reshape(-1, 5 + head.classes))
    return np.concatenate(rows)


def final_boxes(network, pixels, min_score, class_ids=None):
    """OpenCV's boxes after its own decoding and suppression.

    Args:
        network: whose input is the picture.
        pixels: the picture, for its size.
        min_score: boxes that score less are left out.
        class_ids: of the classes to look for; None for all.
    Returns:
        boxes (N, 4) xyxy in pixels, scores and class ids, best first.
    """
    height, width = pixels.shape[:2]
    rows = np.concatenate([*network.forward(network.getUnconnectedOutLayersNames())])
    scores = rows[:, 5:]
    if class_ids is not None:
        scores = np.where(np.isin(np.arange(scores.shape[1]), class_ids), scores, 0)
    found, ids = np.nonzero(scores >= min_score)
    scores = scores[found, ids]
    centres, sizes = rows[found, 0:2], rows[found, 2:4]
    edges = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    boxes = clip_boxes(edges * np.array([width, height] * 2, np.float32), height, width)
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), scores.tolist(), ids.tolist(), min_score, MAX_IOU
    )
    kept = np.array(kept, int).ravel()
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return boxes[kept], scores[kept], ids[kept]


def paired(ours, theirs):
    """Largest difference of an edge between boxes of one class, and how many have no partner."""
    largest, left = 0.0, list(range(len(theirs[0])))
    alone = 0
    for box, class_id in zip(*ours, strict=True):
        same = [n for n in left if theirs[1][n] == class_id]
        if not same:
            alone += 1
            continue
        distances = [np.abs(theirs[0][n] - box).max() for n in same]
        nearest = int(np.argmin(distances))
        largest = max(largest, float(distances[nearest]))
        left.remove(same[nearest])
    return largest, alone + len(left)


def compare(detector, network, plan, paths, min_score):
    """Print how far the two are apart; True where they agree."""
    raw = edge = 0.0
    boxes = alone = 0
    for _, picture in read_each(paths):
        pixels = picture.pixels
        theirs = raw_outputs(network, plan, pixels)
        raw = max(raw, float(np.abs(detector.predict(detector.fit(pixels)[0]) - theirs).max()))
        found, _, ids = detector.detect_arrays(pixels, min_score=min_score, max_iou=MAX_IOU)
        opencv_found, _, opencv_ids = final_boxes(network, pixels, min_score)
        distance, single = paired((found, ids), (opencv_found, opencv_ids))
        edge, boxes, alone = max(edge, distance), boxes + len(found), alone + single
    print(f"{len(paths)} pictures, OpenCV {cv2.__version__}")
    print(f"raw outputs: largest difference {raw:.2e}")
    print(f"{boxes} boxes: largest difference of an edge {edge:.3f} px, {alone} without partner")
    return raw <= RAW_TOLERANCE and edge <= BOX_TOLERANCE and not alone


def score(detector, network, plan, dataset):
    """Print the average precision of both."""
    shared = [n for n, label in enumerate(detector.classes) if label in dataset.classes]
    predictions = []
    for _, picture in read_each([example.path for example in dataset.examples]):
        size = (plan.size, plan.size)
        network.setInput(cv2.dnn.blobFromImage(picture.pixels, 1 / 255, size))
        boxes, scores, ids = final_boxes(network, picture.pixels, OPENCV_SCORE, shared)
        numbers = [dataset.classes.index(detector.classes[n]) for n in ids]
        predictions.append((boxes.astype(float), scores.astype(float), np.array(numbers, int)))
    results = {
        f"OpenCV, boxes from {OPENCV_SCORE}": evaluate_detections(dataset, predictions),
        f"cvtool, boxes from {OPENCV_SCORE}": evaluate_detector(
            detector, dataset, min_score=OPENCV_SCORE
        ).summary,
        f"cvtool, boxes from {MIN_SCORE}": evaluate_detector(detector, dataset).summary,
    }
    for name, summary in results.items():
        print(f"{name}: mAP50 {summary['mAP50']:.4f}, mAP50-95 {summary['mAP50_95']:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cfg", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of .jpg files")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--score", type=float, default=0.25)
    parser.add_argument("--names", type=Path, help="a class a line")
    parser.add_argument("--labels", type=Path)
    args = parser.parse_args()
    if args.labels and not args.names:
        parser.error("--labels needs --names")

    plan, _ = read_plan(args.cfg)
    names = args.names.read_text().split("\n") if args.names else map(str, range(plan.classes))
    network = cv2.dnn.readNetFromDarknet(str(args.cfg), str(args.weights))
    paths = sorted(args.pictures.glob("*.jpg"))
    paths = paths[:: max(1, len(paths) // args.limit)][: args.limit]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        classes = [name.strip() for name in names if name.strip()]
        import_darknet(args.cfg, args.weights, model, name="imported", classes=classes)
        detector = Detector.load(model, device="cpu")
    agree = compare(detector, network, plan, paths, args.score)
    if args.labels:
        score(detector, network, plan, read_detection_dataset(args.labels, args.pictures))
    if not agree:
        sys.exit("they do not agree")


if __name__ == "__main__":
    main()
