"""The whole service for every module of the acceptance tests."""

from tests.support.stack_fixtures import database, simulators, stack, stack_options, till

__all__ = ["database", "simulators", "stack", "stack_options", "till"]
