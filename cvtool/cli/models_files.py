"""`cvtool models pull`, `verify`, `path` and `remove`: the files of models on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.models_list import ModelArgument
from cvtool.cli.options import JsonOption, complete_model
from cvtool.errors import CvtoolError

FileKind = Literal["litert", "weights"]

NamesArgument = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Models.", autocompletion=complete_model),
]


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Models of cvtool models list.",
            autocompletion=complete_model,
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="All presets that are to be downloaded; networks of keras.applications only "
            "by their names.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Download models, check them and convert them, so that they are on this machine.

    A model that is there already is checked, and got again if it is damaged.
    """
    if bool(names) == everything:
        raise typer.BadParameter("give either models or --all", param_hint="NAME")
    from cvtool.models.catalogue import catalogue, find_entry
    from cvtool.models.catalogue import pull as pull_entry

    if everything:
        names = [entry.name for entry in catalogue() if entry.source == "download"]

    def work(name: str) -> dict[str, Any]:
        entry = find_entry(name)
        done = pull_entry(entry)
        return {
            "name": name,
            "pulled": done,
            "source": entry.source,
            "folder": str(find_entry(name).folder),
        }

    def tell(result: dict[str, Any]) -> str:
        if result["pulled"]:
            return f"{result['name']}: pulled"
        shipped = "ships with cvtool" if result["source"] == "shipped" else "is here already"
        return f"{result['name']}: {shipped}"

    each(names or [], work, tell, as_json)


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Models, or folders of trained models. Default: all that are on this machine.",
            autocompletion=complete_model,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the files of models with the hashes that they should have.

    The exit code is 1 if one is damaged; what to do about it is said.
    """
    from cvtool.models.catalogue import catalogue, find_entry, problems

    entries = [find_entry(name) for name in names or ()]
    if not names:
        entries = [entry for entry in catalogue() if entry.folder is not None]
    results = [{"name": entry.name, "problems": problems(entry)} for entry in entries]
    if as_json:
        console.print_json(results)
    else:
        rows = [(r["name"], "damaged" if r["problems"] else "intact") for r in results]
        console.print_table(console.table(("model", "files"), rows))
    wrong = [line for result in results for line in result["problems"]]
    for line in wrong:
        console.complain(line)
    if wrong:
        raise typer.Exit(1)


def path(
    name: ModelArgument,
    file: Annotated[
        FileKind | None,
        typer.Option(
            "--file",
            help="Print the path of this file instead: litert for the LiteRT interpreter, "
            "weights for Keras. It is checked first.",
        ),
    ] = None,
) -> None:
    """Print the folder in which a model's files are.

    Nothing is downloaded.
    """
    from cvtool.errors import ModelError
    from cvtool.models.catalogue import find_entry, not_here
    from cvtool.models.presets import preset_file

    entry = find_entry(name)
    if entry.folder is None:
        raise ModelError(not_here(entry))
    if file is None:
        print(entry.folder)
    elif entry.preset is None:
        raise ModelError(entry.problem)
    else:
        print(preset_file(entry.preset, file))


def remove(names: NamesArgument, as_json: JsonOption = False) -> None:
    """Delete models from the cache folder: downloaded ones and imported ones.

    Models that ship with cvtool stay, and so do folders of your own.
    """
    from cvtool.models.catalogue import find_entry
    from cvtool.models.catalogue import remove as remove_entry
    from cvtool.models.progress import readable

    def work(name: str) -> dict[str, Any]:
        return {"name": name, "freed_bytes": remove_entry(find_entry(name))}

    def tell(result: dict[str, Any]) -> str:
        return f"{result['name']}: removed, {readable(result['freed_bytes'])} freed"

    each(names, work, tell, as_json)


def each(
    names: Iterable[str],
    work: Callable[[str], dict[str, Any]],
    tell: Callable[[dict[str, Any]], str],
    as_json: bool,
) -> None:
    """Do something with each model; name those that failed at the end, with exit code 1.

    Args:
        names: of models; one that is named twice is taken once.
        work: gives the result of one, as JSON has it.
        tell: the result in words, one line on stdout.
        as_json: print all results as one JSON array instead.
    """
    results, failures = [], []
    for name in dict.fromkeys(names):
        try:
            results.append(work(name))
        except CvtoolError as error:
            failures.append(error)
            continue
        if not as_json:
            print(tell(results[-1]), flush=True)
    if as_json:
        console.print_json(results)
    for failure in failures:
        console.complain(failure)
    if failures:
        raise typer.Exit(1)
