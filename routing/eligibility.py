"""Which accounts can take a sale at all, and why the others cannot.

What does not depend on the amount is worked out once per wallet, method and merchant (once for all the merchants that
have no accounts of their own), and again when the accounts change or one of them opens, closes or changes its fee.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from routing.accounts.book import Account, AccountStatus
from routing.accounts.fees import FeeRule
from routing.accounts.terms import BEGINNING, END
from routing.channels.base import Wallet
from routing.choice import Reason, RuledOut
from routing.health.standing import Standing
from routing.sale import Cell, Method, Sale

NO_BOUND: Final = 1 << 62
"""In fen: above all sums."""
_POOLS_MAX: Final = 5_000
_TIERS_MAX: Final = 256
_NOT_ENABLED: Final = {AccountStatus.DRAINING: Reason.DRAINING, AccountStatus.DISABLED: Reason.DISABLED}


class Book(Protocol):
    """The accounts; `version` rises whenever they have changed."""

    version: int

    def __iter__(self) -> Iterator[Account]: ...


class Standings(Protocol):
    """How accounts do (`Health`)."""

    def standing(self, cell: Cell) -> Standing:
        """The live standing of a cell, the same object for ever."""


class Taken(NamedTuple):
    """What an account has captured today and this month, in fen, as far as is known."""

    day_fen: int = 0
    month_fen: int = 0


class Takings(Protocol):
    """What accounts have captured (`Usage`); `version` rises whenever it is known anew."""

    version: int

    def taken(self, account_id: str) -> Taken:
        """The sums of one account."""


class Open(NamedTuple):
    """An account that is open for a pool's sales.  `rules` are its fees by ascending amounts."""

    account: Account
    standing: Standing
    rules: tuple[FeeRule, ...]


class Ceiling(NamedTuple):
    """The most that one payment can be, and why."""

    fen: int
    reason: Reason


class Row(NamedTuple):
    """What scoring reads of an open account for amounts of one tier: its bounds for a payment, its fee in numbers.

    `rules` are for a sale that costs another amount on this account than elsewhere; `ceilings` are the bounds of which
    `ceiling_fen` is the lowest, in the order in which they count as the reason.
    """

    account: Account
    account_id: str
    standing: Standing
    floor_fen: int
    ceiling_fen: int
    rate_millionths: int
    min_fen: int
    cap_fen: int
    rules: tuple[FeeRule, ...]
    ceilings: tuple[Ceiling, ...]


class Pool:
    """The accounts for one wallet, method and merchant, by priority and id; good from `since` until `until`.

    Amounts fall into tiers, within which every account has one rate.
    """

    __slots__ = ("_open", "_rows", "_takings", "_takings_version", "_tiers", "ruled_out", "since", "until")

    def __init__(
        self,
        accounts: Sequence[Open],
        ruled_out: Sequence[RuledOut],
        takings: Takings,
        settled: tuple[datetime, datetime],
    ) -> None:
        self._open = accounts
        self._takings = takings
        self._takings_version = -1
        self._tiers = sorted({rule.up_to_fen for each in accounts for rule in each.rules if rule.up_to_fen is not None})
        self._rows: dict[tuple[int, bool], list[Row]] = {}
        self.ruled_out = tuple(ruled_out)
        self.since, self.until = settled

    def rows(self, payable_fen: int, *, is_static_code: bool) -> Sequence[Row]:
        """The accounts that are open, with what they can take and charge for such an amount."""
        if self._takings_version != self._takings.version:
            self._takings_version = self._takings.version
            self._rows.clear()
        key = (bisect_left(self._tiers, payable_fen) if self._tiers else 0, is_static_code)
        rows = self._rows.get(key)
        if rows is None:
            if len(self._rows) >= _TIERS_MAX:
                self._rows.clear()
            rows = self._rows[key] = [self._row(each, payable_fen, is_static_code) for each in self._open]
        return rows

    def _row(self, each: Open, payable_fen: int, is_static_code: bool) -> Row:
        account, standing, rules = each
        rule = rule_for(rules, payable_fen)
        ceilings = tuple(self._ceilings(account, is_static_code))
        return Row(
            account=account,
            account_id=account.id,
            standing=standing,
            floor_fen=account.terms.limits.payment_min_fen,
            ceiling_fen=min((ceiling.fen for ceiling in ceilings), default=NO_BOUND),
            ceilings=ceilings,
            rate_millionths=rule.rate_millionths,
            min_fen=rule.min_fen,
            cap_fen=or_no_bound(rule.cap_fen),
            rules=rules,
        )

    def _ceilings(self, account: Account, is_static_code: bool) -> Iterator[Ceiling]:
        """As agreed, and as what was taken today and this month leaves room."""
        limits = account.terms.limits
        if limits.payment_max_fen is not None:
            yield Ceiling(limits.payment_max_fen, Reason.ABOVE_MAXIMUM)
        if is_static_code and limits.static_code_max_fen is not None:
            yield Ceiling(limits.static_code_max_fen, Reason.STATIC_CODE_LIMIT)
        if limits.day_fen is not None:
            yield Ceiling(limits.day_fen - self._takings.taken(account.id).day_fen, Reason.DAY_LIMIT)
        if limits.month_fen is not None:
            yield Ceiling(limits.month_fen - self._takings.taken(account.id).month_fen, Reason.MONTH_LIMIT)


