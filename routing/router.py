"""Chooses the channel account for a payment: who can take it, what the policy says, then the best expected value.

Eligibility, policy, health and prices say what there is to choose; this file has the order in which they count.  Given
the same state and the same sale it chooses the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol, TypeAlias

from routing.channels.base import Wallet
from routing.choice import Candidates, Choice, Scored, Why
from routing.counting import count_choice
from routing.eligibility import Book, Eligibility, Standings, Takings
from routing.policy.compiled import CompiledPolicy
from routing.policy.rules import OrderRule, PreferRule, SplitRule, Steer
from routing.policy.splits import Splits
from routing.sale import NO_ACCOUNTS, Cell, Method, Prices, Sale
from routing.scoring import VALUE, Bounds, Exploration, Weighed, drawn_value_fen, weigh

Picked: TypeAlias = tuple[Why, Scored]


class Policies(Protocol):
    """The policy in force (`PolicyBook`)."""

    @property
    def current(self) -> CompiledPolicy: ...


class Health(Standings, Protocol):
    """How accounts do, and whether one that was down may be tried by a payment."""

    def reserve_probe(self, cell: Cell) -> bool:
        """Reserve one of the few payments that a half-open circuit breaker lets through."""


class _Round(NamedTuple):
    """One decision.  It `commits` unless it only explains; a payment that failed elsewhere before is `retried`."""

    sale: Sale
    prices: Prices
    policy: CompiledPolicy
    worth_fen: float
    weighed: Weighed
    commits: bool
    retried: bool


class Router:
    """One per process."""

    def __init__(self, book: Book, policies: Policies, health: Health, takings: Takings) -> None:
        self._policies = policies
        self._health = health
        self._eligibility = Eligibility(book, health, takings)
        self._splits = Splits()
        self._exploration = Exploration()

    def takes(self, wallet: Wallet, method: Method, merchant_id: str) -> bool:
        """Whether an enabled account is set up for this, whatever the hour and its health."""
        return self._eligibility.takes(wallet, method, merchant_id)

    @property
    def tries_max(self) -> int:
        """Accounts that may be asked for one payment, by the policy in force."""
        return self._policies.current.tries_max

    def choose(
        self,
        sale: Sale,
        prices: Prices,
        *,
        without: frozenset[str] = NO_ACCOUNTS,
        payable_fen: int | None = None,
    ) -> Choice:
        """The account to charge now: turns of splits, exploration and probes are taken.

        Failing over, `without` has the accounts that were tried, and `payable_fen` what the customer agreed to pay.
        """
        choice = self._decide(sale, prices, without, payable_fen, commits=True)
        count_choice(choice)
        return choice

    def explain(self, sale: Sale, prices: Prices) -> Choice:
        """What `choose` would say now; nothing changes by it.  Accounts without the wallet or method are shown too."""
        choice = self._decide(sale, prices, NO_ACCOUNTS, None, commits=False)
        return choice._replace(candidates=choice.candidates.and_ruled_out(self._eligibility.others(sale)))

    def _decide(
        self, sale: Sale, prices: Prices, without: frozenset[str], payable_fen: int | None, *, commits: bool
    ) -> Choice:
        policy = self._policies.current
        guidance = policy.guide(sale)
        worth_fen = policy.success_value * sale.amount_fen
        bounds = Bounds(guidance.excluded, without, payable_fen)
        weighed = weigh(self._eligibility.pool(sale), sale, prices, worth_fen, bounds)
        round_ = _Round(sale, prices, policy, worth_fen, weighed, commits, retried=bool(without))
        picked = self._pick(round_, guidance.steer)
        why, scored = (Why.NONE, None) if picked is None else picked
        account = None if scored is None else scored[4]
        return Choice(
            account,
            why,
            Candidates(scored, weighed.able, weighed.ruled_out, weighed.half_open),
            policy.version,
            guidance.rules,
        )

    def _pick(self, round_: _Round, steer: Steer | None) -> Picked | None:
        """Who takes it.  Where nobody else can, an account that was down is tried, as far as its breaker lets it."""
        weighed = round_.weighed
        if weighed.best is None:
            return self._probe(round_, weighed.half_open)
        match steer:
            case None:
                picked = None
            case OrderRule():
                picked = self._by_order(round_, steer)
            case PreferRule():
                picked = self._by_preference(round_, steer, weighed.best)
            case SplitRule():
                picked = self._by_split(round_, steer)
        return picked or self._by_value(round_, weighed.best)

    def _by_value(self, round_: _Round, best: Scored) -> Picked:
        """The best value, but for the few sales that probe and explore; those never at the customer's expense."""
        weighed = round_.weighed
        if round_.retried or (len(weighed.able) == 1 and not weighed.half_open):
            return Why.BEST_VALUE, best
        if weighed.half_open:
            probe = self._probe(round_, _no_dearer(round_.prices, best, weighed.half_open))
            if probe is not None:
                return probe
        return self._explore(round_, best) or (Why.BEST_VALUE, best)

    def _by_order(self, round_: _Round, rule: OrderRule) -> Picked | None:
        """The first of the rule's accounts that can; None where none can."""
        able = {scored[4].id: scored for scored in round_.weighed.able}
        for account_id in rule.accounts:
            if account_id in able:
                return Why.ORDER, able[account_id]
            probe = self._probe_of(round_, {account_id})
            if probe is not None:
                return probe
        return None

    def _by_preference(self, round_: _Round, rule: PreferRule, best: Scored) -> Picked | None:
        """A preferred account unless its value is too far below the best; None where it is, or none can."""
        probe = self._probe_of(round_, rule.accounts, no_dearer_than=best)
        if probe is not None:
            return probe
        preferred = [scored for scored in round_.weighed.able if scored[4].id in rule.accounts]
        if not preferred:
            return None
        favourite = max(preferred, key=VALUE)
        is_near = favourite[0] >= best[0] - rule.margin_fen(round_.sale.amount_fen)
        return (Why.PREFERENCE, favourite) if is_near else None

    def _by_split(self, round_: _Round, rule: SplitRule) -> Picked | None:
        """Whose turn it is among the rule's accounts that can; None where none can."""
        probe = self._probe_of(round_, [account_id for account_id, _ in rule.weights])
        if probe is not None:
            return probe
        able = {scored[4].id: scored for scored in round_.weighed.able}
        turn = self._splits.choose if round_.commits else self._splits.foresee
        account_id = turn(rule, able)
        return None if account_id is None else (Why.SPLIT, able[account_id])

    def _probe_of(
        self, round_: _Round, account_ids: Collection[str], no_dearer_than: Scored | None = None
    ) -> Picked | None:
        """A probe of one of these accounts; a payment that has failed once is not risked again."""
        if round_.retried or not round_.weighed.half_open:
            return None
        half_open: Iterable[Scored] = [each for each in round_.weighed.half_open if each[4].id in account_ids]
        if no_dearer_than is not None:
            half_open = _no_dearer(round_.prices, no_dearer_than, half_open)
        return self._probe(round_, half_open)

    def _probe(self, round_: _Round, half_open: Iterable[Scored]) -> Picked | None:
        """The most valuable of these accounts that has a place for a probe."""
        sale = round_.sale
        for scored in sorted(half_open, key=VALUE, reverse=True):
            cell = Cell(scored[4].id, sale.wallet, sale.method)
            if not round_.commits or self._health.reserve_probe(cell):
                return Why.PROBE, scored
        return None

    def _explore(self, round_: _Round, best: Scored) -> Picked | None:
        """For some of the sales, the best by a draw from what is known of each account, as far as that may cost."""
        share, exploration = round_.policy.exploration, self._exploration
        drawn = self._drawn(round_, best) if exploration.is_due(round_.sale.seed, share) else best
        cost = (VALUE(best) - VALUE(drawn)) / round_.worth_fen
        explores = drawn is not best and exploration.affords(cost, share)
        if round_.commits:
            exploration.count(share, cost if explores else 0.0)
        return (Why.EXPLORING, drawn) if explores else None

    def _drawn(self, round_: _Round, best: Scored) -> Scored:
        """The highest value where each account's success is drawn from its posterior."""
        sale = round_.sale

        def drawn(scored: Scored) -> float:
            standing = self._health.standing(Cell(scored[4].id, sale.wallet, sale.method))
            return drawn_value_fen(scored, round_.worth_fen, standing.spread, sale.seed)

        return max(_no_dearer(round_.prices, best, round_.weighed.able), key=drawn)


def _no_dearer(prices: Prices, best: Scored, others: Iterable[Scored]) -> list[Scored]:
    """Those where the customer pays no more than on the best: nobody pays for what we want to know."""
    if not prices.on_account:
        return list(others)
    most_fen = prices.on(best[4].id).payable_fen
    return [scored for scored in others if prices.on(scored[4].id).payable_fen <= most_fen]
