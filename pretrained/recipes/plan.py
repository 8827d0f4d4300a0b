"""What is run to make the default models, in order, with the settings of each schedule."""

from __future__ import annotations

from dataclasses import dataclass

# "full" is meant for a GPU, half an hour a model; "short" for two CPU cores, some hours a model
# (the models that ship were made about so); "smoke" only shows that everything runs.
SCHEDULES = ("full", "short", "smoke")


@dataclass(frozen=True, slots=True)
class Step:
    """One run of one recipe.

    Attributes:
        name: its run folder.
        model: the default model that it is a part of.
        recipe: the script.
        paths: its arguments that are paths; {data}, {runs} and {out} are filled in.
        full, short, smoke: its other arguments under each schedule.
        needs: names of the steps that must have been run before.
        data: names of the data sets that it reads.
    """

    name: str
    model: str
    recipe: str
    paths: str
    full: str = ""
    short: str = ""
    smoke: str = ""
    needs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    @property
    def trains(self):
        """Whether its recipe runs on JAX and torch as well as on TensorFlow."""
        return self.recipe.startswith(("train_", "pretrain_"))

    def settings(self, schedule, precision):
        """The arguments that are no paths, str."""
        settings = getattr(self, schedule)
        if self.trains:
            settings += f" --precision {precision}"
        return settings.strip()

    def arguments(self, settings, **folders):
        """All of the recipe's arguments, list of str."""
        paths = [word.format(**folders) for word in self.paths.split()]
        return [*paths, *settings.split()]


TINY, EVERYDAY, LFW = "tiny-imagenet-200", "everyday20", "lfw"

