"""`mashang risk …`: rules, lists, cases, decisions and back-tests, over the admin API; one module for each."""

from __future__ import annotations

import typer

from gateway.commandline.risk import decisions as risk_decisions
from gateway.commandline.risk import models as risk_models
from gateway.commandline.risk.backtest import commands as risk_backtest
from gateway.commandline.risk.cases import commands as risk_cases
from gateway.commandline.risk.lists import commands as risk_lists
from gateway.commandline.risk.packs import commands as risk_packs
from gateway.commandline.risk.rules import commands as risk_rules

risk = typer.Typer(help="Screen payments: rules, lists, cases, back-tests (docs/risk.md).", no_args_is_help=True)
risk_rules.register(risk)
risk_cases.register(risk)
risk_packs.register(risk)
risk_backtest.register(risk)
risk_lists.register(risk)
risk_decisions.register(risk)
risk_models.register(risk)
