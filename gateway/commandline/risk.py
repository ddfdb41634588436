"""`mashang risk …`: rules, lists, cases, decisions and back-tests, over the admin API; one module for each."""

from __future__ import annotations

import typer

from gateway.commandline import (
    risk_backtest,
    risk_cases,
    risk_decisions,
    risk_lists,
    risk_models,
    risk_packs,
    risk_rules,
)

risk = typer.Typer(help="Screen payments: rules, lists, cases, back-tests (docs/risk.md).", no_args_is_help=True)
risk_rules.register(risk)
risk_cases.register(risk)
risk_packs.register(risk)
risk_backtest.register(risk)
risk_lists.register(risk)
risk_decisions.register(risk)
risk_models.register(risk)
