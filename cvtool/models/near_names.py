"""Say that a name is unknown, and which known names it may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def near_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like a mistyped one, nearest first; upper and lower case are alike."""
    by_folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=count, cutoff=0.6)
    return [by_folded[c] for c in close]


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """One line that says so, for example: unknown class "dgo"; did you mean dog?

    Args:
        kind: what the name should have named, in the singular: "model", "class".
        name: the name as given.
        known: the names there are, in the order in which to list them.
    """
    near = near_names(name, known)
    if near:
        return f'unknown {kind} "{name}"; did you mean {" or ".join(near)}?'
    if not known:
        return f'unknown {kind} "{name}"; there is none'
    return f'unknown {kind} "{name}"; choose from {", ".join(known)}'
