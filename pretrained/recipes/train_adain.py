"""Train the decoder of `adain`, the instant styles.

    python pretrained/recipes/train_adain.py --encoder runs/vgg --content photographs/ \
        --style paintings/ textures/ --out runs/adain

`--encoder` is the run folder of `pretrain_backbone.py --network vgg-small`, or a weights file of
it. Its batch normalisation is folded into the kernels and its responses are normalised on
photographs; the result is kept as encoder.weights.h5, since a decoder goes with one encoder only.
Contents are crops of the photographs. Styles are crops of the pictures in `--style` and, for the
share `--painted`, photographs redrawn by `painted.py`. One in twenty of contents and styles is
kept aside as dev, chosen by the seed; the epoch kept is the one with the lowest loss on pairs of
those.

Writes a run folder (see cvtool/training/checkpoints.py), for each epoch a sheet of dev pairs
(content, style, result), and scores.json. Start it again with the same arguments to go on after an
interruption. TensorFlow, JAX or torch will do. `export_style.py` turns the run into the shipped
files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import ops

from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from cvtool.style import adain
from cvtool.style.reflection import reflected
from cvtool.style.vgg_small import fold_batch_norm, normalise_responses, vgg_small
from cvtool.training.checkpoints import Checkpoint, read_state, resume, save_weights
from cvtool.training.optimizers import adamw
from cvtool.training.precision import PRECISIONS, set_precision
from cvtool.training.reports import Progress, plot_history
from cvtool.training.schedules import WarmupCosine
from painted import paint
from pretrain_backbone import build_networks
from running import run_main

NAME = "vgg-small"
# Styles are kept in memory at this length of the shorter side.
STYLE_SIDE = 256
DEV_SHARE = 0.05
DEV_PAIRS = 48
SHEET_PAIRS = 8
# Photographs that the encoder's responses are normalised on, and their size.
NORMALISED_ON, NORMALISED_SIDE = 400, 256
ENCODER_FILE = "encoder.weights.h5"


class StyleTraining(keras.Model):
    """Encoder, `adain` and decoder, with the losses of the decoder's picture.

    The loss is content + style_weight * style + tv_weight * total variation (Huang and Belongie
    2017, equations 11 to 13), means over values everywhere, so that sizes do not matter; and for
    pairs of a picture with itself pixel_weight * the mean absolute difference of the pixels.

    Args:
        encoder: `reflected`, of all `adain.LAYERS`; stays as it is.
        decoder: `adain.decoder` for one of the layers.
        layer: its name.
        style_weight, tv_weight, pixel_weight: as above.
    """

    def __init__(
        self,
        encoder,
        decoder,
        layer=adain.LAYER,
        *,
        style_weight=10.0,
        tv_weight=1.0,
        pixel_weight=30.0,
    ):
        super().__init__(name="style_training")
        self.read = adain.LAYERS.index(layer)
        self.encoder, self.decoder = encoder, decoder
        self.encoder.trainable = False
        self.weights_of = {
            "content": 1.0,
            "style": style_weight,
            "tv": tv_weight,
            "pixels": pixel_weight,
        }
        self.parts = {name: keras.metrics.Mean(name=name) for name in self.weights_of}

    def call(self, pictures):
        content, style = pictures
        style = [adain.statistics(x) for x in self.encoder(style)]
        target = adain.adain(self.encoder(content)[self.read], *style[self.read])
        return {"picture": self.decoder(target), "target": target, "style": style}

    def losses_of(self, pictures, made):
        """The losses of what `call` returned, unweighted."""
        picture = made["picture"]
        features = self.encoder(picture)
        style = 0.0
        for wanted, layer in zip(made["style"], features, strict=True):
            for a, b in zip(wanted, adain.statistics(layer), strict=True):
                style += ops.mean(ops.square(a - b))
        content = ops.mean(ops.square(ops.cast(features[self.read], "float32") - made["target"]))
        return {
            "content": content,
            "style": style,
            "tv": total_variation(picture / 255),
            "pixels": reconstruction(picture, *pictures),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        losses = self.losses_of(x, y_pred)
        for name, value in losses.items():
            self.parts[name].update_state(value)
        return sum(self.weights_of[name] * value for name, value in losses.items())


def decoder_of(network, layer):
    """A new decoder for a layer of a network."""
    return adain.decoder(network.get_layer(layer).filters, adain.WIDTHS[layer])


def total_variation(pictures):
    """Mean absolute difference of neighbouring values of float (N, H, W, C)."""
    down = ops.mean(ops.abs(pictures[:, 1:] - pictures[:, :-1]))
    return down + ops.mean(ops.abs(pictures[:, :, 1:] - pictures[:, :, :-1]))


def reconstruction(pictures, content, style):
    """Mean absolute difference from the content, in [0, 1], where the style is the content."""
    content, style = (ops.cast(x, "float32") for x in (content, style))
    same = ops.cast(ops.all(content == style, axis=(1, 2, 3)), "float32")
    distance = ops.mean(ops.abs(pictures - content), axis=(1, 2, 3)) / 255
    return ops.sum(same * distance) / ops.maximum(ops.sum(same), 1.0)


def main():
    args = parse_arguments()
    keras.utils.set_random_seed(args.seed)
    # OpenCV's threads would compete with the training for the same cores.
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    contents, dev_contents = kept_aside(find_pictures(args.content), args.seed)
    styles, dev_styles = kept_aside(find_pictures(args.style), args.seed)
    contents, styles = contents[: args.limit], styles[: args.limit]
    weights = encoder_weights(args.encoder, args.out, contents, args.seed)
    policy = set_precision(args.precision)
    network = vgg_small()
    network.set_weights(weights)
    model = StyleTraining(
        reflected(network, adain.LAYERS),
        decoder_of(network, args.layer),
        args.layer,
        style_weight=args.style_weight,
        tv_weight=args.tv_weight,
        pixel_weight=args.pixel_weight,
    )
    print(
        f"{policy}, {keras.backend.backend()}: {len(contents):,} contents, {len(styles):,} styles "
        f"and {args.painted:.0%} painted ones; decoder of {model.decoder.count_params():,} "
        "parameters",
        flush=True,
    )

    dev = dev_pairs(dev_contents, dev_styles, args.size, args.seed)
    # Builds the model.
    model(tuple(part[:1] for part in dev))

    def score(trained):
        made, scores = figures(trained, dev)
        sheet = pair_sheet(*(part[:SHEET_PAIRS] for part in (*dev, made)))
        epoch = read_state(args.out)["epoch"] + 1
        write_picture(args.out / f"sheet{epoch:03}.png", sheet, overwrite=True)
        # The checkpoint keeps what scores highest.
        return scores | {"fit": -scores["dev_loss"]}

    batches = StyleBatches(
        contents,
        load_styles(styles),
        args.size,
        args.batch,
        args.steps,
        seed=args.seed,
        painted=args.painted,
        identical=args.identical,
        warmup=args.warmup,
        workers=args.workers,
    )
    schedule = WarmupCosine(args.learning_rate, args.epochs * args.steps, min(args.steps, 200))
    model.compile(adamw(model, schedule, weight_decay=0.0, ema_momentum=0.995))
    done = resume(model, args.out)
    checkpoint = Checkpoint(args.out, score, metric="fit")
    checkpoint.total_epochs = args.epochs
    if done < args.epochs:
        batches.epoch = done
        model.fit(
            batches,
            initial_epoch=done,
            epochs=args.epochs,
            verbose=0,
            shuffle=False,  # done by the batches, which a resumed run repeats
            callbacks=[checkpoint, Progress(args.epochs)],
        )
    model.load_weights(args.out / "best.weights.h5")
    scores = {
        "train": f"{len(contents):,} contents, {len(styles):,} styles and painted ones",
        "dev": f"{len(dev[0])} pairs of other contents and styles",
        "seed": args.seed,
        "size": args.size,
        "layer": args.layer,
        "style_weight": args.style_weight,
        "tv_weight": args.tv_weight,
        "epochs": args.epochs,
        "steps": args.epochs * args.steps,
    } | figures(model, dev)[1]
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    plot_history(args.out)
    print(json.dumps(scores))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = {"type": Path, "required": True}
    parser.add_argument("--encoder", **folder, help="run folder or weights file of vgg-small")
    parser.add_argument("--content", **folder, nargs="+", help="folders of photographs")
    parser.add_argument("--style", **folder, nargs="+", help="folders of paintings and textures")
    parser.add_argument("--out", **folder, help="run folder")
    parser.add_argument(
        "--layer", default=adain.LAYER, choices=adain.WIDTHS, help="what the decoder reads"
    )
    parser.add_argument("--size", type=int, default=128, help="side of the crops")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=500, help="steps of an epoch")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--style-weight", type=float, default=10.0)
    parser.add_argument("--tv-weight", type=float, default=1.0)
    parser.add_argument("--pixel-weight", type=float, default=30.0)
    parser.add_argument(
        "--identical", type=float, default=0.1, help="share of pairs of a picture with itself"
    )
    parser.add_argument("--warmup", type=int, default=1, help="epochs of such pairs alone")
    parser.add_argument("--painted", type=float, default=0.5, help="share of painted styles")
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--workers", type=int, default=2, help="threads that prepare batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    return parser.parse_args()


def find_pictures(folders):
    """All JPEG and PNG files below the folders, in order."""
    endings = {".jpg", ".jpeg", ".png"}
    found = [p for folder in folders for p in sorted(folder.rglob("*"))]
    found = [p for p in found if p.suffix.lower() in endings]
    if len(found) < 2:
        raise SystemExit(f"{', '.join(map(str, folders))}: two pictures at least are needed")
    return found


def kept_aside(paths, seed):
    """Split paths into those to train on and, shuffled, those of dev."""
    order = np.random.default_rng(seed).permutation(len(paths))
    count = max(1, round(DEV_SHARE * len(paths)))
    return [paths[i] for i in sorted(order[count:])], [paths[i] for i in order[:count]]


def encoder_weights(source, out, contents, seed):
    """The folded and normalised encoder's weights, made once for a run."""
    network = vgg_small()
    if (out / ENCODER_FILE).exists():
        network.load_weights(out / ENCODER_FILE)
        return network.get_weights()
    backbone, classifier = build_networks(NAME)
    if source.is_dir():
        finished = source / "backbone.weights.h5"
        source = finished if finished.exists() else source / "best.weights.h5"
    # What a run that still goes on has written is the whole classifier.
    (backbone if source.name.startswith("backbone") else classifier).load_weights(source)
    network = fold_batch_norm(backbone)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(contents))[:NORMALISED_ON]
    pictures = [crop(read_picture(contents[i]), NORMALISED_SIDE, rng) for i in chosen]
    normalise_responses(network, np.stack(pictures))
    save_weights(network, out / ENCODER_FILE)
    return network.get_weights()


