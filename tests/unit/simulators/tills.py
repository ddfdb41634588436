"""The four tills by the account that they pay to."""

from __future__ import annotations

from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.qra_till import QraTill
from tests.unit.simulators.till import Till
from tests.unit.simulators.unionpay_till import UnionpayTill
from tests.unit.simulators.wechat_till import WechatTill

TILLS: dict[str, type[Till]] = {
    "wechat_direct": WechatTill,
    "alipay_direct": AlipayTill,
    "unionpay_direct": UnionpayTill,
    "unionpay_keyed": UnionpayTill,
    "unionpay_front": QraTill,
}
