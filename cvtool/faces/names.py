"""People's names in a gallery: any text of one line, and data only."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from cvtool.errors import OptionError
from cvtool.models.near_names import near_names

# A longer one would make every table that it is in unreadable.
MOST_CHARACTERS = 200
# Control characters, halves of characters, and line ends other than \n.
_NO_TEXT = frozenset(["Cc", "Cs", "Zl", "Zp"])
# Of the invisible characters, those that names in Persian or Hindi are spelt with.
_JOINERS = "\u200c\u200d"


def checked_name(name: str) -> str:
    """A new person's name as a gallery keeps it, see `kept_name`.

    Raises:
        OptionError: as for `kept_name`, and where it has more than 200 characters or an invisible
            one, such as those that turn the direction of writing: two names that look the same
            would be two people.
    """
    name = kept_name(name)
    if len(name) > MOST_CHARACTERS:
        raise OptionError(
            f'"{name[:20]}...": a name of {len(name)} characters; give one of {MOST_CHARACTERS} '
            "at most"
        )
    if any(unicodedata.category(each) == "Cf" and each not in _JOINERS for each in name):
        raise OptionError(f"{ascii(name)}: a name cannot hold invisible characters; leave them out")
    return name


def kept_name(name: str) -> str:
    """A person's name as a gallery keeps it: Unicode NFC, without blanks around it.

    Any other character is data, be it a slash or a quote; upper and lower case differ.

    Raises:
        OptionError: nothing is left of it, or it holds what is no text.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name:
        raise OptionError('"": an empty name; give the person one')
    if not is_one_line(name):
        raise OptionError(f"{ascii(name)}: a name cannot hold control characters or line ends")
    return name


def is_one_line(value: object) -> bool:
    """Whether it is a text without control characters and line ends."""
    return isinstance(value, str) and not any(unicodedata.category(c) in _NO_TEXT for c in value)


def nobody(name: str, names: Sequence[str]) -> str:
    """That nobody of a gallery has a name, in words, with the nearest of those it has."""
    near = near_names(name, names)
    if near:
        return f'nobody is called "{name}"; did you mean {" or ".join(near)}?'
    return f'nobody is called "{name}"; cvtool faces list GALLERY shows who is there'
