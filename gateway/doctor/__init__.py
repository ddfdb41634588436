"""`mashang doctor`: gathers facts about a deployment and judges them; it changes nothing (docs/operating.md)."""
