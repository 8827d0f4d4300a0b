"""Say whether two faces are of one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import ModelError, PictureError
from cvtool.faces.alignment import align
from cvtool.faces.mtcnn import Face, find_faces
from cvtool.faces.mtcnn_networks import load_networks
from cvtool.faces.thresholds import STRICT, Threshold, find_threshold, in_words
from cvtool.models.presets import Preset, find_model, preset_file

# Faces that are embedded together.
_BATCH = 32
# Of a narrower face little is left to compare, in pixels.
TINY = 40


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What two faces have in common.

    Attributes:
        distance: squared L2 of the two unit embeddings: 0 for the same picture, at most 4.
        threshold: see `Threshold`.
        band: `distance` in plain words.
        faces: the two faces, in their pictures' pixels.
    """

    distance: float
    threshold: Threshold
    band: str
    faces: tuple[Face, Face]

    @property
    def same(self) -> bool:
        """Whether they are taken for one person."""
        return self.distance <= self.threshold.distance

    def to_dict(self) -> dict[str, Any]:
        """The verification as the documented JSON object."""
        return {
            "same": self.same,
            "distance": round(self.distance, 6),
            "threshold": round(self.threshold.distance, 6),
            "far": self.threshold.far,
            "tar": self.threshold.tar,
            "threshold_from": self.threshold.source,
            "similarity": self.band,
            "faces": [face.to_dict() for face in self.faces],
        }


