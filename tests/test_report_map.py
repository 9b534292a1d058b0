"""The map of tables: everybody is on it once, nothing overlaps, and any graph of foreign keys is drawn."""

import re
from itertools import pairwise
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.finding import Place
from tenantry.report.anchors import Anchors
from tenantry.report.formats import ReportFormat, write
from tenantry.report.layout import FEW, NAMED, Map, lay
from tests import report_samples as samples

pytestmark = pytest.mark.pg(">=18")  # pure: the same for every server


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Place, ...]:
    """Any foreign keys at all: circles, oneself, tables that are not on the map."""
    count = draw(st.sampled_from([1, 2, 5, 20, FEW, FEW + 1, 100, NAMED + 1]))
    chance = draw(st.randoms(use_true_random=False))
    many = draw(st.sampled_from([0, 1, 3]))
    return tuple(
        Place(
            f"t{n}",
            "tenant",
            tuple(f"t{chance.randrange(count + 1)}" for _ in range(chance.randint(0, many))),
        )
        for n in range(count)
    )


def overlaps(drawn: Map) -> list[tuple[str, str]]:
    boxes = sorted(drawn.nodes, key=lambda n: n.x)
    return [
        (a.name, b.name)
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
    ]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_table_is_drawn_once_and_apart(places: tuple[Place, ...]) -> None:
    drawn = lay(places)
    assert sorted(n.name for n in drawn.nodes) == sorted(p.name for p in places)
    assert overlaps(drawn) == []
    assert all(
        n.x >= 0 and n.x + n.width <= drawn.width and n.y + n.height <= drawn.height for n in drawn.nodes
    )
    assert lay(tuple(reversed(places))) == drawn  # the order of the catalog does not matter
    for a, b in ((a, b) for a in drawn.groups for b in drawn.groups if a is not b):
        assert a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_arrows_are_the_foreign_keys_and_pass_no_table(places: tuple[Place, ...]) -> None:
    drawn = lay(places)
    names = {p.name for p in places}
    keys = {(p.name, r) for p in places for r in p.references if r in names - {p.name} - {*drawn.hubs}}
    if len(places) > FEW:
        assert drawn.edges == ()
        return
    assert {(e.child, e.parent) for e in drawn.edges} == keys
    at = {n.name: n for n in drawn.nodes}
    for edge in drawn.edges:
        if at[edge.parent].x >= at[edge.child].x:
            continue  # closes a circle: it goes around
        assert edge.corners[0][0] == at[edge.child].x
        for (x1, y), (x2, y2) in list(pairwise(edge.corners))[1::2]:
            assert y == y2
            assert not [
                n for n in drawn.nodes if n.y < y < n.y + n.height and n.x < x1 and x2 < n.x + n.width
            ]


def test_a_chain_goes_from_left_to_right() -> None:
    drawn = lay([Place("a", "", ("b",)), Place("b", "", ("c",)), Place("c", "", ())])
    assert [n.name for n in sorted(drawn.nodes, key=lambda n: -n.x)] == ["a", "b", "c"]


def test_a_table_to_which_most_refer_has_no_arrows() -> None:
    assert lay(samples.places(9)).hubs == ("tenants",)
    assert "tenants" not in {e.parent for e in lay(samples.places(9)).edges}


@pytest.mark.parametrize("count", [100, 1000])
def test_what_did_not_hold_is_not_hidden_in_a_box_of_many(count: int) -> None:
    places = samples.places(count)
    quiet, marked = lay(places), lay(places, frozenset({"tenants"}))
    (box,) = [g for g in quiet.groups if "tenants" in g.members]
    assert box.title in ("not connected", "small groups")
    assert [g.title for g in marked.groups if "tenants" in g.members] == ["tenants"]
    assert marked.groups[0].title == "tenants"


@pytest.mark.parametrize("count", [3, 45, 150, 1000])
def test_the_drawing_is_a_picture_with_words(count: int) -> None:
    page = write(samples.breached(count), ReportFormat.html, Anchors(), samples.WHY)
    (svg,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    root = Xml.fromstring(svg)
    marks = [
        (g.get("class"), g.findtext("title") or "", "".join(t.text or "" for t in g.iter("text"))[:1])
        for g in root.iter("g")
    ]
    assert len(marks) == max(count, 3)
    assert ("k-finding", "invoices: a finding at error level", "!") in marks or count == 3
    assert {mark for state, _, mark in marks if state == "k-held"} == {"✓"}
