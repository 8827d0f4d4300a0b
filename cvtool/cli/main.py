"""The application `cvtool`: its commands, its global options, and the last stop of errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cvtool import __version__
from cvtool.cli import console
from cvtool.cli.benchmark import benchmark
from cvtool.cli.check import check
from cvtool.cli.classify import classify
from cvtool.cli.convert import convert
from cvtool.cli.demo import demo
from cvtool.cli.detect import detect
from cvtool.cli.doctor import doctor
from cvtool.cli.evaluate import evaluate
from cvtool.cli.export import export
from cvtool.cli.faces import faces_app
from cvtool.cli.finetune import finetune
from cvtool.cli.models import models_app
from cvtool.cli.segment import segment
from cvtool.cli.stylize import stylize
from cvtool.cli.verify import verify
from cvtool.cli.visualise import visualise
from cvtool.errors import CvtoolError, OptionError

# The base of Typer's errors of wrong usage, which Typer itself does not export.
UsageError = typer.BadParameter.__base__

# What a shell reports of a program that died of SIGPIPE, as others do when `head` has enough.
BROKEN_PIPE = 141
# Commands that answer by their exit code, 0 for yes and 1 for no: there, an error is a 2.
ANSWERING = frozenset(["verify"])


class ErrorBoundary(TyperGroup):
    """The commands, with a user's errors made one line and an exit code.

    Anything else that a command raises is a bug and shows its traceback. Ctrl-C ends
    with 130, which Typer sees to, `kill` with 143, and wrong usage or a value that makes no
    sense with 2.
    """

    def make_context(self, info_name, args, *more, **extra) -> Any:
        given = list(args)  # parsing uses the list up
        try:
            return super().make_context(info_name, args, *more, **extra)
        except UsageError as error:
            # Without arguments, the error is how Typer shows the help.
            if not given:
                raise
            refuse_usage(error)

    def invoke(self, ctx) -> Any:
        try:
            result = super().invoke(ctx)
            # Here, not at the interpreter's end, where a broken pipe could not be caught.
            sys.stdout.flush()
            return result
        except CvtoolError as error:
            console.complain(error)
            raise typer.Exit(2 if isinstance(error, OptionError) else failure(ctx)) from error
        except UsageError as error:
            refuse_usage(error)
        except BrokenPipeError:
            _abandon_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            # Our files' errors are OutputErrors; what has no name is stdout.
            if error.errno != errno.ENOSPC or error.filename is not None:
                raise
            _abandon_stdout()
            console.complain("stdout: no space left to write the results; make room")
            raise typer.Exit(failure(ctx)) from None
        except ImportError as error:
            if "shared object file" not in str(error):
                raise
            console.complain(
                f"{error}: a system library is missing; on Debian or Ubuntu, OpenCV's are "
                "installed by: apt install libgl1 libglib2.0-0"
            )
            raise typer.Exit(failure(ctx)) from error


def failure(ctx) -> int:
    """The exit code of an error in the command that runs."""
    return 2 if ctx.invoked_subcommand in ANSWERING else 1


def refuse_usage(error) -> NoReturn:
    """Wrong usage in one line, with the command whose help tells what is right."""
    command = error.ctx.command_path if error.ctx else "cvtool"
    message = error.format_message().rstrip(".")
    see = " See" if message.endswith("?") else "; see"
    console.complain(f"{message}{see}: {command} --help")
    raise typer.Exit(2) from error


app = typer.Typer(
    name="cvtool",
    cls=ErrorBoundary,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # The plain traceback is what a bug report needs.
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the version and stop, before a command is asked for."""
    if wanted:
        print(f"cvtool {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=show_version, help="Print the version and stop."
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Let the messages of TensorFlow and of the engines through."
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Never touch the network; CVTOOL_OFFLINE=1 does the same."),
    ] = False,
) -> None:
    """Computer vision at the command line, with models that ship in the package."""
    if offline:
        from cvtool.offline import no_network

        context.with_resource(no_network())
    if verbose:
        from cvtool.tensorflow_import import set_verbose

        set_verbose(True)


# In the order in which a newcomer meets them, which is the order of --help.
app.command()(detect)
app.command()(classify)
app.command()(segment)
app.command()(stylize)
app.command()(verify)
app.add_typer(faces_app)
app.command()(check)
app.command()(convert)
app.command()(finetune)
app.command()(evaluate)
app.command()(export)
app.command()(benchmark)
app.add_typer(models_app)
app.command()(visualise)
app.command()(demo)
app.command()(doctor)


def main() -> None:
    """Run the command line and exit; the entry point of `cvtool`."""
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding cannot show is no reason to stop.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Pillow's remarks on odd metadata; what matters becomes an error of ours.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    # `kill` and `timeout` end a command as Ctrl-C does, so that it tidies up after itself.
    signal.signal(signal.SIGTERM, _stop)
    app(prog_name="cvtool")


def _stop(number: int, frame: Any) -> NoReturn:
    sys.exit(128 + number)


def _abandon_stdout() -> None:
    # What is still buffered goes nowhere: flushing it at the end would fail again, aloud.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
