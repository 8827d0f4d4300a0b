"""What is on an HTML page, for the tests of reports."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What is on a page; fails where tags are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.images, self.headings, self.words = [], [], [], [], []
        self.links = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self.links += [attributes[k] for k in ("href", "src", "srcset") if k in attributes]
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)
        if self.open[-1:] != ["style"]:
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())
