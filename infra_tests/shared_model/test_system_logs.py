"""System logs: headers, meanings, templates, CloudWatch Logs payloads."""

from __future__ import annotations

import io
import json
import lzma
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_model.events import Entity, EntityKind, Rejected, SystemEvent
from shared_model.log_templates import CATALOGUE, mask, template_of
from shared_model.parsers.syslog_lines import parse_syslog
from shared_model.parsers.system_logs import read_system_logs
from shared_model.system_log_rules import read_message
from shared_model.template_mining import mine
from shared_model.vocabulary import OBJECTS, OUTCOMES, VERBS
from training.data_root import data_root

MESSAGES = Path(__file__).parents[1] / "events" / "system_logs" / "messages.log"
ACCOUNT = "123456789012"
NOW_MS = int(datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp() * 1000)
LINE = "Mar  2 09:15:40 web-1 sshd[4211]: Failed password for invalid user admin from 198.51.100.7 port 50122 ssh2"
needs_data = pytest.mark.skipif(data_root() is None, reason="recorded data is absent: set BREAKWATER_DATA to its folder")


def read(data: bytes | str, **options: str) -> list[SystemEvent | Rejected]:
    data = data.encode() if isinstance(data, str) else data
    return list(read_system_logs(io.BytesIO(data), source="test", now_ms=NOW_MS, account=ACCOUNT, **options))


def only(data: bytes | str) -> SystemEvent:
    (event,) = read(data)
    assert isinstance(event, SystemEvent), event
    return event


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


def test_a_line_is_read_in_full():
    event = only(LINE)
    assert event.time_ms == ms(2026, 3, 2, 9, 15, 40)
    assert event.host == Entity(EntityKind.HOST, "web-1", ACCOUNT)
    assert (event.process, event.verb, event.object, event.outcome) == ("sshd", "authenticate", "user", "failure")
    assert (event.user, event.source_address, event.account) == ("admin", "198.51.100.7", ACCOUNT)
    assert event.template == "Failed password for invalid user <*> from <IP> port <NUM> ssh<NUM>"
    assert event.message.startswith("Failed password")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed on /dev/pts/8",
            (ms(2025, 10, 11, 22, 14, 15), "mymachine", "su", 2),
        ),
        (
            "<165>1 2026-03-02T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
            (ms(2026, 3, 2, 12, 14, 15), "192.0.2.1", "myproc", 5),
        ),
        (
            '<165>1 2026-03-02T22:14:15.003Z web-1 evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="A]\\"p"] text',
            (ms(2026, 3, 2, 22, 14, 15) + 3, "web-1", "evntslog", 5),
        ),
        ("<13>1 - - - - - - text", (None, "", "", 5)),
        ("2026-03-02T09:15:40.123456+00:00 web-1 sshd[1]: text", (ms(2026, 3, 2, 9, 15, 40) + 123, "web-1", "sshd", None)),
        ("Jun 14 15:16:01 combo su(pam_unix)[19939]: text", (ms(2025, 6, 14, 15, 16, 1), "combo", "su(pam_unix)", None)),
        ("Jun 14 15:16:01 combo syslogd 1.4.1: restart.", (ms(2025, 6, 14, 15, 16, 1), "combo", "syslogd", None)),
        ("Jun 14 15:16:01 combo  -- root[2421]: ROOT LOGIN ON tty2", (ms(2025, 6, 14, 15, 16, 1), "combo", "root", None)),
    ],
)
def test_headers(line: str, expected: tuple[int | None, str, str, int | None]):
    parsed = parse_syslog(line, now_ms=NOW_MS)
    assert (parsed.time_ms, parsed.host, parsed.process, parsed.severity) == expected


@pytest.mark.parametrize(
    ("now", "stamp", "year"),
    [
        ((2026, 3, 3), "Mar  3 20:00:00", 2026),
        ((2026, 1, 1), "Dec 31 23:59:59", 2025),
        ((2025, 12, 31), "Jan  1 00:10:00", 2026),
        ((2026, 3, 3), "Mar  5 00:00:00", 2025),
        ((2026, 3, 3), "Feb 29 10:00:00", 2024),
    ],
)
def test_the_year_is_the_latest_that_is_not_in_the_future(now: tuple[int, int, int], stamp: str, year: int):
    parsed = parse_syslog(f"{stamp} web-1 sshd: x", now_ms=ms(*now, 23, 50))
    assert parsed.time_ms is not None
    assert datetime.fromtimestamp(parsed.time_ms / 1000, UTC).year == year


