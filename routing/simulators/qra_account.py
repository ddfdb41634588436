"""The front simulator's configuration: one merchant with its key, the key after a rotation, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routing.simulators.qra_signing import md5_verifies


@dataclass(frozen=True, slots=True)
class QraSettings:
    """Switches of the simulator.

    `order_open_s` is for codes without time_expire; `reverse_within_s` how long a bar code order can be reversed;
    `notify_retry_s` are the waits after each try that was not acknowledged.  None of the three is documented for the
    front: the first two are WeChat's, the waits those of other houses that run the same dialect.
    """

    refund_interval_s: float = 0.0
    refund_count_max: int = 50
    refund_settles_after_s: float = 0.5
    order_open_s: float = 7_200.0
    reverse_within_s: float = 7 * 86_400.0
    notify_first_s: float = 0.0
    notify_timeout_s: float = 5.0
    notify_retry_s: tuple[float, ...] = (15, 15, 30, 180, 1_800, 1_800, 1_800, 1_800, 3_600)


@dataclass(frozen=True, slots=True)
class QraAccount:
    """One merchant of the front: the key as it stands, then the next one."""

    mch_id: str
    keys: tuple[str, ...] = field(repr=False)
    settings: QraSettings = field(default_factory=QraSettings)

    def key(self, *, after_rotation: bool = False) -> str:
        """The key as it stands now, or the next."""
        return self.keys[-1 if after_rotation else 0]

    def proving_key(self, fields: Mapping[str, str]) -> str | None:
        """The key under which a request was signed; None where there is none."""
        return next((key for key in self.keys if md5_verifies(key, fields)), None)


def read_account(config: Mapping[str, Any]) -> QraAccount:
    """The account that a configuration file describes.  Raises KeyError or TypeError."""
    settings = dict(config.get("settings", {}))
    if "notify_retry_s" in settings:
        settings["notify_retry_s"] = tuple(settings["notify_retry_s"])
    keys = tuple([config[name] for name in ("key", "next_key") if name in config])
    return QraAccount(config["mch_id"], keys, QraSettings(**settings))
