"""Options of `cvtool stylize` that steer the optimisation.

None stands for what the preset says, or else for the default of `cvtool.style.settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

# Their heading in --help.
PANEL = "Optimisation"

PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        show_default="balanced",
        help="Settings by name: balanced, faithful, strong, from-noise. Single options win.",
        rich_help_panel=PANEL,
    ),
]
IterationsOption = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        metavar="N",
        show_default="300",
        help="Iterations over all scales together.",
        rich_help_panel=PANEL,
    ),
]
ContentWeightOption = Annotated[
    float | None,
    typer.Option(
        "--content-weight",
        metavar="X",
        show_default="1",
        help="More keeps more of the photograph; 0 forgets it.",
        rich_help_panel=PANEL,
    ),
]
StyleWeightOption = Annotated[
    float | None,
    typer.Option(
        "--style-weight",
        metavar="X",
        show_default="1",
        help="More takes more of the style.",
        rich_help_panel=PANEL,
    ),
]
TvWeightOption = Annotated[
    float | None,
    typer.Option(
        "--tv-weight",
        metavar="X",
        show_default="1",
        help="Total variation: more is smoother.",
        rich_help_panel=PANEL,
    ),
]
StyleScaleOption = Annotated[
    float | None,
    typer.Option(
        "--style-scale",
        metavar="X",
        show_default="1",
        help="Size of the painting against the photograph, 0.1 to 4: more makes larger strokes.",
        rich_help_panel=PANEL,
    ),
]
InitOption = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="content|noise|FILE",
        show_default="content",
        help="What the optimisation begins with.",
        rich_help_panel=PANEL,
    ),
]
OptimizerOption = Annotated[
    Literal["lbfgs", "adam"] | None,
    typer.Option(
        "--optimizer",
        show_default="lbfgs",
        help="lbfgs gets further in the same time.",
        rich_help_panel=PANEL,
    ),
]
NetworkOption = Annotated[
    Literal["vgg-small", "vgg16", "vgg19"] | None,
    typer.Option(
        "--network",
        show_default="vgg-small",
        help="Whose features are compared; vgg16 and vgg19 are downloaded at first use.",
        rich_help_panel=PANEL,
    ),
]
LayersOption = Annotated[
    str | None,
    typer.Option(
        "--layers",
        metavar="A,B,...",
        show_default="the first of each block",
        help="Layers whose statistics are the style, such as block1_conv1,block3_conv1.",
        rich_help_panel=PANEL,
    ),
]
ContentLayerOption = Annotated[
    str | None,
    typer.Option(
        "--content-layer",
        metavar="NAME",
        show_default="block4_conv2",
        help="The layer whose activations are the content.",
        rich_help_panel=PANEL,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        show_default="0",
        help="Of the noise to begin with.",
        rich_help_panel=PANEL,
    ),
]
TileOption = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="PIXELS",
        show_default="for large results",
        help="Show the network square tiles of this side, 256 to 8192: less memory, more "
        "time, the same picture.",
        rich_help_panel=PANEL,
    ),
]
EveryIterationOption = Annotated[
    int | None,
    typer.Option(
        "--every",
        min=1,
        metavar="N",
        help="Write the picture after every Nth iteration, beside the result.",
        rich_help_panel=PANEL,
    ),
]
FilmOption = Annotated[
    Path | None,
    typer.Option(
        "--video",
        metavar="FILE",
        help="Write the optimisation as a film, an .mp4 file.",
        rich_help_panel=PANEL,
    ),
]
