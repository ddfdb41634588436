"""Who acts around an SDK: customers who scan, open pages and pay, and the merchant's server, which is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sdk.harness import Counter, until
from tests.support.receivers import Received, Receiver

CAME_BACK_TO = "https://shop.example/pay"
"""The page that a wallet's authorisation sends the browser back to."""


def openid_of(counter: Counter, payer: str) -> str:
    """WeChat's id of a customer, who opens the merchant's page in WeChat."""
    settings, browser = counter.settings, counter.simulators.client
    asked = {"appid": settings["appid"], "redirect_uri": CAME_BACK_TO, "response_type": "code"}
    sent_back = browser.get(settings["oauth_url"], params=asked | {"scope": "snsapi_base", "payer": payer})
    redeemed = {"appid": settings["appid"], "secret": settings["app_secret"], "code": _query(sent_back, "code")}
    answer = browser.get(settings["token_url"], params=redeemed | {"grant_type": "authorization_code"})
    return str(answer.json()["openid"])


def alipay_code_of(counter: Counter, payer: str) -> str:
    """The code that Alipay's authorisation page hands over when a customer opens the merchant's page."""
    settings = counter.settings
    asked = {"app_id": settings["app_id"], "redirect_uri": CAME_BACK_TO, "scope": "auth_base", "payer": payer}
    return _query(counter.simulators.client.get(settings["oauth_url"], params=asked), "auth_code")


def _query(sent_back: Any, name: str) -> str:
    assert sent_back.status_code == 302, sent_back.text
    assert sent_back.headers["location"].startswith(CAME_BACK_TO)
    return parse_qs(urlsplit(sent_back.headers["location"]).query)[name][0]


def wechat_call_up(counter: Counter, prepay_id: str, signature: str, timestamp: str, nonce: str) -> dict[str, Any]:
    """What the page hands to WeChat to have an order paid."""
    return {
        "appId": counter.settings["appid"],
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": f"prepay_id={prepay_id}",
        "signType": "RSA",
        "paySign": signature,
    }


def at_the_bridge(counter: Counter, what: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the wallet's in-page bridge makes of it: `open` and `pay` (WeChat), `trade` (Alipay)."""
    url = f"{counter.simulators.base_urls[counter.channel]}/_simulator/bridge/{what}"
    answer: dict[str, Any] = counter.simulators.client.post(url, json=asked).json()
    return answer


@dataclass(frozen=True, slots=True)
class Server:
    """The merchant's server; every order or refund has an address of its own there."""

    counter: Counter
    receiver: Receiver

    def address(self, number: str) -> str:
        """The notification address of an order or refund."""
        return f"http://127.0.0.1:{self.receiver.port}/{number}"

    def told(self, number: str, place: int = 0) -> Received:
        """The first message that came there by itself, or a later one."""
        came = until(lambda: self._at(number), lambda found: len(found) > place)
        assert len(came) > place, f"{len(came)} messages came for {number}"
        message: Received = came[place]
        return message

    def sent_again(self, number: str, order_no: str, kind: str = "payment", **how: Any) -> Received:
        """What comes there when the channel sends the order's notification once more, with something wrong or not."""
        notification_id = self._notification_id(order_no, kind)
        url = f"{self.counter.simulators.base_urls[self.counter.channel]}/_simulator/notifications/{notification_id}"
        already = len(self._at(number))
        answer = self.counter.simulators.client.post(f"{url}/resend", json=how)
        assert answer.status_code == 200, answer.text
        return self.told(number, already)

    def _at(self, number: str) -> list[Received]:
        return [message for message in tuple(self.receiver.received) if message.path == f"/{number}"]

    def _notification_id(self, order_no: str, kind: str) -> str:
        url = f"{self.counter.simulators.base_urls[self.counter.channel]}/_simulator/notifications"
        listed = self.counter.simulators.client.get(url, params={"order_no": order_no}).json()["notifications"]
        return str(next(found["id"] for found in listed if found["kind"] == kind))


def form_of(message: Received) -> str:
    """The body of a notification that is a form."""
    return message.body.decode("ascii")


def document_of(message: Received) -> dict[str, Any]:
    """Headers and body as an SDK's `callback` takes them."""
    return {"headers": dict(message.headers), "body": message.body.decode()}
