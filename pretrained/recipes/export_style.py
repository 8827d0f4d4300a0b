"""Turn a run of train_adain.py into the shipped networks of style transfer.

    python pretrained/recipes/export_style.py --run runs/adain --encoder-run runs/vgg \
        --contents photographs/ --styles paintings/

Writes two models, their files and their presets.json entries, into pretrained/: `vgg-small`, the
feature network, with the weights that the decoder was trained with, and `adain`, the decoder.
Scores the LiteRT files of both on every pair of a picture in `--contents` and one in `--styles`,
none of which may have been trained on, and puts the scores into the model cards.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cvtool.models.saving import save_model
from cvtool.pictures.reading import read_picture
from cvtool.style import adain, vgg_small
from cvtool.style.fast import FastStylizer
from cvtool.style.reflection import reflected
from cvtool.style.scales import resized, scaled
from running import run_main
from ship import PRETRAINED, ship, write_card
from train_adain import ENCODER_FILE, StyleTraining, decoder_of, find_pictures

NAME = "adain"
SIZE = 512
LICENCE = "Apache-2.0 (weights)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    path = {"type": Path, "required": True}
    parser.add_argument("--run", **path, help="run folder of train_adain.py")
    parser.add_argument("--encoder-run", **path, help="run folder of pretrain_backbone.py")
    parser.add_argument("--contents", **path, help="folder of photographs to score with")
    parser.add_argument("--styles", **path, help="folder of paintings to score with")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--limit", type=int, help="score only so many of each (a rehearsal)")
    args = parser.parse_args()

    network = vgg_small.vgg_small()
    network.load_weights(args.run / ENCODER_FILE)
    encoder = reflected(network, adain.LAYERS)
    trained = json.loads((args.run / "scores.json").read_text())
    layer = trained["layer"]
    staging = args.run / "model"
    pretrained = json.loads((args.encoder_run / "scores.json").read_text())
    features = save_model(
        network,
        staging / vgg_small.NAME,
        {
            "name": vgg_small.NAME,
            "task": "features",
            "description": "features that style transfer compares",
            "architecture": {"widths": vgg_small.WIDTHS, "depths": vgg_small.DEPTHS},
            "size": SIZE,
            "classes": [],
            "licence": LICENCE,
            "data": "Tiny-ImageNet-200",
            "scores": {
                "dataset": pretrained["dev"],
                "pictures": 10_000,
                "top1": round(pretrained["val_top1"], 4),
            },
            "recipe": "recipes/pretrain_backbone.py, recipes/train_adain.py",
        },
        for_litert=reflected(network, layer),
    )
    entry = save_model(
        trained_decoder(network, layer, args.run),
        staging,
        {
            "name": NAME,
            "task": "stylize",
            "description": "any picture in the style of any other, in one pass",
            "architecture": {
                "encoder": vgg_small.NAME,
                "encoder_sha256": features["files"]["litert"]["sha256"],
                "layer": layer,
                "channels": network.get_layer(layer).filters,
                "widths": adain.WIDTHS[layer],
            },
            "size": SIZE,
            "classes": [],
            "licence": LICENCE,
            "data": "Tiny-ImageNet-200 (encoder); pictures of everyday20, paintings by Titian and "
            f"pictures of the Describable Textures Dataset: {trained['train']}",
            "recipe": "recipes/train_adain.py",
        },
    )
    stylizer = FastStylizer.load(staging, device="cpu")
    contents, styles = (
        find_pictures([folder])[: args.limit] for folder in (args.contents, args.styles)
    )
    rows = score_pairs(stylizer, encoder, contents, styles)
    entry["scores"] = {
        "dataset": "pairs of photographs and paintings not trained on",
        "pairs": len(rows),
        "style_left": round(float(np.mean([row["style_left"] for row in rows])), 4),
        "content": round(float(np.mean([row["content"] for row in rows])), 4),
    }
    ship(features, staging / vgg_small.NAME, args.out)
    ship(entry, staging, args.out)
    card = args.out / "README.md"
    write_card(
        card,
        vgg_small.NAME,
        [f"Top-1 accuracy {pretrained['val_top1']:.3f} at {pretrained['side']} px."],
    )
    write_card(card, NAME, card_lines(rows))
    print(json.dumps(entry["scores"]))


def trained_decoder(network, layer, run):
    """The decoder with the weights of a run's best epoch."""
    model = StyleTraining(reflected(network, adain.LAYERS), decoder_of(network, layer), layer)
    blank = np.zeros((1, 32, 32, 3), np.uint8)
    # Builds it.
    model((blank, blank))
    model.load_weights(run / "best.weights.h5")
    return model.decoder


def score_pairs(stylizer, encoder, contents, styles):
    """How near each result comes to its style, and how near it stays to its content.

    Args:
        contents, styles: paths of pictures; each is paired with each.
    Returns:
        a dict a pair: "content_name", "style_name"; "style_left", the style loss of the result
        as a share of that of the content itself; "content", the mean squared difference of the
        result's last features from the content's, of mean square 1 on photographs.
    """
    rows = []
    for content_path in contents:
        content = limited(read_picture(content_path))
        own = encoder(content[None])
        for style_path in styles:
            style = limited(read_picture(style_path))
            aim = [adain.statistics(x) for x in encoder(style[None])]
            made = encoder(stylizer(content, [style])[None])
            rows.append(
                {
                    "content_name": content_path.stem,
                    "style_name": style_path.stem,
                    "style_left": style_loss(made, aim) / style_loss(own, aim),
                    "content": float(np.mean(np.square(np.asarray(made[-1] - own[-1])))),
                }
            )
    return rows


def limited(pixels):
    """A picture with a longer side of at most SIZE."""
    return resized(pixels, scaled(*pixels.shape[:2], min(SIZE, max(pixels.shape[:2]))))


def style_loss(activations, aim):
    """The style loss of `train_adain.py` for one picture's activations."""
    return sum(
        float(np.mean(np.square(np.asarray(own - wanted))))
        for layer, statistics in zip(activations, aim, strict=True)
        for own, wanted in zip(adain.statistics(layer), statistics, strict=True)
    )


def card_lines(rows):
    """The scores as the model card shows them: a row a style."""
    lines = [
        f"{len(rows)} pairs at {SIZE} px, litert: of the style loss of the photograph "
        f"{np.mean([row['style_left'] for row in rows]):.1%} is left.",
        "",
        "| style | style loss left | content loss |",
        "|---|---|---|",
    ]
    for name in dict.fromkeys(row["style_name"] for row in rows):
        part = [row for row in rows if row["style_name"] == name]
        left, content = (np.mean([row[key] for row in part]) for key in ("style_left", "content"))
        lines.append(f"| {name} | {left:.1%} | {content:.2f} |")
    return lines


if __name__ == "__main__":
    run_main(main)
