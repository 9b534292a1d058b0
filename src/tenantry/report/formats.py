"""A proof or a review in each of the formats that reports have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from typing import Any

from tenantry.finding import Proof, Review
from tenantry.report import findings, github, html, junit, proof, sarif
from tenantry.report.anchors import Anchors


class ReportFormat(StrEnum):
    """How a report is written."""

    text = "text"
    json = "json"
    sarif = "sarif"
    junit = "junit"
    github = "github"
    html = "html"


def write(record: Proof | Review, form: ReportFormat, anchors: Anchors, attacks: Mapping[str, str]) -> str:
    """A record in a format. ``attacks`` are the names of the attacks and what is lost when one is not refused."""
    match form:
        case ReportFormat.text:
            return findings.to_text(record) if isinstance(record, Review) else proof.to_text(record)
        case ReportFormat.json:
            return findings.to_json(record) if isinstance(record, Review) else proof.to_json(record)
        case ReportFormat.sarif:
            return sarif.to_sarif(record, anchors, attacks)
        case ReportFormat.junit:
            return junit.to_junit(record)
        case ReportFormat.github:
            return github.to_github(record, anchors)
        case ReportFormat.html:
            return html.to_html(record, attacks)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the reports in JSON."""
    text = resources.files("tenantry.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
