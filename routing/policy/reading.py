"""Reading a policy's JSON: the kernel's field by field (gateway/kernel/documents.py), with an error of its own."""

from __future__ import annotations

from gateway.kernel.documents import PROBLEMS_MAX, DocumentError, ObjectReader, Problem, Problems, shown

__all__ = ["PROBLEMS_MAX", "ObjectReader", "PolicyError", "Problem", "Problems", "shown"]


class PolicyError(DocumentError):
    """A policy that cannot be used; `problems` has all that is wrong with it, in the document's order."""
