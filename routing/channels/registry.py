"""Opens a channel account: the one place that knows every kind of channel and the names of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from routing.channels.base import Channel, Transport
from routing.channels.settings import WECHAT_RHYTHM, SettingsReader, WechatSettings
from routing.channels.slots import BoundedTransport
from routing.channels.wechat import WechatChannel

API_V3_KEY_BYTES: Final = 32


def build_channel(kind: str, settings: Mapping[str, Any], transport: Transport) -> Channel:
    """Open an account of that kind.  Raises ChannelSettingsError naming the setting that is missing or wrong.

    The account borrows the transport: it bounds its own calls, and whoever opened the transport closes it.
    """
    reader = SettingsReader(kind, settings)
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise reader.error("kind", f"must be one of {', '.join(_BUILDERS)}")
    limits = reader.limits()
    bounded = BoundedTransport(
        transport, calls_max=limits.calls_max, waiting_max=limits.waiting_max, wait_s=limits.wait_s
    )
    return builder(reader, bounded)


def _wechat(reader: SettingsReader, transport: Transport) -> Channel:
    settings = WechatSettings(
        base_url=reader.url("base_url"),
        mchid=reader.word("mchid"),
        appid=reader.word("appid"),
        merchant_serial=reader.word("merchant_serial"),
        merchant_private_key_pem=reader.private_key("merchant_private_key_pem"),
        api_v3_key=reader.text("api_v3_key"),
        platform_public_keys=reader.public_keys("platform_public_keys"),
        rhythm=reader.rhythm(WECHAT_RHYTHM),
    )
    if len(settings.api_v3_key.encode()) != API_V3_KEY_BYTES:
        raise reader.error("api_v3_key", "must be 32 bytes long")
    return WechatChannel(settings, transport)


_BUILDERS: Final[dict[str, Callable[[SettingsReader, Transport], Channel]]] = {"wechat": _wechat}