@pytest.mark.parametrize(
    ("process", "message", "words", "user", "source"),
    [
        (
            "sshd",
            "Accepted publickey for deploy from 2001:db8::7 port 22 ssh2: RSA x",
            "authenticate user success",
            "deploy",
            "2001:db8::7",
        ),
        (
            "sshd",
            "Received disconnect from 2001:db8::7 port 40651:11: disconnected by user",
            "disconnect session success",
            "",
            "2001:db8::7",
        ),
        ("sshd", "Received disconnect from 203.0.113.9: 11: Bye Bye [preauth]", "disconnect session success", "", "203.0.113.9"),
        (
            "sshd",
            "Failed password for invalid user from from 203.0.113.9 port 2 ssh2",
            "authenticate user failure",
            "from",
            "203.0.113.9",
        ),
        (
            "sshd(pam_unix)",
            "authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=host.example.net  user=root",
            "authenticate user failure",
            "root",
            "",
        ),
        ("sudo", "alice : TTY=pts/1 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id", "invoke command success", "alice", ""),
        (
            "sudo",
            "alice : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/truncate -s 0 /var/log/auth.log",
            "delete log success",
            "alice",
            "",
        ),
        (
            "sudo",
            "alice : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/systemctl stop auditd",
            "disable log success",
            "alice",
            "",
        ),
        ("sudo", "alice : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/bash", "assume user success", "alice", ""),
        (
            "sudo",
            "alice : user NOT in sudoers ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/bash",
            "assume user failure",
            "alice",
            "",
        ),
        (
            "sudo",
            "alice : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            "assume user failure",
            "alice",
            "",
        ),
        (
            "su",
            "pam_unix(su:auth): authentication failure; logname=a uid=1 euid=0 tty=pts/1 ruser=alice rhost=  user=root",
            "assume user failure",
            "alice",
            "",
        ),
        ("su", "pam_unix(su:session): session opened for user root by alice(uid=1000)", "assume user success", "alice", ""),
        (
            "useradd",
            "new user: name=backdoor, UID=0, GID=0, home=/root, shell=/bin/bash, from=none",
            "create user success",
            "backdoor",
            "",
        ),
        ("usermod", "add 'eve' to group 'sudo'", "add group success", "eve", ""),
        ("CRON", "(root) CMD (/usr/bin/id)", "invoke job success", "root", ""),
        ("crontab", "(www-data) REPLACE (www-data)", "update job success", "www-data", ""),
        ("rsyslogd", '[origin software="rsyslogd"] exiting on signal 15.', "disable log success", "", ""),
        ("kernel", "[1.2] [UFW BLOCK] IN=eth0 SRC=198.51.100.7 DST=10.0.1.5", "connect network failure", "", "198.51.100.7"),
        ("cupsd", "nothing that matters", "  ", "", ""),
    ],
)
def test_meanings(process: str, message: str, words: str, user: str, source: str):
    meaning = read_message(process, message)
    assert " ".join(meaning[:3]) == words
    assert (meaning.user, meaning.source_address) == (user, source)


def test_a_users_name_cannot_pose_as_the_source():
    for message in (
        "Failed password for invalid user x from 10.0.0.1 port 1 from 203.0.113.9 port 2 ssh2",
        "Invalid user x from 10.0.0.1 port 1 from 203.0.113.9 port 2",
        "Invalid user x from 10.0.0.1 from 203.0.113.9",
    ):
        meaning = read_message("sshd", message)
        assert (meaning.verb, meaning.source_address) == ("authenticate", "203.0.113.9")


def test_every_meaning_is_in_the_vocabulary():
    events = [event for event in read(MESSAGES.read_bytes()) if isinstance(event, SystemEvent)]
    assert len(events) == len(MESSAGES.read_text().splitlines())
    assert {event.verb for event in events} - {""} <= set(VERBS)
    assert {event.object for event in events} - {""} <= set(OBJECTS)
    assert {event.outcome for event in events} - {""} <= set(OUTCOMES)
    assert sum(bool(event.verb) for event in events) > 0.9 * len(events)


def test_templates_do_not_depend_on_what_came_before():
    messages = [line.split(": ", 1)[1] for line in MESSAGES.read_text().splitlines()]
    first = {message: template_of(message) for message in messages}
    template_of.cache_clear()
    assert {message: template_of(message) for message in reversed(messages)} == first


