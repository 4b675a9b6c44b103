"""What keeps an instance from being ended: termination protection, and a shutdown from inside that only stops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdas.clients import Clients
from lambdas.cloud_errors import CloudRefusal, WrongState, in_core_words
from response.actions import Difference

#: Attributes by the name under which EC2 is asked, and the value that protects. A machine that is shut down from inside is ended
#: whatever its termination protection says, where its shutdown behaviour is to terminate.
WANTED: Mapping[str, Any] = {"disableApiTermination": True, "instanceInitiatedShutdownBehavior": "stop"}
_WORDS = {
    "disableApiTermination": "termination protection",
    "instanceInitiatedShutdownBehavior": "behaviour at shutdown from inside",
}


class InstanceProtection:
    """Reads and sets the attributes that protect an instance."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes as they are; none of a spot instance, which EC2 lets nobody protect."""
        if instance.get("InstanceLifecycle") == "spot":
            return {}
        return {name: self._read(instance["InstanceId"], name) for name in WANTED}

    def protect(self, instance_id: str, before: Mapping[str, Any], *, once: bool = False) -> None:
        """Set what is not as it protects, with ``once`` without retries. Raises CloudRefusal."""
        for name, value in before.items():
            if value != WANTED[name]:
                self._set(instance_id, name, WANTED[name], once=once)

    def holds(self, instance_id: str, before: Mapping[str, Any]) -> bool:
        """Say whether everything is as it protects."""
        return all(self._read(instance_id, name) == WANTED[name] for name in before)

    def give_back(self, instance_id: str, before: Mapping[str, Any]) -> Iterator[str]:
        """Set what had another value before; yield what was restored. Each has two values: nobody can have set a third since."""
        for name, value in before.items():
            if value != WANTED[name]:
                self._set(instance_id, name, value)
                yield f"{instance_id}: {_words(name, value)}"

    def compare(self, instance_id: str, before: Mapping[str, Any]) -> Iterator[Difference]:
        """Yield each attribute that was changed, three ways."""
        for name, value in before.items():
            if value != WANTED[name]:
                unread = False
                try:
                    now = str(self._read(instance_id, name))
                except CloudRefusal as refusal:
                    if not refusal.is_missing:
                        raise
                    now = "the instance is gone"
                except WrongState as error:  # it has ended, and EC2 still knows its name; or between two states
                    now, unread = f"not to be read ({error})", True
                is_changed = not unread and now not in (str(value), str(WANTED[name]))
                yield Difference(f"{_WORDS[name]} of {instance_id}", str(value), str(WANTED[name]), now, is_changed=is_changed)

    def _read(self, instance_id: str, name: str) -> Any:
        with in_core_words("DescribeInstanceAttribute"):
            found = self._clients("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute=name)
        return found[name[0].upper() + name[1:]]["Value"]

    def _set(self, instance_id: str, name: str, value: Any, *, once: bool = False) -> None:
        change = (
            {name[0].upper() + name[1:]: {"Value": value}} if isinstance(value, bool) else {"Attribute": name, "Value": value}
        )
        with in_core_words("ModifyInstanceAttribute"):
            self._clients("ec2", once=once).modify_instance_attribute(InstanceId=instance_id, **change)


def touched(before: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what of it changes, for a person."""
    if not before:
        return ("a spot instance: EC2 lets nobody protect it from being ended; take its snapshots soon",)
    return tuple(_words(name, WANTED[name]) for name, value in before.items() if value != WANTED[name])


def _words(name: str, value: Any) -> str:
    said = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
    return f"{_WORDS[name]} {said}"
