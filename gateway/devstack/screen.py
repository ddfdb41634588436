"""What the person at the terminal sees: each step as it goes, then the payments taken and the addresses to open."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from gateway.devstack.demo import DemoPayment

_COLUMNS: Final[dict[str, Callable[[DemoPayment], str]]] = {
    "wallet": lambda payment: payment.wallet,
    "amount": lambda payment: yuan(payment.amount_fen),
    "discount": lambda payment: yuan(payment.discount_fen),
    "payable": lambda payment: yuan(payment.payable_fen),
    "status": lambda payment: f"{payment.status} {payment.failure}".strip(),
    "risk": lambda payment: payment.risk,
    "channel": lambda payment: payment.channel,
    "channel trade no": lambda payment: payment.channel_trade_no,
    "ms": lambda payment: f"{payment.took_ms:.0f}",
}
_NUMBERS: Final = frozenset({"amount", "discount", "payable", "ms"})


class Screen:
    """Spinners and colours in a terminal, plain lines anywhere else."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True, width=200)

    def say(self, text: str) -> None:
        """One line, shown as it is: nothing in it is taken for markup."""
        self._console.print(text, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show what is going on, and how long it took."""
        started = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(f"{title} …"):
                yield
        else:
            yield
        self._console.print(f"  {title:<44} {time.monotonic() - started:6.2f} s", markup=False)

    def show_payments(self, payments: list[DemoPayment]) -> None:
        """The demo payments as a table; amounts in yuan."""
        self._show("The first payments", _COLUMNS, payments)

    def show_hunting(self, payments: list[DemoPayment], options: str) -> None:
        """The risk rules at work: accounts on one phone, of which the last one pays its full price; and the rules."""
        headings = ("wallet", "amount", "discount", "payable", "status", "risk")
        self._show("At the kiosk: three new accounts on one phone, one too many", headings, payments)
        was_refused = not payments[-1].discount_fen  # features that come too late refuse nothing
        self.say(f"\n  The risk rules{' let the last one pay, and refuse its discount' if was_refused else ''}:\n")
        for command in ("rules show", "packs list"):
            self.say(f"  {program()} risk {command}{options if command == 'rules show' else ''}")

    def _show(self, title: str, headings: Iterable[str], payments: list[DemoPayment]) -> None:
        chosen = {heading: _COLUMNS[heading] for heading in headings}
        table = Table(title=title, title_justify="left")
        for heading in chosen:
            table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
        for payment in payments:
            table.add_row(*[shown(payment) for shown in chosen.values()])
        self._console.print()
        self._console.print(table)

    def show_campaign(self, name: str, campaign_id: str, options: str) -> None:
        """Where the discount of the first payments comes from, and the commands (with their options) that tell more."""
        self.say(f"\n  The discount is the campaign “{name}”, funded by a bank (70 %) and the merchant (30 %):\n")
        for command in ("show", "watch", "report"):
            self.say(f"  {program()} campaign {command} {campaign_id}{options}")

    def show_addresses(self, addresses: dict[str, str], example: str) -> None:
        """Where to go from here, and a payment to paste into another terminal."""
        self._console.print()
        for name, address in addresses.items():
            self.say(f"  {name:<12} {address}")
        self._console.print("\n  Take a payment from another terminal:\n")
        self.say(example)
        self._console.print("\n  Ctrl-C stops everything; the data stay.")


def yuan(amount_fen: int) -> str:
    """An amount as people write it, e.g. ¥1,025.99."""
    return f"¥{amount_fen // 100:,}.{amount_fen % 100:02d}"


def program() -> str:
    """How whoever reads this has called `mashang`: a path, where it is not on the shell's own."""
    return sys.argv[0] if Path(sys.argv[0]).name == "mashang" else "mashang"
