"""The channel adapters: one protocol (base), three error kinds, one file for each wallet's wire protocol.

base.py            what every channel offers and the three kinds of error
transport.py       the one HTTP client of the hot path, behind a small interface
codes.py           which wallet issued a payment code
wechat.py          WeChat Pay APIv3            alipay.py    Alipay OpenAPI (gateway.do)
unionpay.py        UnionPay QR (ACP 5.1.0)     registry.py  a channel from its kind and its settings
"""
