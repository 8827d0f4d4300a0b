"""How every recipe starts and, if it must, ends with one line."""

from __future__ import annotations

import sys

from cvtool.errors import CvtoolError


def run_main(main):
    """Call a recipe's `main`; under torch, with layers that are fast on a CPU.

    Raises:
        SystemExit: it failed, with the reason; or it was interrupted.
    """
    # Not for recipes that do without Keras, which takes seconds to import.
    if "keras" in sys.modules:
        from torch_on_cpu import use_fast_layers

        use_fast_layers()
    try:
        main()
    except CvtoolError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; start the same command again to go on", file=sys.stderr)
        sys.exit(130)
