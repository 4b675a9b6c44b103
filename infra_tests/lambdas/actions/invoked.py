"""A customer's function, without the Docker that moto would run it in: it answers what AWS would hand back."""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from lambdas.clients import Clients

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:contain"


class CustomersFunction:
    """Contains what it is told of, once for each key; an undo that finds it released says so.

    Attributes
    ----------
    contained : dict of containment id to target
    asked : list of dict
        Every payload, in order.
    raises : str
        The message of the error that it raises, ``""`` for none.
    answers : bytes or None
        What it answers, whatever it is asked; None: what fits.
    """

    def __init__(self, *clients: Clients) -> None:
        self.contained: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.raises = ""
        self.answers: bytes | None = None
        self._undone: set[str] = set()
        self._keeps = False
        for each in clients:
            each("lambda", FUNCTION.split(":")[3], once=True).meta.events.register_first(
                "before-send.lambda.Invoke", self._invoke
            )

    def keep(self) -> None:
        """Take nothing back from now on."""
        self._keeps = True

    def _invoke(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        if request.headers["X-Amz-Invocation-Type"] in ("DryRun", b"DryRun"):
            return _response(request, 204, b"")
        payload = json.loads(request.body)
        self.asked.append(payload)
        if self.raises:
            said: object = {"errorType": "RuntimeError", "errorMessage": self.raises, "stackTrace": []}
            return _response(request, 200, json.dumps(said).encode(), **{"X-Amz-Function-Error": "Unhandled"})
        text = json.dumps(self._answer(payload)).encode() if self.answers is None else self.answers
        return _response(request, 200, text)

    def _answer(self, payload: dict[str, Any]) -> object:
        containment = payload["containment_id"]
        if payload["phase"] == "contain":
            self.contained[containment] = payload["target"]["id"]
            self._undone.discard(containment)
            return None
        if payload["phase"] == "verify":
            return {"contained": containment in self.contained}
        if self._keeps:
            return {"left": [f"{payload['target']['id']} stays: an investigation needs it"]}
        was_contained = self.contained.pop(containment, None) is not None or containment in self._undone
        self._undone.add(containment)
        return {} if was_contained else {"left": [f"{payload['target']['id']} was released by somebody"]}


def _response(request: AWSPreparedRequest, status: int, body: bytes, **headers: str) -> AWSResponse:
    return AWSResponse(request.url, status, headers, MockRawResponse(body))
