"""The channel adapters: one protocol (base), three error kinds, a few files for each wallet's wire protocol.

base.py        what every channel offers and the three kinds of error
registry.py    a channel from its kind and its settings (settings.py)
codes.py       which wallet issued a payment code; facts.py what each kind of channel can do
transport.py   the way out: pooled connections (connection.py), bounded waits (slots.py), nothing sent twice
wire.py        what the adapters share in writing requests and judging answers; rsa.py the keys;
               statement_files.py what WeChat Pay and Alipay share in reading files

wechat.py      WeChat Pay APIv3           wechat_codes.py     wechat_signing.py
    wechat_calls.py (one signed call), wechat_answers.py (JSON to reports), wechat_notifications.py,
    wechat_payers.py (who pays in a page), wechat_statements.py
alipay.py      Alipay gateway.do          alipay_codes.py     alipay_signing.py
    alipay_calls.py (one signed call), alipay_answers.py (nodes to reports), alipay_notifications.py,
    alipay_payers.py (who pays in a page), alipay_statements.py
unionpay.py    UnionPay ACP 5.1.0         unionpay_codes.py   unionpay_signing.py
    unionpay_calls.py (one signed call), unionpay_answers.py (fields to reports), unionpay_notifications.py,
    unionpay_files.py (statements)
qra.py         UnionPay's bar-code front  qra_codes.py        qra_signing.py
    qra_calls.py (one signed call), qra_xml.py (its bodies), qra_answers.py (fields to reports), qra_notifications.py
"""
