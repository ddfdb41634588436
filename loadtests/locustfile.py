"""Tills and customers under Locust, as a plan says (loadtests/load/plan.py); its parts stand in loadtests/load.

`make load` writes the plan and runs this. By hand, for example as a worker on another machine:
MASHANG_LOAD_PLAN=plan.json locust -f loadtests/locustfile.py --worker --master-host 192.0.2.1
"""

from __future__ import annotations

import os
from pathlib import Path

from loadtests.load.hooks import Gathered, install, shape_class
from loadtests.load.plan import PLAN_VARIABLE, read_plan
from loadtests.load.users import user_of

_plan = read_plan(Path(os.environ[PLAN_VARIABLE]))
_gathered = Gathered()
Customers = user_of(_plan.model)
if not _plan.by_hand:
    Shape = shape_class(_plan, _gathered)
install(_plan, Customers, _gathered)
