"""Tells a scenario of one host's system log: acts of people, programs and intruders as the lines that they leave."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from training.scenarios.family import BENIGN
from training.scenarios.schema import Act, HostAttack, HostBenign
from training.scenarios.site import ACCOUNT, EPOCH_MS, hexadecimal, internet_address
from training.scenarios.system_lines import Clock, Lines, LogLine, cron, guess, quiet, services, sign_in, sign_out, sudo


def tell(scenario: HostAttack | HostBenign, name: str, seed: int) -> tuple[str, str, list[LogLine]]:
    """Host name, instance id and lines of one run of the scenario."""
    rng = random.Random(f"{name}#{seed}")
    clock = Clock(rng, float(EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000))
    host = f"ip-10-{rng.randrange(256)}-{rng.randrange(256)}-{rng.randrange(4, 250)}"
    instance = f"i-0{hexadecimal(rng, 16)}"
    names = {key: _value(rng.choice(choices), rng) for key, choices in scenario.names.items()}
    lines = [line for act in scenario.acts for line in _act(act, clock, names, scenario.verdict)]
    return host, instance, lines


def _act(act: Act, clock: Clock, names: Mapping[str, str], verdict: str) -> Lines:
    rng = clock.rng
    if rng.random() >= act.chance:
        return
    label = verdict if act.attack else BENIGN
    for _ in range(act.times.whole(rng)):
        yield from _once(act, clock, names, label)
        for each in act.then:
            yield from _act(each, clock, names, verdict)
        if pause := act.pause.draw(rng):
            clock.wait(pause, 0.5)


def _once(act: Act, clock: Clock, names: Mapping[str, str], label: str) -> Lines:
    rng = clock.rng

    def text(choices: tuple[str, ...]) -> str:
        drawn = {"address": internet_address(rng), "port": str(rng.randrange(1024, 65_000)), "number": str(rng.randrange(1, 999))}
        return rng.choice(choices).format_map({**drawn, **names})

    source = act.source.format_map(names) if act.source else internet_address(rng)
    if act.ordinary is not None:
        yield from quiet(clock, act.ordinary.whole(rng))
    elif act.background:
        yield from (cron if act.background == "cron" else services)(clock)
    elif act.sign_in:
        clock.next_process()
        yield from sign_in(clock, text(act.sign_in), source, method=rng.choice(act.method), label=label)
    elif act.sign_out:
        yield from sign_out(clock, text(act.sign_out), source)
    elif act.guess:
        clock.next_process()
        user = text(act.guess)
        yield from guess(clock, user, source, known=user == "root" or rng.random() < act.known, label=label)
    elif act.sudo:
        yield from sudo(clock, text(act.sudo), text(act.commands), label)
    elif act.say:
        yield clock.line(act.program, text(act.say), label, numbered=act.numbered)


def _value(choice: str, rng: random.Random) -> str:
    """A name's value; ``address`` stands for one that is drawn for the story."""
    return internet_address(rng) if choice == "address" else choice


def subscription_payload(
    lines: list[LogLine], *, host: str, instance_id: str, group: str = "/var/log/auth.log"
) -> dict[str, Any]:
    """CloudWatch Logs subscription document (User Guide, "Real-time processing of log data with subscriptions"), before gzip."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": instance_id,
        "subscriptionFilters": ["breakwater"],
        "logEvents": [
            {"id": f"{line.time_ms:015d}{number:041d}", "timestamp": line.time_ms, "message": line.text(host)}
            for number, line in enumerate(lines)
        ],
    }