class Verifier:
    """A trained FaceNet with its engine, and MTCNN before it. `Verifier.load` makes one.

    Attributes:
        model_name: the preset's or the training's name.
        engine_name: "litert" or "tensorflow".
        size: side of the aligned face, pixels.
        calibration: what the model says of its distances: "source", the pairs they were measured
            on; "threshold", the most accurate one; "rates", a list of {"far", "threshold",
            "tar"} of rising far.
    """

    def __init__(self, preset: Preset, engine, networks):
        self.preset = preset
        self.engine = engine
        self.networks = networks
        self.model_name = preset.name
        self.engine_name = engine.name
        self.size = preset.size
        self.calibration: Mapping[str, Any] = preset.calibration

    @classmethod
    def load(cls, model="facenet-lfw", *, device="auto") -> Verifier:
        """Load a verifier.

        Args:
            model: a preset's name, or the folder of a trained model.
            device: "auto", "cpu" or "gpu", see `cvtool.engines.choose_engine`.
        Raises:
            ModelError: unknown, damaged, or not for faces; or the networks that find faces
                cannot be kept in the cache folder.
            DeviceError: "gpu" and there is none.
        """
        preset = find_model(model)
        if preset.task != "verify":
            raise ModelError(f'model "{preset.name}" is for {preset.task}, not for verify')
        if choose_engine(device) == "litert":
            engine = LiteRTEngine(preset_file(preset, "litert"))
        else:
            engine = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
        return cls(preset, engine, load_networks())

    def __call__(self, one, other, threshold: Threshold | None = None) -> Verification:
        """Compare the largest faces of two pictures.

        Args:
            one, other: uint8 RGB arrays (H, W, 3).
            threshold: None for the model's own.
        Raises:
            PictureError: a picture shows no face.
            ModelError: the model has no threshold, and none is given.
        """
        found = [self.find(pixels) for pixels in (one, other)]
        for which, faces in zip(("first", "second"), found, strict=True):
            if not faces:
                raise PictureError(f"no face found in the {which} picture; give another one")
        largest = [faces[0] for faces in found]
        aligned = [self.align(p, f) for p, f in zip((one, other), largest, strict=True)]
        return self.compare(*self.embed(aligned), largest, threshold)

    def find(self, pixels) -> list[Face]:
        """Find the faces of a picture, the largest first.

        A picture in which no face is upright is looked at turned by quarters too.

        Args:
            pixels: uint8 RGB array (H, W, 3).
        """
        return find_turned(pixels, self.networks)

    def align(self, pixels, face: Face) -> np.ndarray:
        """Cut a face out, upright and to scale: uint8 (size, size, 3)."""
        return align(pixels, face.landmarks, self.size)

    def embed(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """The embeddings of aligned faces.

        Each is the mean of the face's and of its mirror image's, scaled to length 1.

        Args:
            faces: uint8 RGB arrays (size, size, 3), as `align` cuts them out.
        Returns:
            float32 (N, dimensions), each row of length 1.
        """
        return embed_faces(self.engine, faces, self.dimensions)

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding."""
        return self.preset.architecture.get("dimensions", 128)

    def embed_face(self, pixels, face: Face) -> np.ndarray:
        """The embedding of one face of a picture, float32 (dimensions,)."""
        return self.embed([self.align(pixels, face)])[0]

    def threshold(self, far: float | None = None) -> Threshold:
        """The model's threshold.

        Args:
            far: the largest share of pairs of two people to take for one; None for the
                threshold with the highest accuracy.
        Raises:
            ModelError: the model was not calibrated.
            OptionError: it was measured on too few pairs for that rate.
        """
        return find_threshold(self.calibration, self.model_name, far)

    def strict_threshold(self) -> Threshold:
        """The threshold for one face against many: that of a false accept rate of 0.001.

        A face that is compared with a hundred people has a hundred chances of a false accept, so
        the most accurate threshold of a single pair would know everybody as somebody. Of a model
        that was measured on too few pairs for it, the lowest rate that it knows.

        Raises:
            ModelError: the model was not calibrated.
        """
        rates = self.calibration.get("rates", [])
        return self.threshold(max(STRICT, rates[0]["far"]) if rates else None)

    def compare(self, one, other, faces, threshold: Threshold | None = None) -> Verification:
        """Compare two embeddings.

        Args:
            one, other: float (dimensions,), as `embed` gives them.
            faces: the two `Face`s that they are of.
            threshold: None for the model's own.
        """
        threshold = threshold or self.threshold()
        distance = squared_distance(one, other)
        return Verification(distance, threshold, self.band(distance, threshold), tuple(faces))

    def band(self, distance: float, threshold: Threshold) -> str:
        """A distance in plain words, by how rare it is among pairs of two people and of one.

        Args:
            distance: of a pair.
            threshold: the one that decides; the words never contradict its answer.
        """
        rates = self.calibration.get("rates", [])
        return in_words(rates, distance, distance <= threshold.distance)


def squared_distance(one, other) -> float:
    """Squared L2 distance of two unit embeddings, in [0, 4]."""
    return float(np.clip(((np.asarray(one, float) - other) ** 2).sum(), 0, 4))


def find_turned(pixels, networks) -> list[Face]:
    """Find the faces of a picture as `Verifier.find` does.

    Args:
        pixels: uint8 RGB array (H, W, 3).
        networks: `mtcnn_networks.Networks`.
    """
    height, width = pixels.shape[:2]
    for quarters in range(4):
        turned = np.ascontiguousarray(np.rot90(pixels, quarters))
        faces = find_faces(turned, networks)
        if faces:
            return [turned_back(face, quarters, height, width) for face in faces]
    return []


def embed_faces(network, faces: Sequence[np.ndarray], dimensions: int) -> np.ndarray:
    """Embed aligned faces as `Verifier.embed` does.

    Args:
        network: function from uint8 (N, size, size, 3) to float32 (N, dimensions).
        faces: uint8 RGB arrays (size, size, 3).
        dimensions: of an embedding.
    """
    rows = []
    for start in range(0, len(faces), _BATCH):
        batch = np.stack(faces[start : start + _BATCH])
        rows.append(network(batch) + network(batch[:, :, ::-1]))
    sums = np.concatenate(rows) if rows else np.zeros((0, dimensions), np.float32)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def turned_back(face: Face, quarters: int, height: int, width: int) -> Face:
    """A face of a picture that `numpy.rot90` turned, in the pixels of the picture as it was.

    Args:
        face: in the turned picture.
        quarters: how often it was turned by 90 degrees, against the clock.
        height, width: of the picture as it was.
    """
    x1, y1, x2, y2 = face.box
    points = np.concatenate([face.landmarks, [[x1, y1], [x2, y2]]]).astype(np.float32)
    if quarters % 2:
        height, width = width, height  # of the picture as it is turned now
    for _ in range(quarters):
        # One turn with the clock: what was at the left comes up.
        points = np.stack([height - points[:, 1], points[:, 0]], axis=1)
        height, width = width, height
    corners = points[5:]
    box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    return Face(box, face.score, points[:5])


def build(preset: Preset):
    """The Keras network of a verifier's preset, with untrained weights."""
    from cvtool.faces import facenet

    return facenet.build(preset.architecture, preset.size)
