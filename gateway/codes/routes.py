"""Which channel account has a page's payer: chosen when he is sent to be identified, and kept while it can take him.

A payer's id is good at the account that asked for it, so another account means another trip to the wallet.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from gateway.codes.targets import Target
from gateway.codes.visits import Visitor
from gateway.http.services import Services
from gateway.kernel.failures import FailureCode
from gateway.payments.turns import sale_on_page, zone
from routing.accounts.book import Account
from routing.channels.base import Wallet
from routing.choice import MOMENTARY, Candidate, Reason
from routing.sale import Method, Prices, Sale

_USUAL_FEN: Final = 1_000
"""What a customer is taken to pay who has not typed it yet: hardly a limit is below, or a minimum above it."""
_OF_AMOUNTS: Final = frozenset(
    {
        Reason.BELOW_MINIMUM,
        Reason.ABOVE_MAXIMUM,
        Reason.STATIC_CODE_LIMIT,
        Reason.DAY_LIMIT,
        Reason.MONTH_LIMIT,
    }
)


class Destination(NamedTuple):
    """Where a payer is sent; without an account, whether one can be there again in a moment."""

    account: Account | None
    is_momentary: bool = False


def destination(services: Services, target: Target, wallet: Wallet, seed: str) -> Destination:
    """The account for somebody who is to be identified: the open order's while it is this wallet's, else the router's.

    `seed` makes the router's draws repeatable.  Turns of its splits and probes are taken by this.
    """
    current = _of_open_order(services, target, wallet)
    if current is not None:
        return Destination(current)
    sale = _sale_of(target, wallet, seed)
    choice = services.router.choose(sale, Prices.full(sale.amount_fen))
    return Destination(choice.account, choice.is_momentary)


def keeps(services: Services, target: Target, visitor: Visitor) -> Account | None:
    """The account that has identified a visitor, while it can take him; None where he has to go to another one."""
    current = _of_open_order(services, target, visitor.wallet)
    if current is not None:
        return current if current.id == visitor.account_id else None
    candidate = _candidate(services, visitor, _sale_of(target, visitor.wallet, target.token))
    return candidate.account if candidate is not None and candidate.reason is None else None


def refusal_of_typed(services: Services, target: Target, visitor: Visitor, amount_fen: int) -> FailureCode | None:
    """Why the visitor's account does not take what he has typed at a static code; None where it does.

    Its health is none of the reasons here: whether it answers is seen when it is asked.
    """
    candidate = _candidate(services, visitor, _sale_of(target, visitor.wallet, target.token, amount_fen))
    reason = Reason.DISABLED if candidate is None else candidate.reason
    if reason is None or reason in MOMENTARY:
        return None
    return FailureCode.LIMIT_EXCEEDED if reason in _OF_AMOUNTS else FailureCode.NO_CHANNEL


def _candidate(services: Services, visitor: Visitor, sale: Sale) -> Candidate | None:
    """The visitor's account, as the router sees it for this sale."""
    candidates = services.router.explain(sale, Prices.full(sale.amount_fen)).candidates
    return next((each for each in candidates if each.account.id == visitor.account_id), None)


def _of_open_order(services: Services, target: Target, wallet: Wallet) -> Account | None:
    """Its payer comes back to it, and whoever else of that wallet scans the code sees the same."""
    payment = target.payment
    if payment is None or not payment.has_open_attempt or payment.wallet != wallet:
        return None
    return services.accounts.get(payment.account_id or "")


def _sale_of(target: Target, wallet: Wallet, seed: str, typed_fen: int = _USUAL_FEN) -> Sale:
    """The sale as far as it is known: the customer may not have typed the amount yet."""
    if target.payment is not None:
        return sale_on_page(target.payment, wallet, target.shop.timezone)
    code, price = target.code, target.price
    return Sale(
        seed=seed,
        merchant_id=target.shop.id,
        amount_fen=typed_fen if price is None else price.amount_fen,
        wallet=wallet,
        method=Method.PAGE,
        at=datetime.now(zone(target.shop.timezone)),
        store_id=None if code is None else code.store_id,
        terminal_id=None if code is None else code.terminal_id,
        operator_id=None if code is None else code.operator_id,
        is_static_code=True,
    )