def crop(pixels, size, rng, smallest=1.0):
    """A random square, mirrored half of the time, as uint8 (size, size, 3).

    Args:
        pixels: uint8 (H, W, 3).
        smallest: least side of the square, as a share of the picture's shorter side.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    side = max(min(side, size), round(side * rng.uniform(smallest, 1)))
    y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    pixels = pixels[y : y + side, x : x + side]
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(pixels), (size, size), interpolation=method)


def load_styles(paths):
    """Style pictures with the shorter side at most STYLE_SIDE, uint8 (H, W, 3) each."""
    pictures = []
    for path in paths:
        pixels = read_picture(path)
        scale = min(1, STYLE_SIDE / min(pixels.shape[:2]))
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        pictures.append(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    return pictures


class StyleBatches(keras.utils.PyDataset):
    """Batches of contents and styles, uint8 (B, size, size, 3) each.

    Each batch's random numbers depend on the seed, the epoch and its index alone, so a resumed
    training sees what an uninterrupted one would have.

    Args:
        contents: paths.
        styles: pictures, uint8 (H, W, 3).
        size: side of the crops.
        batch, steps: pairs of a batch, batches of an epoch.
        painted: share of styles that are painted from contents, in [0, 1].
        identical: share of pairs whose style is the content itself, in [0, 1].
        warmup: epochs at first with such pairs alone: to draw what the features show is learnt
            from pixels in a tenth of the steps.
        workers: threads.
    """

    def __init__(
        self,
        contents,
        styles,
        size,
        batch,
        steps,
        *,
        seed,
        painted=0.5,
        identical=0.0,
        warmup=0,
        workers=1,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.contents, self.styles, self.size = contents, styles, size
        self.batch, self.steps = batch, steps
        self.seed, self.painted = seed, painted
        self.identical, self.warmup = identical, warmup
        self.epoch = 0

    def on_epoch_end(self):
        self.epoch += 1

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        contents = [self.content(rng) for _ in range(self.batch)]
        styles = [self.style(rng, content) for content in contents]
        return ((np.stack(contents), np.stack(styles)),)

    def content(self, rng):
        """A random crop of a random photograph."""
        path = self.contents[rng.integers(len(self.contents))]
        return crop(read_picture(path), self.size, rng, smallest=0.5)

    def style(self, rng, content):
        """The content itself, a painted photograph, or a random crop of a random style picture."""
        if self.epoch < self.warmup or rng.random() < self.identical:
            return content
        if rng.random() < self.painted:
            return paint(self.content(rng), rng)
        return crop(self.styles[rng.integers(len(self.styles))], self.size, rng, smallest=0.4)


def dev_pairs(contents, styles, size, seed):
    """The same pairs each time: contents, and styles of which every other one is painted.

    Returns:
        two uint8 (P, size, size, 3).
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for number in range(min(DEV_PAIRS, len(contents) * len(styles))):
        content = read_picture(contents[number % len(contents)])
        if number % 2:
            photo = read_picture(contents[(number + 1) % len(contents)])
            style = paint(crop(photo, size, rng), rng)
        else:
            style = crop(load_styles([styles[number % len(styles)]])[0], size, rng)
        pairs.append((crop(content, size, rng), style))
    return tuple(np.stack(part) for part in zip(*pairs, strict=True))


def figures(model, pairs, batch=8):
    """The dev pairs' results and mean losses.

    Returns:
        float (P, size, size, 3); dict with "dev_loss", "dev_content", "dev_style", ...
    """
    made, rows = [], []
    for start in range(0, len(pairs[0]), batch):
        pictures = tuple(part[start : start + batch] for part in pairs)
        output = model(pictures, training=False)
        losses = model.losses_of(pictures, output)
        made.append(ops.convert_to_numpy(output["picture"]))
        rows.append({name: float(ops.convert_to_numpy(losses[name])) for name in losses})
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    loss = sum(model.weights_of[name] * value for name, value in means.items())
    return np.concatenate(made), {"dev_loss": loss} | {f"dev_{k}": v for k, v in means.items()}


def pair_sheet(contents, styles, made):
    """Three rows of pictures: contents, styles, results; uint8 (3 size, P size, 3)."""
    made = np.clip(np.rint(made), 0, 255).astype(np.uint8)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in (contents, styles, made)])


if __name__ == "__main__":
    run_main(main)
