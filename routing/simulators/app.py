"""Puts one simulator together from its configuration file and runs it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import uvloop

from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import choose
from gateway.kernel.rsa.crypto_mb import CryptoMbUnavailableError
from routing.simulators.alipay import AlipayChannel
from routing.simulators.alipay_account import read_account as read_alipay
from routing.simulators.books import Books
from routing.simulators.channel import Channel
from routing.simulators.qra import QraChannel
from routing.simulators.qra_account import read_account as read_qra
from routing.simulators.server import Simulator, serve
from routing.simulators.unionpay import UnionpayChannel
from routing.simulators.unionpay_account import read_account as read_unionpay
from routing.simulators.wechat import WechatChannel
from routing.simulators.wechat_account import read_account as read_wechat


def build_channel(name: str, config: dict[str, Any], books: Books) -> Channel:
    """The channel of that name.  Raises ValueError for an unknown one."""
    match name:
        case "wechat":
            return WechatChannel(read_wechat(config), books)
        case "alipay":
            return AlipayChannel(read_alipay(config), books)
        case "unionpay":
            return UnionpayChannel(read_unionpay(config), books)
        case "qra":
            return QraChannel(read_qra(config), books)
        case _:
            raise ValueError(f"there is no simulator for {name}")


def listen(host: str, port: int | None, fd: int | None) -> socket.socket:
    """The socket to serve on: an inherited one, or a new one bound to the port."""
    if fd is not None:
        return socket.socket(fileno=fd)
    if port is None:
        raise ValueError("a port or a file descriptor is needed")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def choose_way_to_sign() -> None:
    """As the gateway's settings say, and now: it takes a tenth of a second, which no first answer should wait for.

    Ends the process, with a sentence, where it cannot be as they say.
    """
    asked, library = os.environ.get("MASHANG_RSA", RsaChoice.AUTO), os.environ.get("MASHANG_CRYPTO_MB_LIBRARY")
    if asked not in set(RsaChoice):
        raise SystemExit(f"MASHANG_RSA is {' or '.join(RsaChoice)}, not {asked!r}.")
    try:
        choose(RsaChoice(asked), Path(library) if library else None)
    except CryptoMbUnavailableError as error:
        raise SystemExit(f"MASHANG_RSA=multibuffer cannot be kept to: {error}.") from None


def run(
    channel: str,
    config_path: Path,
    books_path: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    fd: int | None = None,
) -> None:
    """Serve one simulated channel until SIGTERM."""
    config = json.loads(config_path.read_text("utf-8"))
    books = Books(books_path)
    choose_way_to_sign()
    simulator = Simulator(build_channel(channel, config, books), books)
    uvloop.run(serve(simulator, books, listen(host, port, fd)))
