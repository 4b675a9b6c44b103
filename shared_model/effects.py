"""What a call does to who may do what: its effect, by the words of its operation, and for what watches by what was asked.

An intruder's call is rarely one that was seen before; what it brings about is one of a dozen things, on either cloud and in any
service. The effect is a function of (service, verb, object, grant), so that it costs nothing to keep: rows hold those.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shared_model.grants import GRANTS
from shared_model.vocabulary import OBJECTS, SERVICES, VERBS

#: Append only: artifacts name them in this order.
EFFECTS = (
    "none",
    "signs_in",  # somebody comes in
    "reads_secret",  # secrets, parameters, passwords leave their store
    "makes_credential",  # a new or changed way to come in, a second factor taken away
    "changes_rights",  # policies, roles, memberships
    "blinds",  # trails, flow logs, detectors, findings, alarms, logs taken away, stopped, or told to see less
    "leaves",  # the account's place in its organisation changes
    "opens",  # a resource or a network is opened to others
    "copies_data",  # snapshots, exports, restores: data comes to lie elsewhere
    "runs_code",  # commands and jobs run somewhere
    "changes_code",  # what will run is changed
    "enters_host",  # a session or key on a machine
    "destroys",  # data, machines, keys, backups are deleted
    "makes_machine",  # machines are made or changed
    "sets_watch",  # trails, flow logs, detectors are set up, switched on or changed
)
_MAKING = ("create", "add", "put", "update", "import", "enable")
_TAKING = ("delete", "remove", "disable", "stop")
_CHANGING = (*_MAKING, *_TAKING, "other", "grant", "revoke")
_WATCHES = ("flow_log", "trail", "detector", "finding")
_IDENTITY = ("identity", "directory")
_DATA = ("snapshot", "volume", "image", "database", "file")


def effects_of(
    service: NDArray[np.uint8], verb: NDArray[np.uint8], object_: NDArray[np.uint8], grant: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Effects of operations by the codes of their words (arrays of one shape); a code that is none of the words has none.

    ``grant`` is the code of what was asked for (:data:`~shared_model.grants.GRANTS`), where that is known: the same call widens
    what a trail records, or narrows it.
    """
    places = zip((service, verb, object_), _TABLE.shape, strict=True)
    effects: NDArray[np.uint8] = _TABLE[tuple(np.minimum(codes, size - 1) for codes, size in places)]
    return effects if grant is None else np.where(grant == _UNWATCHED, _BLINDS, effects)


def _table() -> NDArray[np.uint8]:
    """Effect of every (service, verb, object), and none behind the last of each. Later lines win over earlier ones."""
    table = np.zeros((len(SERVICES) + 1, len(VERBS) + 1, len(OBJECTS) + 1), np.uint8)

    def mark(effect: str, services: Iterable[str], verbs: Iterable[str], objects: Iterable[str]) -> None:
        places = (
            [levels.index(word) for word in words] for levels, words in ((SERVICES, services), (VERBS, verbs), (OBJECTS, objects))
        )
        table[np.ix_(*places)] = EFFECTS.index(effect)

    watching = ("audit_log", "threat_detection")
    mark("makes_machine", ("compute", "scaling", "container"), (*_MAKING, "start"), ("instance", "container", "cluster", "job"))
    mark(
        "destroys",
        SERVICES,
        ("delete", "stop"),
        (*_DATA, "instance", "bucket", "cluster", "stack", "domain", "secret", "function"),
    )
    mark("destroys", SERVICES, ("delete", "disable", "remove"), ("key", "bucket", "database"))
    mark("changes_code", SERVICES, _MAKING, ("code", "function", "startup"))
    mark("runs_code", SERVICES, ("invoke", "start"), ("command", "function", "code", "model"))
    mark("runs_code", SERVICES, (*_MAKING, "other"), ("command",))
    mark("enters_host", SERVICES, ("connect", "start"), ("session",))
    mark("enters_host", ("remote_access",), (*_CHANGING, "connect", "start"), OBJECTS)
    mark("copies_data", SERVICES, ("copy", "create"), _DATA)
    mark("copies_data", SERVICES, ("copy",), ("bucket", "instance"))
    mark("opens", SERVICES, ("add", "put", "update"), ("policy", "public_access"))
    mark("opens", SERVICES, ("delete", "remove", "disable"), ("public_access",))
    mark("opens", SERVICES, ("grant",), OBJECTS)
    mark("opens", SERVICES, ("create", "update", "put", "add"), ("security_group", "route"))
    mark("opens", ("compute", "database", "object_storage"), ("update", "put"), (*_DATA, "bucket"))
    mark("changes_rights", _IDENTITY, _CHANGING, ("policy", "role", "group", "account", "other"))
    mark("makes_credential", SERVICES, _MAKING, ("access_key", "login", "identity_provider"))
    mark("makes_credential", (*_IDENTITY, "sign_in"), (*_MAKING, "other"), ("user", "access_key", "login", "identity_provider"))
    mark("makes_credential", SERVICES, _CHANGING, ("mfa",))
    mark("reads_secret", SERVICES, ("get", "copy"), ("secret", "parameter", "login"))
    mark("sets_watch", SERVICES, (*_MAKING, "start"), _WATCHES)
    mark("sets_watch", watching, (*_MAKING, "start", "other", "grant"), [word for word in OBJECTS if word != "tag"])
    mark("blinds", SERVICES, _TAKING, _WATCHES)
    mark("blinds", watching, (*_TAKING, "revoke"), [word for word in OBJECTS if word != "tag"])
    mark("blinds", ("log", "monitoring", "other"), _TAKING, ("log", "alarm", "queue", "other"))
    mark("leaves", ("organization",), (*_TAKING, "leave", "other"), OBJECTS)
    mark("leaves", SERVICES, ("leave",), OBJECTS)
    mark("signs_in", SERVICES, ("authenticate",), OBJECTS)
    return table


_TABLE = _table()
_BLINDS = np.uint8(EFFECTS.index("blinds"))
_UNWATCHED = GRANTS.index("unwatched")