def test_the_shipped_catalogue_is_what_mining_its_corpus_gives():
    messages = [parse_syslog(line, now_ms=NOW_MS).message for line in MESSAGES.read_text().splitlines()]
    assert json.loads(CATALOGUE.read_text())["templates"] == mine(messages) == mine(reversed(messages))


def test_names_reach_no_template():
    assert template_of("Invalid user a-name-never-seen from 198.51.100.99") == "Invalid user <*> from <IP>"
    assert (
        mask("connection from 203.0.113.9 (a.example.net) at Sun Jul 10 03:55:15 2005")
        == "connection from <IP> (<HOST>) at <DATE> <TIME> <NUM>"
    )
    assert mask("rhost=2001:db8::1 id 0123456789abcdef") == "rhost=<IP> id <HEX>"


def test_a_rare_template_can_be_left_out_of_a_catalogue():
    assert mine(["session of alice ended", "session of bob ended", "secret projectname"], at_least=2) == ["session of <*> ended"]


@given(st.binary(max_size=300))
def test_any_bytes_never_raise(data: bytes):
    for result in read(data):
        assert isinstance(result, SystemEvent | Rejected)


@given(
    st.lists(
        st.sampled_from([LINE, "", "junk", "<1>1 - - - - - -", "Feb 31 00:00:00 h p: m", "\x00"])
        | st.text(alphabet="abM <>1[]:", max_size=12),
        max_size=12,
    )
)
def test_every_line_is_an_event_or_a_reject(lines: list[str]):
    lines = [line if not line.lstrip().startswith("{") else "x" for line in lines]
    results = read("\n".join(lines))
    assert len(results) == sum(bool(line.strip()) for line in lines)


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_message_has_a_template_and_a_meaning(message: str, process: str):
    assert isinstance(template_of(message), str)
    assert read_message(process, message).verb in ("", *VERBS)


@needs_data
def test_every_recorded_line_parses_or_says_why_not():
    root = data_root()
    assert root is not None
    counts: dict[str, Counter[str]] = {}
    meanings: Counter[tuple[str, str, str]] = Counter()
    for name in ("OpenSSH", "Linux", "OpenStack"):
        with lzma.open(root / "system_logs" / f"{name}_2k.log.xz") as stream:
            results = list(read_system_logs(stream, source=name, now_ms=NOW_MS))
        counts[name] = Counter(type(result).__name__ for result in results)
        assert all(result.field == "timestamp" for result in results if isinstance(result, Rejected))
        if name == "OpenSSH":
            meanings.update((event.verb, event.object, event.outcome) for event in results if isinstance(event, SystemEvent))
    assert counts == {"OpenSSH": {"SystemEvent": 2000}, "Linux": {"SystemEvent": 2000}, "OpenStack": {"Rejected": 2000}}
    assert meanings[("authenticate", "user", "success")] == 1
    assert meanings[("authenticate", "user", "failure")] > 1300


@pytest.mark.parametrize(
    "prefix", ["Mar  2 09:15:40", "<13>Mar  2 09:15:40", "2026-03-02T09:15:40Z", "<13>1 2026-03-02T09:15:40Z"]
)
def test_a_host_name_that_is_too_long_costs_its_own_line_only(prefix: str):
    tail = " cron - - - text" if prefix.startswith("<13>1") else " cron[1]: text"
    longest, over = (f"{prefix} {'h' * length}{tail}" for length in (255, 4000))
    first, wrong, last = read("\n".join((longest, over, LINE)))
    assert isinstance(first, SystemEvent)
    assert first.host.id == "h" * 255
    assert isinstance(wrong, Rejected)
    assert (wrong.source, wrong.record, wrong.field) == ("test", 2, "host")
    assert "4000 characters" in wrong.reason
    assert isinstance(last, SystemEvent)


def test_a_host_name_that_is_too_long_costs_its_own_log_event_only():
    over = f"Mar  2 09:15:40 {'h' * 4000} cron[1]: text"
    events = [{"id": str(number), "timestamp": NOW_MS, "message": text} for number, text in enumerate((over, LINE))]
    payload = {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "g", "logStream": "s", "logEvents": events}
    wrong, good = read(json.dumps(payload))
    assert isinstance(wrong, Rejected)
    assert (wrong.source, wrong.record, wrong.field) == ("test", 1, "host")
    assert isinstance(good, SystemEvent)
    (named,) = read(json.dumps({**payload, "logStream": "i-0123456789abcdef0", "logEvents": events[:1]}))
    assert isinstance(named, SystemEvent)  # the log stream says which instance it is: the line's host is not needed
