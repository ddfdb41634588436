"""`mashang risk backtest` and `mashang risk train`."""
