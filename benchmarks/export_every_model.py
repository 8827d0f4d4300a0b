"""Export models to every format and precision, and print how near each file's answers are.

    python benchmarks/export_every_model.py [MODEL...] [--pictures DIR] [--size N|free] [--batch N]

Without a model, every preset that ships. Takes about a minute a model on two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cvtool.errors import CvtoolError
from cvtool.exporting.export import export_model
from cvtool.exporting.formats import FORMATS
from cvtool.exporting.views import sample_pictures
from cvtool.models.presets import load_presets
from cvtool.pictures.sources import read_pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--pictures", help="to compare on and to calibrate int8 with")
    parser.add_argument("--size", help="side of the input, or free")
    parser.add_argument("--batch", type=int, help="pictures at a time; default: any number")
    parser.add_argument("--formats", default=",".join(FORMATS))
    args = parser.parse_args()
    models = args.models or [name for name, preset in load_presets().items() if preset.files]
    free = args.size == "free"
    for model in models:
        for name in args.formats.split(","):
            for precision in FORMATS[name].precisions:
                if free and precision == "int8":
                    continue
                start = time.perf_counter()
                pictures = sample_pictures()
                if args.pictures:
                    pictures = (picture.pixels for picture in read_pictures(args.pictures))
                with TemporaryDirectory() as folder:
                    try:
                        exported = export_model(
                            model,
                            name,
                            precision=precision,
                            size=None if free or not args.size else int(args.size),
                            free=free,
                            batch=args.batch,
                            pictures=pictures,
                            out=Path(folder),
                        )
                    except CvtoolError as error:
                        print(f"{model:15}{name:13}{precision:9} {error}", flush=True)
                        continue
                agreement, seconds = exported.agreement, time.perf_counter() - start
                print(
                    f"{model:15}{name:13}{precision:9}{exported.bytes / 1e6:6.1f} MB"
                    f"{agreement.largest:11.3g} of {agreement.scale:8.3g}"
                    f"  noise {agreement.noise:8.3%}{seconds:6.1f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
