"""Metrics of Azure Monitor, as a person with Reader asks for them: how often what happened, in steps of some minutes.

API: https://learn.microsoft.com/rest/api/monitor/metrics/list. Steps without anything are answered too, with 0.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from offline.azure.resource_manager.addresses import Address
from offline.azure.resource_manager.errors import bad_request
from offline.azure.web import Answer, Request

_STEP_S = 300


class Metrics:
    """What was counted. Whoever uses it holds the store's lock."""

    def __init__(self) -> None:
        self._counted: list[tuple[str, str, str, float, int]] = []

    def count(self, resource_id: str, metric: str, entity: str, time_s: float, number: int = 1) -> None:
        """Seed something that happened: of a resource, to one of its entities, at a time (seconds since 1970)."""
        self._counted.append((resource_id.lower(), metric, entity, time_s, number))

    def answer(self, address: Address, request: Request) -> Answer:
        """Answer a list of one metric's values, with a series for each entity.

        Raises
        ------
        ArmError
        """
        metric, query = request.query.get("metricnames", ""), request.query
        if query.get("interval") != "PT5M" or query.get("aggregation", "").lower() != "total":
            raise bad_request("BadRequest", "Only totals in steps of PT5M are served here.")
        try:
            begin, end = (datetime.fromisoformat(each).timestamp() for each in query.get("timespan", "").split("/"))
        except ValueError as error:
            raise bad_request("BadRequest", f"timespan: {error}") from error
        steps = range(int(begin // _STEP_S), int(end // _STEP_S) + 1)
        here = [one for one in self._counted if one[0] == address.scope.lower() and one[1] == metric]
        series = [
            _series([one for one in here if one[2] == entity], entity, steps) for entity in sorted({one[2] for one in here})
        ]
        value = {"name": {"value": metric}, "type": "Microsoft.Insights/metrics", "unit": "Count", "timeseries": series}
        return Answer(200, {"interval": "PT5M", "timespan": query["timespan"], "value": [value]})


def _series(counted: list[tuple[str, str, str, float, int]], entity: str, steps: range) -> dict[str, Any]:
    data = [
        {
            "timeStamp": datetime.fromtimestamp(step * _STEP_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "total": float(sum(number for *_, time_s, number in counted if int(time_s // _STEP_S) == step)),
        }
        for step in steps
    ]
    return {"metadatavalues": [{"name": {"value": "entityname"}, "value": entity}], "data": data}
