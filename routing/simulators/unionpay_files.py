"""UnionPay's reconciliation files: GBK lines of fixed byte widths, packed for 76/01.  CHANNEL-PROTOCOLS 3.5."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Final

ZM_COLUMNS: Final = (
    # name           bytes
    ("tradeCode", 3), ("acqInsCode", 11), ("fwdInsCode", 11), ("traceNo", 6), ("traceTime", 10), ("accNo", 19),
    ("txnAmt", 12), ("mcc", 4), ("termType", 2), ("queryId", 21), ("payMode", 2), ("orderId", 32), ("payCardType", 2),
    ("origTraceNo", 6), ("origTraceTime", 10), ("fee", 13), ("settleAmt", 13), ("payType", 4), ("groupMerId", 15),
    ("txnType", 2), ("txnSubType", 2), ("bizType", 6), ("accType", 2), ("billType", 4), ("billNo", 32),
    ("interactMode", 1), ("origQryId", 21), ("merId", 15), ("splitMode", 1), ("subMerId", 15), ("subMerAbbr", 32),
    ("subMerSplitAmt", 13), ("netAmt", 13), ("termId", 8), ("reqReserved", 32), ("discountAmt", 13),
    ("invoiceAmt", 13), ("instalFee", 12), ("instalNum", 2), ("medium", 1), ("origOrderId", 32), ("reserved", 98),
)  # fmt: skip


def zm_line(values: Mapping[str, str]) -> bytes:
    """One line of the file of details: every field cut or filled to its bytes, a blank after each, CR LF at the end."""
    return b"".join([_field(values.get(name, ""), width) + b" " for name, width in ZM_COLUMNS]) + b"\r\n"


def _field(text: str, width: int) -> bytes:
    """GBK, cut between characters where it is too long."""
    raw = text.encode("gbk", "replace")[:width]
    return raw.decode("gbk", "ignore").encode("gbk").ljust(width)


def file_content(mer_id: str, settle_day: str, lines: list[bytes]) -> dict[str, str]:
    """fileName and fileContent of a settlement date (yymmdd): base64 of DEFLATE of a ZIP of details and (no) errors."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"INN{settle_day}88ZM_{mer_id}", b"".join(lines))
        archive.writestr(f"INN{settle_day}88ZME_{mer_id}", b"")
    return {"fileName": f"{mer_id}_20{settle_day}.zip", "fileContent": deflated(packed.getvalue())}


def deflated(content: bytes) -> str:
    """A file as `fileContent` holds it: base64 of DEFLATE."""
    return base64.b64encode(zlib.compress(content)).decode()