STEPS = (
    Step(
        "backbone",
        "tiny200",
        "pretrain_backbone.py",
        "--data {data}/tiny-imagenet-200 --cache {runs}/decoded --out {runs}/backbone",
        full="--stages 80:60:0.35:1,96:15:0.5 --weight-decay 0.05",
        short="--stages 64:22:0.35,80:15:0.35:1,96:4:0.5 --learning-rate 2.5e-3 "
        "--weight-decay 0.05",
        smoke="--stages 32:1:0.5 --limit 1000 --batch 50",
        data=(TINY,),
    ),
    Step(
        "tiny200",
        "tiny200",
        "export_tiny200.py",
        "--run {runs}/backbone --data {data}/tiny-imagenet-200 --out {out}",
        smoke="--size 64 --limit 100",
        needs=("backbone",),
        data=(TINY,),
    ),
    Step(
        "imagenette",
        "tiny200",
        "score_finetuning.py",
        "--model {runs}/backbone/model --data {data}/imagenette --run {runs}/imagenette "
        "--out {out}",
        smoke="--epochs 1 --size 32 --limit 100",
        needs=("tiny200",),
        data=("imagenette",),
    ),
    Step(
        "detector",
        "everyday",
        "train_everyday.py",
        "--data {data}/everyday20 --backbone {runs}/backbone/backbone.weights.h5 "
        "--out {runs}/detector",
        full="--stages 256:60:0.6,320:30:0.6,320:10:0",
        short="--stages 192:25:0.5,256:4:0.3,256:1:0 --hold 17 --batch 16 --score-every 3",
        smoke="--stages 64:1:0.5,96:1:0 --batch 12 --limit 100",
        needs=("backbone",),
        data=(EVERYDAY,),
    ),
    Step(
        "everyday",
        "everyday",
        "export_everyday.py",
        "--run {runs}/detector --data {data}/everyday20 --out {out}",
        full="--size 320",
        short="--size 256",
        smoke="--size 96 --limit 9",
        needs=("detector",),
        data=(EVERYDAY,),
    ),
    Step(
        "unet-masks",
        "everyday-unet",
        "train_unet.py",
        "--data {data}/everyday20 --start {runs}/detector/model --out {runs}/unet-masks",
        full="--stages 256:30",
        short="--stages 192:14 --batch 16",
        smoke="--stages 64:1 --batch 12 --limit 37",
        needs=("everyday",),
        data=(EVERYDAY,),
    ),
    Step(
        "unet-masks-model",
        "everyday-unet",
        "export_unet.py",
        "--run {runs}/unet-masks --data {data}/everyday20 --out {out}",
        full="--size 256",
        short="--size 256",
        smoke="--size 96 --limit 4",
        needs=("unet-masks",),
        data=(EVERYDAY,),
    ),
    Step(
        "guessed",
        "everyday-unet",
        "masks_from_boxes.py",
        "--data {data}/everyday20 --model {runs}/unet-masks/model --out {runs}/guessed",
        smoke="--limit 8",
        needs=("unet-masks-model",),
        data=(EVERYDAY,),
    ),
    Step(
        "unet",
        "everyday-unet",
        "train_unet.py",
        "--data {data}/everyday20 --start {runs}/detector/model --guessed {runs}/guessed "
        "--out {runs}/unet",
        full="--stages 256:40,320:10 --class-power 0.25 --balance 0.3",
        short="--stages 192:31,256:2 --steps 300 --batch 16 --learning-rate 2e-3 "
        "--class-power 0.25 --balance 0.3",
        smoke="--stages 64:1 --batch 12 --limit 37",
        needs=("guessed",),
        data=(EVERYDAY,),
    ),
    Step(
        "everyday-unet",
        "everyday-unet",
        "export_unet.py",
        "--run {runs}/unet --data {data}/everyday20 --out {out}",
        full="--size 320 --unweight 0.5",
        short="--size 256 --unweight 0.5",
        smoke="--size 96 --limit 4",
        needs=("unet",),
        data=(EVERYDAY,),
    ),
    Step(
        "faces-aligned",
        "facenet-lfw",
        "align_lfw.py",
        "--data {data}/lfw --out {runs}/faces",
        smoke="--limit 40",
        data=(LFW,),
    ),
    Step(
        "faces",
        "facenet-lfw",
        "train_facenet.py",
        "--start {runs}/detector/model --out {runs}/faces",
        full="--epochs 60 --triplet-epochs 20 --triplet-augment strong",
        short="--epochs 30 --triplet-epochs 14 --triplet-augment strong",
        smoke="--epochs 1 --triplet-epochs 1 --batch 12 --people 2 --pictures 2",
        needs=("everyday", "faces-aligned"),
    ),
    Step(
        "facenet-lfw",
        "facenet-lfw",
        "export_facenet.py",
        "--run {runs}/faces --data {data}/lfw --out {out}",
        smoke="--limit 20",
        needs=("faces",),
        data=(LFW,),
    ),
    Step(
        "vgg",
        "adain",
        "pretrain_backbone.py",
        "--data {data}/tiny-imagenet-200 --cache {runs}/decoded --out {runs}/vgg",
        full="--network vgg-small --stages 64:40:0.35 --batch 128",
        short="--network vgg-small --stages 32:4:0.5,48:4:0.5 --batch 128",
        smoke="--network vgg-small --stages 32:1:0.5 --limit 1000 --batch 50",
        data=(TINY,),
    ),
    Step(
        "decoder",
        "adain",
        "train_adain.py",
        "--encoder {runs}/vgg --content {data}/everyday20/images/train --style {data}/styles "
        "--out {runs}/decoder",
        full="--size 128 --epochs 60 --style-weight 25 --tv-weight 4",
        short="--size 128 --epochs 8 --style-weight 25 --tv-weight 4",
        smoke="--size 32 --batch 2 --steps 2 --epochs 1 --limit 100",
        needs=("vgg",),
        data=(EVERYDAY, "styles"),
    ),
    Step(
        "adain",
        "adain",
        "export_style.py",
        "--run {runs}/decoder --encoder-run {runs}/vgg --contents {data}/style-pairs/content "
        "--styles {data}/style-pairs/style --out {out}",
        smoke="--limit 2",
        needs=("decoder",),
        data=("style-pairs",),
    ),
)

MODELS = tuple(dict.fromkeys(step.model for step in STEPS))
# The decoder goes with exactly one encoder, so both are made together.
PRESETS = {model: (model,) for model in MODELS} | {"adain": ("vgg-small", "adain")}

# What each model should reach: model, score in presets.json, data, goal.
GOALS = (
    ("everyday", "mAP50", "everyday20 val", 0.448),
    ("tiny200", "top1", "Tiny-ImageNet-200 val", 0.62),
    ("tiny200", "imagenette", "Imagenette val, fine-tuned", 0.93),
    ("everyday-unet", "miou", "everyday20 val", 0.50),
    ("everyday-unet", "foreground_iou", "everyday20 val", 0.80),
    ("facenet-lfw", "accuracy", "LFW pairsDevTest", 0.92),
)


def steps_for(models):
    """The steps that make these models, with all that they need, in order."""
    by_name = {step.name: step for step in STEPS}
    wanted = {step.name for step in STEPS if step.model in models}
    # `STEPS` is in order, so what a step needs stands before it.
    for step in reversed(STEPS):
        if step.name in wanted:
            wanted.update(step.needs)
    return [by_name[name] for name in by_name if name in wanted]