def rule_for(rules: Sequence[FeeRule], payable_fen: int) -> FeeRule:
    """The rule for an amount, of a list that Fee.rules gives."""
    for rule in rules:
        if rule.up_to_fen is None or payable_fen <= rule.up_to_fen:
            return rule
    raise AssertionError("the last rule has no bound")


class Eligibility:
    """Keeps the pools.  One per process, for its router."""

    def __init__(self, book: Book, health: Standings, takings: Takings) -> None:
        self._book = book
        self._health = health
        self._takings = takings
        self._version = -1
        self._of_merchant: dict[str | None, list[Account]] = {}
        self._special: frozenset[str] = frozenset()
        self._pools: dict[tuple[str | None, Wallet, Method], Pool] = {}

    def pool(self, sale: Sale) -> Pool:
        """The accounts that a sale's wallet, method and merchant have, at its time."""
        if self._version != self._book.version:
            self._read_book()
        merchant_id = sale.merchant_id if sale.merchant_id in self._special else None
        key = (merchant_id, sale.wallet, sale.method)
        pool = self._pools.get(key)
        if pool is None or not pool.since <= sale.at < pool.until:
            if len(self._pools) >= _POOLS_MAX:
                self._pools.clear()
            pool = self._pools[key] = self._build(merchant_id, sale)
        return pool

    def takes(self, wallet: Wallet, method: Method, merchant_id: str) -> bool:
        """Whether an enabled account is set up for this, whatever the hour and its health."""
        if self._version != self._book.version:
            self._read_book()
        platform = (each for each in self._of_merchant.get(None, ()) if _serves(each, merchant_id))
        own = self._of_merchant.get(merchant_id, ())
        return any(_is_set_up(account, wallet, method) for accounts in (own, platform) for account in accounts)

    def others(self, sale: Sale) -> list[RuledOut]:
        """The merchant's and the platform's accounts that are not in the pool, for they lack the wallet or method."""
        found: list[RuledOut] = []
        for account in self._accounts(sale.merchant_id):
            if sale.wallet not in account.wallets:
                found.append((account, Reason.WALLET_NOT_TAKEN))
            elif not account.takes(sale.wallet, sale.method):
                found.append((account, Reason.METHOD_NOT_TAKEN))
        return found

    def _read_book(self) -> None:
        """Take the accounts over; the same accounts give the same order however they are listed."""
        of_merchant: dict[str | None, list[Account]] = defaultdict(list)
        special: set[str] = set()
        for account in sorted(self._book, key=lambda account: (account.priority, account.id)):
            of_merchant[account.merchant_id].append(account)
            special.update(account.terms.merchants or ())
        self._of_merchant = dict(of_merchant)
        self._special = frozenset(special).union(each for each in of_merchant if each is not None)
        self._pools.clear()
        self._version = self._book.version

    def _accounts(self, merchant_id: str | None) -> list[Account]:
        """The merchant's own and the platform's, by priority and id."""
        own = [] if merchant_id is None else self._of_merchant.get(merchant_id, [])
        both = own + self._of_merchant.get(None, [])
        return sorted(both, key=lambda account: (account.priority, account.id)) if own else both

    def _build(self, merchant_id: str | None, sale: Sale) -> Pool:
        accounts = [each for each in self._accounts(merchant_id) if each.takes(sale.wallet, sale.method)]
        has_own = any(each.merchant_id is not None and each.status is AccountStatus.ENABLED for each in accounts)
        able: list[Open] = []
        ruled_out: list[RuledOut] = []
        since, until = BEGINNING, END
        for account in accounts:
            settled = account.terms.settled(sale.at)
            since, until = max(since, settled[0]), min(until, settled[1])
            reason = _standing_reason(account, merchant_id, sale.at, has_own=has_own)
            if reason is None:
                standing = self._health.standing(Cell(account.id, sale.wallet, sale.method))
                able.append(Open(account, standing, account.terms.fee.rules(sale.wallet, sale.at)))
            else:
                ruled_out.append((account, reason))
        zone = sale.at.tzinfo  # times of one zone are compared in a fraction of the time
        return Pool(able, ruled_out, self._takings, (since.astimezone(zone), until.astimezone(zone)))


def _standing_reason(account: Account, merchant_id: str | None, at: datetime, *, has_own: bool) -> Reason | None:
    """Why an account takes nothing of this merchant at that time."""
    if account.status in _NOT_ENABLED:
        return _NOT_ENABLED[account.status]
    if not _serves(account, merchant_id):
        return Reason.OTHER_MERCHANT
    if has_own and account.merchant_id is None:
        return Reason.MERCHANT_HAS_OWN
    if account.terms.is_maintained(at):
        return Reason.MAINTENANCE
    return None if account.terms.is_open(at) else Reason.CLOSED_NOW


def _serves(account: Account, merchant_id: str | None) -> bool:
    """Whether the account's terms let that merchant use it; None is any merchant that no terms name."""
    return account.terms.merchants is None or merchant_id in account.terms.merchants


def _is_set_up(account: Account, wallet: Wallet, method: Method) -> bool:
    return account.status is AccountStatus.ENABLED and account.takes(wallet, method)


def or_no_bound(fen: int | None) -> int:
    """A bound as a plain number."""
    return NO_BOUND if fen is None else fen
