"""What every model here shares: a margin in log-odds, from which probability and class follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[np.float64]


class OneClass(ValueError):
    """The rows to fit on hold events only, or none."""


@dataclass(frozen=True)
class Population:
    """Rows outside the cohort: they have no label, and are part of what income looks like.

    Parameters
    ----------
    X : DataFrame of shape (m, p)
        The columns a model takes in.
    groups : array of shape (m,)
        Village of each row.
    """

    X: Any
    groups: NDArray[Any]


def event_weights(target: Array, weight: float) -> Array | None:
    """Return each row's weight in a fit where events are to count more (or less) than other rows.

    Rare events are met by weights and by the threshold that a budget sets, never by drawing rows anew: the
    calibrator is fitted on rows as they are, so the probabilities stay what they were.

    Parameters
    ----------
    target : array of shape (n,)
        0/1.
    weight : float
        Of an event row; another row weighs 1.

    Returns
    -------
    array of shape (n,) or None
        None where all weigh the same.

    Raises
    ------
    ValueError
        If the weight is not positive.
    """
    if not weight > 0:
        raise ValueError(f"event_weight={weight!r}: must be positive; 1 weighs all rows alike")
    return None if weight == 1 else np.where(target == 1, float(weight), 1.0)


class MarginClassifier(ClassifierMixin, BaseEstimator):
    """A binary classifier defined by its margin.

    Subclasses give ``fit`` and ``margin``. The larger of the two classes in sorted order is the event.
    """

    # Inside scikit-learn's pipelines and searches the villages reach `fit` without being asked for.
    __metadata_request__fit: ClassVar = {"groups": True}

    classes_: NDArray[Any]

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event, shape (n,)."""
        raise NotImplementedError

    def decision_function(self, X: Any) -> Array:
        """Return `margin`; scikit-learn's name for it."""
        return self.margin(X)

    def predict_proba(self, X: Any) -> Array:
        """Return the chances of no event and of the event.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)

        Returns
        -------
        array of shape (n, 2)
        """
        p = expit(self.margin(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likelier class of each row, shape (n,)."""
        margin = self.margin(X)
        return self.classes_[(margin > 0).astype(int)]

    def _matrix(self, X: Any, *, reset: bool = False) -> Array:
        if not reset:
            check_is_fitted(self)
        return validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")

    def _training(self, X: Any, y: Any) -> tuple[Array, Array]:
        matrix, target = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        return matrix, self._events(target)

    def _events(self, y: Any) -> Array:
        """Check the target and return it as 0/1; sets ``classes_``."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        classes, coded = np.unique(np.asarray(y), return_inverse=True)
        if kind != "binary" or len(classes) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(classes) < 2:
            raise OneClass(
                f"the target holds one class only ({classes[0]}); both events and non-events are needed "
                "to fit: lengthen the training period or widen the cohort"
            )
        self.classes_ = classes
        return coded.astype(float)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags
