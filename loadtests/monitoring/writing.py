"""`make dashboards`: writes Grafana's JSON and the operator's PrometheusRule from their sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from loadtests.monitoring.grafana import document
from loadtests.monitoring.sources import FOLDER, dashboards, rule_files

OPERATOR_FILE: Final = Path("operator") / "prometheus-rules.yaml"
_HEAD: Final = "# Written by `make dashboards` from rules/*.yaml, for clusters with the Prometheus operator.\n"


def written() -> dict[Path, str]:
    """What the files are to hold, by their place under k8s/monitoring."""
    all_ = dashboards()
    files = {
        Path("dashboards") / f"{each.uid.removeprefix('mashang-')}.json": json.dumps(
            document(each, all_), indent=1, ensure_ascii=False
        )
        + "\n"
        for each in all_
    }
    files[OPERATOR_FILE] = _HEAD + yaml.safe_dump(_resource(), sort_keys=False, width=120, allow_unicode=True)
    return files


def _resource() -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "mashang", "labels": {"app.kubernetes.io/name": "mashang"}},
        "spec": {"groups": [group for file in rule_files().values() for group in file["groups"]]},
    }


def main() -> None:
    """Write them."""
    for place, text in written().items():
        (FOLDER / place).parent.mkdir(exist_ok=True)
        (FOLDER / place).write_text(text, encoding="utf-8")
        print(FOLDER.name + "/" + str(place))


if __name__ == "__main__":
    main()
