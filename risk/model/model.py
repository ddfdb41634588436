"""A trained model: what it looks at, its trees, and what is known of how it was made; one JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from risk.model.feature import FEATURES_MAX, Feature, FeatureError, feature_of

FORMAT: Final = 1
TREES_MAX: Final = 200
"""More of them would not be asked in 50 µs."""
NOTE_LENGTH_MAX: Final = 500


class ModelError(Exception):
    """A document that is no model; the message is a sentence, `part` the field of the document that it is about."""

    def __init__(self, message: str, part: str = "trees") -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, slots=True)
class Model:
    """`trees` is the library's own JSON (XGBoost's, binary:logistic), whose columns are `features` in this order.

    `trained` tells how it was made and what it reached: for people, nothing goes by it.
    """

    features: tuple[Feature, ...]
    trees: Mapping[str, Any]
    trained: Mapping[str, Any]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "format": FORMAT,
            "note": self.note,
            "features": [feature.text for feature in self.features],
            "trained": dict(self.trained),
            "trees": dict(self.trees),
        }

    @classmethod
    def of(cls, given: object) -> Self:
        """From a document of unknown origin.  Raises ModelError."""
        if not isinstance(given, dict) or given.get("format") != FORMAT:
            said = f'A model is a JSON object with "format": {FORMAT}, as `mashang risk train` writes it.'
            raise ModelError(said, "format")
        note, trained, trees = given.get("note", ""), given.get("trained", {}), given.get("trees")
        if not isinstance(note, str) or len(note) > NOTE_LENGTH_MAX:
            raise ModelError(f"The note is a text of at most {NOTE_LENGTH_MAX} characters.", "note")
        if not isinstance(trained, dict):
            raise ModelError("“trained” is an object.", "trained")
        if not isinstance(trees, dict):
            raise ModelError("It has no trees.")
        features = _features(given.get("features"))
        _refuse_other_trees(trees, len(features))
        model = cls(features, trees, trained, note)
        _refuse_unstorable(model)
        return model


def _refuse_unstorable(model: Model) -> None:
    """PostgreSQL's JSON has no NUL, ours no integer beyond 64 bits and no half of a character."""
    for name, part in model.to_json().items():
        try:
            stored = orjson.dumps(part)
        except (TypeError, orjson.JSONEncodeError):
            raise ModelError(f"“{name}” holds a number or a text that cannot be kept.", name) from None
        if b"\\u0000" in stored:
            raise ModelError(f"“{name}” holds a NUL character.", name)


def _features(given: object) -> tuple[Feature, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= FEATURES_MAX:
        raise ModelError(f"The features are a list of 1 to {FEATURES_MAX} texts.", "features")
    try:
        return tuple(feature_of(str(text)) for text in given)
    except FeatureError as error:
        raise ModelError(f"A feature cannot be used: {error}.", "features") from None


def _refuse_other_trees(trees: Mapping[str, Any], features: int) -> None:
    try:
        learner = trees["learner"]
        count = len(learner["gradient_booster"]["model"]["trees"])
        width = int(learner["learner_model_param"]["num_feature"])
        objective = learner["objective"]["name"]
    except (KeyError, TypeError, ValueError):
        raise ModelError("The trees are not XGBoost's JSON.") from None
    if objective != "binary:logistic" or width != features or not 1 <= count <= TREES_MAX:
        raise ModelError(
            f"The trees are 1 to {TREES_MAX} of binary:logistic over the {features} features; "
            f"these are {count} of {objective} over {width}."
        )
