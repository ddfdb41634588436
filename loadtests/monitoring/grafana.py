"""Dashboard sources made Grafana JSON: panels on the grid of 24, with links to run-books and other dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loadtests.monitoring.sources import Dashboard, Panel, Query

SCHEMA_VERSION: Final = 39
"""Grafana 10.4's; later ones migrate it when they load it."""
COLUMNS: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_HEIGHTS: Final = {"stat": 4, "lines": 8, "stacked": 8, "bars": 8}
_TYPES: Final = {"stat": "stat", "lines": "timeseries", "stacked": "timeseries", "bars": "bargauge"}
_HUES: Final = {"grey": "#8a8a8a"}
"""Of colours that Grafana's palette has no name for."""
RUNBOOKS: Final = "${runbooks}"
"""A variable of the dashboard: where docs/runbooks is read."""


def document(dashboard: Dashboard, all_: Sequence[Dashboard]) -> dict[str, Any]:
    """What Grafana's provisioning reads from a file."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["mashang"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "links": [_link(other.title, f"/d/{other.uid}") for other in all_ if other.uid != dashboard.uid],
        "panels": _panels(dashboard),
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}},
        {
            "name": "runbooks",
            "label": "Run-books at",
            "type": "textbox",
            "query": "/runbooks",
            "current": {"text": "/runbooks", "value": "/runbooks"},
        },
    ]


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "type": "link", "url": url, "keepTime": True, "includeVars": True, "targetBlank": False}


def _panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    top = 0
    for row in dashboard.rows:
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
                "panels": [],
            }
        )
        top += 1
        for line in _lines(row.panels):
            left, height = 0, max(_HEIGHTS[panel.kind] for panel in line)
            for panel in line:
                made.append(_panel(panel, len(made) + 1, {"x": left, "y": top, "w": panel.width, "h": height}))
                left += panel.width
            top += height
    return made


def _lines(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Those that stand beside each other."""
    lines: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(each.width for each in lines[-1]) + panel.width > COLUMNS:
            lines.append([])
        lines[-1].append(panel)
    return lines


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": _TYPES[panel.kind],
        "title": panel.title,
        "description": panel.help,
        "datasource": _SOURCE,
        "gridPos": place,
        "links": _links(panel),
        "targets": [_target(panel, at, query) for at, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
    }


def _target(panel: Panel, at: int, query: Query) -> dict[str, Any]:
    at_once = panel.kind == "bars"
    return {
        "refId": chr(ord("A") + at),
        "datasource": _SOURCE,
        "expr": query.expr.strip(),
        "legendFormat": query.legend or panel.title,
        "range": not at_once,
        "instant": at_once,
    }


def _links(panel: Panel) -> list[dict[str, Any]]:
    links = []
    if panel.runbook is not None:
        links.append({"title": "What to do", "url": f"{RUNBOOKS}/{panel.runbook}.md", "targetBlank": True})
    if panel.dashboard is not None:
        links.append({"title": "More of it", "url": f"/d/{panel.dashboard}?${{__url_time_range}}"})
    return links


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": panel.below, "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.steps]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": "none",
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind in {"stat", "bars"} else "palette-classic"},
        "mappings": [{"type": "value", "options": {key: {"text": word} for key, word in panel.words.items()}}]
        if panel.words
        else [],
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.floor is not None:
        defaults["min"] = panel.floor
    if panel.kind in {"lines", "stacked"}:
        defaults["custom"] = _drawn(panel)
    return defaults


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": _HUES.get(colour, colour)}}],
        }
        for name, colour in panel.colours.items()
    ]


def _drawn(panel: Panel) -> dict[str, Any]:
    is_stacked = panel.kind == "stacked"
    return {
        "lineWidth": 1 if is_stacked else 2,
        "fillOpacity": 60 if is_stacked else 0,
        "showPoints": "never",
        "stacking": {"mode": "normal" if is_stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        is_named = any("{{" in query.legend for query in panel.queries)
        return {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "colorMode": "background",
            "graphMode": "none" if is_named else "area",
            "textMode": "name" if is_named else "value",
        }
    if panel.kind == "bars":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "basic"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
