"""What a meta-estimator hands on to its bases beside X and y, by scikit-learn's metadata routing."""

from __future__ import annotations

from typing import Any

from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing


def router(owner: Any, **bases: Any) -> MetadataRouter:
    """Declare that an estimator takes metadata itself and hands them on to its bases' ``fit``.

    Parameters
    ----------
    owner : estimator
    **bases : estimator
        By the name they go by in ``fit``.

    Returns
    -------
    MetadataRouter
        For ``get_metadata_routing``.
    """
    made = MetadataRouter(owner=type(owner).__name__).add_self_request(owner)
    for name, base in bases.items():
        made.add(method_mapping=MethodMapping().add(caller="fit", callee="fit"), **{name: base})
    return made


def handed_on(owner: Any, base: str, **metadata: Any) -> dict[str, Any]:
    """Return the metadata that a base's ``fit`` is given.

    Parameters
    ----------
    owner : estimator
        With ``get_metadata_routing``.
    base : str
        Name in the router.
    **metadata
        As given to the owner's ``fit``; None is not given.

    Returns
    -------
    dict
        With routing off all that was given, as every model here takes the village of a row; with routing on
        what the base asks for.

    Raises
    ------
    UnsetMetadataPassedError
        With routing on, if the base neither asks for nor refuses something given.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if not get_config()["enable_metadata_routing"]:
        return given
    return dict(process_routing(owner, "fit", **given)[base].fit)
