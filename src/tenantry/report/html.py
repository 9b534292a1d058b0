"""A record as one HTML file for whoever reviews or audits it. It loads nothing and sends nothing.

The content security policy allows exactly the style and the script that are in the file, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from tenantry import __version__
from tenantry.counts import counted
from tenantry.finding import Proof, Review
from tenantry.report import layout
from tenantry.report.page import CONTEXTS, STATES, page

_MARKS = {
    "held": ("h", "held"), "breached": ("b", "breached"), "error": ("e", "no answer"), "skipped": ("s", "skipped"),
    "silent": ("e", "held, but no control fired"), "": ("n", "not made"),
}  # fmt: skip


def to_html(record: Proof | Review, attacks: Mapping[str, str]) -> str:
    """The whole file. ``attacks`` are names and what is lost when one is not refused."""
    view = page(record, attacks)
    notable = frozenset(
        name for name, state in view.states.items() if state in ("breached", "finding", "unknown")
    )
    drawing = layout.lay([place for place, _ in view.places], notable) if view.places else None
    return render(
        "page.html.jinja", page=view, drawing=drawing, states=STATES, contexts=CONTEXTS, marks=_MARKS
    )


def render(template: str, **values: object) -> str:
    """A whole file out of a template that extends the common shell."""
    style, script = _file("page.css"), _file("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704  (a file of this package)
            script=Markup(script),  # noqa: S704
            policy=policy,
            version=__version__,
            **values,
        )
    )


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "shown": shown,
        "cut": cut,
        "number": lambda n: f"{n:,}",
        "count": counted,
        "moment": moment,
    }
    found.globals["curve"] = curve
    return found


def _file(name: str) -> str:
    return resources.files("tenantry.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def shown(text: str) -> str:
    """A text whose characters that cannot be seen are escaped: a name may hold any, also those that turn the line around."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "replace").decode("ascii")
        for c in text
    )


def cut(text: str, width: int) -> str:
    """A text of at most so many columns; wide characters take two."""
    text = shown(text)
    used = 0
    for place, c in enumerate(text):
        used += 2 if unicodedata.east_asian_width(c) in "WF" else 1
        if used > width:
            return text[: max(place - 1, 0)] + "…"
    return text


def curve(edge: layout.Edge) -> str:
    """The path of an arrow: curves in the gaps between columns, straight where it passes a column."""
    (x, y), *rest = edge.corners
    path, around = f"M{x:g} {y:g}", len(rest) == 1 and rest[0][0] >= x
    for number, (x2, y2) in enumerate(rest):
        bow = 40 if around else (x2 - x) / 2
        back = bow if around else -bow
        path += f"L{x2:g} {y2:g}" if number % 2 else f"C{x + bow:g} {y:g} {x2 + back:g} {y2:g} {x2:g} {y2:g}"
        x, y = x2, y2
    return path


def moment(when: str) -> str:
    """An ISO 8601 time for people."""
    return when.replace("T", " ").replace("+00:00", " UTC")
