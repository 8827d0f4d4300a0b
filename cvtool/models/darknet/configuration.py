"""Read a Darknet configuration: sections of options, without knowing what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from cvtool.errors import ModelError

# Darknet's own short forms.
ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool"}


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a configuration, such as a layer.

    Attributes:
        kind: its name without brackets, short forms written out.
        line: where it begins, from 1.
        options: by name, the value as text and its line. Of an option given twice the first
            counts, as in Darknet.
        source: the configuration's name, for errors.
    """

    kind: str
    line: int
    options: Mapping[str, tuple[str, int]]
    source: str

    def refuse(self, message: str, option: str | None = None) -> NoReturn:
        """Raise the ModelError that names the line of an option or, without one, the section's."""
        line = self.options[option][1] if option in self.options else self.line
        raise ModelError(f"{self.source}, line {line}: {message}")

    def word(self, option: str, default: str = "") -> str:
        """An option's text."""
        return self.options[option][0] if option in self.options else default

    def number(self, option: str, default: float, *, least: float | None = None) -> float:
        """An option's number, at least `least`."""
        return self._numbers(option, self.word(option, repr(default)), least)[0]

    def numbers(self, option: str) -> tuple[float, ...]:
        """An option's numbers, separated by commas; empty where it is not given."""
        text = self.word(option).strip(",")
        return self._numbers(option, text, None, several=True) if text else ()

    def integer(self, option: str, default: int, *, least: int | None = None) -> int:
        """An option's whole number, at least `least`."""
        return self._integer(option, self.number(option, default, least=least))

    def integers(self, option: str) -> tuple[int, ...]:
        """An option's whole numbers, separated by commas; empty where it is not given."""
        return tuple(self._integer(option, number) for number in self.numbers(option))

    def _numbers(self, option, text, least, *, several=False):
        wanted = "numbers" if several else "a number"
        try:
            values = tuple(float(part) for part in text.split(","))
        except ValueError:
            self.refuse(f"{option}={text} in [{self.kind}] should be {wanted}", option)
        if not several and len(values) > 1 or not all(abs(value) < 1e9 for value in values):
            self.refuse(f"{option}={text} in [{self.kind}] should be {wanted}", option)
        if least is not None and values[0] < least:
            self.refuse(f"{option}={text} in [{self.kind}] should be at least {least}", option)
        return values

    def _integer(self, option, number):
        if number != int(number):
            self.refuse(
                f"{option}={self.word(option)} in [{self.kind}] should be a whole number", option
            )
        return int(number)


def parse_configuration(text: str, source: str = "configuration") -> list[Section]:
    """The sections of a Darknet configuration, in their order; the first one is [net].

    What stands after # or ; is left out. Spaces do not matter.

    Args:
        text: the content of a .cfg file.
        source: its name, for errors.
    Raises:
        ModelError: no configuration, or a line that is neither section nor option; it names
            the line.
    """
    sections: list[Section] = []
    for line, content in enumerate(text.splitlines(), 1):
        content = "".join(content.split("#")[0].split(";")[0].split())
        if not content:
            continue
        if content.startswith("[") and content.endswith("]"):
            kind = content[1:-1].lower()
            sections.append(Section(ALIASES.get(kind, kind), line, {}, source))
            continue
        option, equals, value = content.partition("=")
        if not sections or not equals or not option:
            shown = content[:40] if content.isprintable() else "these bytes"
            what = "an option before the first section" if equals else "no section and no option"
            raise ModelError(
                f"{source}, line {line}: {shown} is {what}; give the .cfg file of a Darknet network"
            )
        sections[-1].options.setdefault(option, (value, line))
    if not sections:
        raise ModelError(f"{source}: empty; give the .cfg file of a Darknet network")
    if sections[0].kind != "net":
        sections[0].refuse(f"the first section is [{sections[0].kind}], not [net]")
    return sections
