"""`mashang risk cases import-labels`: a file is read to its end before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from gateway.commandline.admin import AdminTarget
from gateway.commandline.risk.labels import import_labels
from gateway.processes.errors import StackError

_PAYMENT: Final = "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("payment_id,fraud\n" + f"{_PAYMENT},1\n" * 600 + "pay_x,1\n", "line 602: “payment_id”"),
        (f"payment_id,fraud,source\n{_PAYMENT},1,somebody\n", "line 2: “source”"),
        (f"payment_id,fraud,known_at\n{_PAYMENT},1,yesterday\n", "line 2: “known_at”"),
        (f"payment_id,fraud,note\n{_PAYMENT},1,{'x' * 501}\n", "line 2: “note”"),
    ],
)
def test_a_row_that_the_api_would_refuse_is_told_by_its_line_before_anything_is_sent(
    tmp_path: Path, content: str, told: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    nobody = AdminTarget(None, tmp_path)
    with pytest.raises(StackError, match=told):
        import_labels(nobody, file, "other", "disputes", as_json=True)


def test_a_file_without_a_wrong_line_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASHANG_ADMIN_TOKEN", raising=False)
    file = tmp_path / "labels.csv"
    file.write_text(f"payment_id,fraud,source,note,known_at\n{_PAYMENT},1,chargeback,late,2026-11-20T08:00:00+08:00\n")
    with pytest.raises(StackError, match="make run"):
        import_labels(AdminTarget(None, tmp_path), file, "other", "disputes", as_json=True)
