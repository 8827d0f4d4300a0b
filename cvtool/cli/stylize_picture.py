"""How `cvtool stylize` makes one picture, and what it shows and keeps meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.cli.faces_input import stored_name
from cvtool.cli.records import Record
from cvtool.cli.stylize_files import Film, write_to_stdout
from cvtool.cli.stylize_report import make_description, make_record, progress

if TYPE_CHECKING:
    import numpy as np

    from cvtool.cli.stylize_files import StylizeFiles
    from cvtool.cli.stylize_work import Optimisation, Painted, SinglePass
    from cvtool.pictures.sources import Picture
    from cvtool.style.settings import StyleSettings
    from cvtool.style.transfer import Step


class Stylist:
    """Makes and writes the result of one picture, or of a video's frame.

    Args:
        work: makes the pixels.
        settings: of the optimisation; None for a single pass.
        files: what writes the results.
        place: a function from a picture to its mask or None.
        facts: what the results' files say of how they were made.
        film: of --video, or None.
        piped: write results to stdout.
    """

    def __init__(
        self,
        work: Optimisation | SinglePass,
        settings: StyleSettings | None,
        *,
        files: StylizeFiles,
        place: Callable[[Picture], np.ndarray | None],
        facts: Record,
        film: Path | None,
        piped: bool,
    ):
        self._work, self._settings, self._files = work, settings, files
        self._place, self._facts, self._film, self._piped = place, facts, film, piped

    def __call__(self, picture: Picture) -> Record | None:
        """The picture's JSON object; None where its result may not be written.

        Raises:
            CvtoolError: it cannot be made.
            KeyboardInterrupt: before there was anything to keep.
        """
        mask = self._place(picture)
        target = None if self._piped else self._files.target(picture)
        if target is None and not self._piped:
            return None
        facts = {"content": stored_name(picture.name)} | self._facts
        describe = partial(make_description, facts)
        if self._settings is None:
            painted = self._work(picture, mask)
            paths = {"output": self._write(painted, target, picture, describe)}
        else:
            watcher = Watcher(
                picture,
                self._settings,
                files=self._files,
                target=target,
                film=self._film,
                describe=describe,
            )
            with watcher:
                painted = self._work(picture, mask, watcher)
                if painted.stopped and not painted.steps:
                    raise KeyboardInterrupt
                paths = {"output": self._write(painted, target, picture, describe)}
                watcher.finish(painted.pixels)
            paths |= watcher.paths
        return make_record(
            picture,
            painted,
            model=self._work.model_name,
            engine=self._work.engine_name,
            facts=facts,
            paths=paths,
        )

    def _write(
        self,
        painted: Painted,
        target: Path | None,
        picture: Picture,
        describe: Callable[..., str],
    ) -> str | None:
        """Write a result; return its path."""
        # One that was stopped has fewer iterations than its settings say.
        more = {"iteration": len(painted.steps)} if painted.stopped else {}
        if target is None:
            write_to_stdout(painted.pixels, describe(**more))
            return None
        return self._files.write(target, picture, painted.pixels, describe(**more))


class Watcher:
    """Called after each iteration; a context, at whose end the film is whole.

    Args:
        picture: the photograph.
        settings: of the optimisation.
        files: what writes the intermediate pictures.
        target: where the result goes; None for stdout, then there are no intermediate ones.
        film: of --video, or None.
        describe: a function from what is special about a picture to what its file says of it.
    Attributes:
        paths: of the files written, as they stand in the picture's JSON object.
    Raises:
        OptionError: the picture is too long and narrow for this size.
        OutputError: the film cannot be written.
    """

    def __init__(
        self,
        picture: Picture,
        settings: StyleSettings,
        *,
        files: StylizeFiles,
        target: Path | None,
        film: Path | None,
        describe: Callable[..., str],
    ):
        from cvtool.style.scales import iterations_of, optimised_sizes, scale_sizes

        self._picture, self._files, self._target = picture, files, target
        self._describe = describe
        shape = picture.pixels.shape[:2]
        self._size = scale_sizes(*shape, settings.size)[-1]
        sizes = optimised_sizes(*shape, settings.size)
        counts = iterations_of(settings.iterations, len(sizes))
        self._progress = progress(stored_name(picture.name), sizes, counts)
        self._film = None
        self.paths: dict[str, Any] = {}
        if film is not None:
            self._film = Film(film, *self._size, sum(counts), overwrite=files.overwrite)
            self.paths["video"] = str(film)
        if files.marks:
            self.paths["intermediate"] = []

    def __enter__(self) -> Watcher:
        with ExitStack() as stack:
            if self._film is not None:
                stack.enter_context(self._film)
            self._show = stack.enter_context(self._progress)
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
        elif not self._files.attempt(self._open.close):
            self.paths["video"] = None

    def __call__(self, step: Step) -> None:
        self._show(step)
        if self._film is not None:
            self._film.add(step)
        if self._target is not None and step.iteration in self._files.marks:
            self._keep(step)

    def finish(self, pixels: np.ndarray) -> None:
        """Show the result at the film's end."""
        if self._film is not None:
            self._film.finish(pixels)

    def _keep(self, step: Step) -> None:
        from cvtool.style.scales import resized

        path = self._files.write_intermediate(
            self._target,
            self._picture,
            step.iteration,
            resized(step.pixels(), self._size),
            self._describe(iteration=step.iteration),
        )
        if path is not None:
            self.paths["intermediate"].append(path)
