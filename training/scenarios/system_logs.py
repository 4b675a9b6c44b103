"""Writes system logs of one host: RFC 3164 lines as Debian and Amazon Linux write them, and the CloudWatch Logs subscription payload."""

# ruff: noqa: E501  (texts as the services write them)
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from shared_model.events import Telemetry
from training.scenarios.family import BENIGN, Family, Split
from training.scenarios.site import ACCOUNT, EPOCH_MS, hexadecimal, internet_address
from training.scenarios.system_lines import (
    ESCALATION,
    EVASION,
    GUESSES,
    GUESSING,
    PEOPLE,
    PERSISTENCE,
    Clock,
    Lines,
    LogLine,
    cron,
    guess,
    quiet,
    services,
    sign_in,
    sign_out,
    sudo,
)  # fmt: skip

HostStory = Callable[[Clock], Lines]
SYSTEM: dict[Family, HostStory] = {}


def _story(name: str, verdict: str, technique: str, imitates: str, split: Split) -> Callable[[HostStory], HostStory]:
    def register(story: HostStory) -> HostStory:
        SYSTEM[Family(f"system/{name}", Telemetry.SYSTEM_LOGS, verdict, technique, imitates, split)] = story
        return story

    return register


@_story("idle-host", BENIGN, "", "cron, services and one administrator", Split.TRAIN)
def idle_host(clock: Clock) -> Lines:
    yield from quiet(clock, 25)


@_story("jump-host", BENIGN, "", "many people signing in and out, some with mistyped passwords", Split.TRAIN)
def jump_host(clock: Clock) -> Lines:
    rng = clock.rng
    for _ in range(30):
        clock.next_process()
        user, address = rng.choice(PEOPLE), internet_address(rng)
        if rng.random() < 0.25:
            yield clock.line(
                "sshd",
                f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user={user}",
            )
            clock.wait(2, 0.4)
            yield clock.line("sshd", f"Failed password for {user} from {address} port {rng.randrange(1024, 65000)} ssh2")
            clock.wait(4, 0.4)
        yield from sign_in(clock, user, address, method=rng.choice(("publickey", "password")))
        clock.wait(90)
        yield from sign_out(clock, user, address)
        clock.wait(60)


@_story(
    "maintained-host",
    BENIGN,
    "",
    "an administrator installs packages, adds service accounts and edits configuration",
    Split.TRAIN,
)
def maintained_host(clock: Clock) -> Lines:
    rng, user, home = clock.rng, clock.rng.choice(PEOPLE), internet_address(clock.rng)
    yield from quiet(clock, 4)
    yield from sign_in(clock, user, home)
    for _ in range(rng.randrange(5, 14)):
        clock.wait(40)
        yield from sudo(
            clock,
            user,
            rng.choice(
                (
                    "/usr/bin/apt-get -y upgrade",
                    "/usr/bin/vim /etc/nginx/nginx.conf",
                    "/usr/bin/systemctl reload nginx",
                    "/usr/bin/chown -R app /srv/app",
                    "/usr/sbin/service app restart",
                )
            ),
        )
        if rng.random() < 0.12:
            name, uid = rng.choice(("nginx", "redis", "prometheus", "app")), rng.randrange(100, 999)
            yield clock.line("groupadd", f"new group: name={name}, GID={uid}")
            yield clock.line(
                "useradd", f"new user: name={name}, UID={uid}, GID={uid}, home=/nonexistent, shell=/usr/sbin/nologin, from=none"
            )
    yield from sign_out(clock, user, home)
    yield from quiet(clock, 6)


@_story("file-server", BENIGN, "", "transfers, name server and printing messages with some failed sign-ins", Split.VALIDATION)
def file_server(clock: Clock) -> Lines:
    rng = clock.rng
    for _ in range(20):
        clock.next_process()
        yield clock.line("vsftpd", f"connection from {internet_address(rng)} () at {rng.randrange(24)}:10:02")
        yield from rng.choice((cron, services))(clock)
        if rng.random() < 0.2:
            user = rng.choice(PEOPLE)
            yield clock.line("su", f"pam_unix(su:session): session opened for user {user} by (uid=0)")
            yield clock.line("su", f"pam_unix(su:session): session closed for user {user}")
        clock.wait(200)


@_story("build-host", BENIGN, "", "a build agent whose service account signs in every few minutes", Split.TEST)
def build_host(clock: Clock) -> Lines:
    agent, controller = "jenkins", internet_address(clock.rng)
    for _ in range(25):
        clock.next_process()
        yield from sign_in(clock, agent, controller)
        clock.wait(60)
        if clock.rng.random() < 0.4:
            yield from sudo(clock, agent, "/usr/bin/docker build .")
        yield from sign_out(clock, agent, controller)
        clock.wait(150, 0.4)
        if clock.rng.random() < 0.3:
            yield from services(clock)


@_story("ssh-guessing", GUESSING, "T1110.001", "one address guesses root and common names", Split.TRAIN)
def ssh_guessing(clock: Clock) -> Lines:
    rng, guesser = clock.rng, internet_address(clock.rng)
    yield from quiet(clock, rng.randrange(0, 10))
    only_root = rng.random() < 0.4
    for _ in range(rng.randrange(8, 40)):
        clock.next_process()
        user = "root" if only_root else rng.choice(GUESSES)
        yield from guess(clock, user, guesser, known=user == "root" or rng.random() < 0.15, label=GUESSING)
        clock.wait(rng.choice((1, 3, 8)), 0.5)
    yield from quiet(clock, rng.randrange(0, 4))


@_story(
    "many-guessers", GUESSING, "T1110.001", "several addresses guess at the same time, with reverse-mapping warnings", Split.TRAIN
)
def many_guessers(clock: Clock) -> Lines:
    rng = clock.rng
    guessers = [internet_address(rng) for _ in range(rng.randrange(2, 6))]
    yield from quiet(clock, rng.randrange(0, 6))
    for _ in range(rng.randrange(10, 40)):
        clock.next_process()
        guesser, user = rng.choice(guessers), rng.choice(GUESSES)
        if rng.random() < 0.2:
            yield clock.line(
                "sshd",
                f"reverse mapping checking getaddrinfo for host-{rng.randrange(999)}.example.net [{guesser}] failed - POSSIBLE BREAK-IN ATTEMPT!",
                GUESSING,
            )
        yield from guess(clock, user, guesser, known=user == "root", label=GUESSING)
        if rng.random() < 0.1:
            yield clock.line(
                "sshd",
                f"PAM {rng.randrange(1, 6)} more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={guesser}  user={user}",
                GUESSING,
            )
        clock.wait(4, 0.8)


@_story("guessed-and-in", GUESSING, "T1110.001", "guessing that ends in a sign-in", Split.VALIDATION)
def guessed_and_in(clock: Clock) -> Lines:
    rng, guesser = clock.rng, internet_address(clock.rng)
    yield from quiet(clock, rng.randrange(2, 8))
    for _ in range(rng.randrange(8, 25)):
        clock.next_process()
        yield from guess(clock, "root", guesser, known=True, label=GUESSING)
        clock.wait(3, 0.5)
    yield from sign_in(clock, "root", guesser, method="password", label=GUESSING)


@_story("name-spraying", GUESSING, "T1110.003", "many names tried once each, slowly", Split.TEST)
def name_spraying(clock: Clock) -> Lines:
    rng, guesser = clock.rng, internet_address(clock.rng)
    yield from quiet(clock, rng.randrange(2, 8))
    for turn in range(rng.randrange(10, 30)):
        clock.next_process()
        yield from guess(clock, f"{rng.choice(PEOPLE)}{turn}", guesser, known=False, label=GUESSING)
        clock.wait(45, 0.5)


@_story("sudo-abuse", ESCALATION, "T1548.003", "an account without rights tries sudo until something works", Split.TRAIN)
def sudo_abuse(clock: Clock) -> Lines:
    rng, user = clock.rng, clock.rng.choice(("www-data", "tomcat", "guest", "ada"))
    yield from quiet(clock, rng.randrange(2, 8))
    for _ in range(rng.randrange(3, 9)):
        yield clock.line("sudo", rng.choice((
            f"{user} : user NOT in sudoers ; TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash",
            f"pam_unix(sudo:auth): authentication failure; logname={user} uid=33 euid=0 tty=/dev/pts/1 ruser={user} rhost=  user={user}",
            f"{user} : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id",
        )), ESCALATION, numbered=False)  # fmt: skip
        clock.wait(6, 0.7)
    yield from sudo(clock, user, rng.choice(("/bin/bash", "/bin/sh -p", "/usr/bin/python3 -c import pty")), ESCALATION)


@_story("su-guessing", ESCALATION, "T1548", "su to root guessed from an ordinary account", Split.TEST)
def su_guessing(clock: Clock) -> Lines:
    yield from quiet(clock, clock.rng.randrange(2, 8))
    for _ in range(clock.rng.randrange(5, 14)):
        yield clock.line(
            "su",
            "pam_unix(su:auth): authentication failure; logname=guest uid=1001 euid=0 tty=/dev/pts/2 ruser=guest rhost=  user=root",
            ESCALATION,
        )
        yield clock.line("su", "FAILED SU (to root) guest on pts/2", ESCALATION)
        clock.wait(4, 0.6)


@_story("new-account", PERSISTENCE, "T1136.001", "a new account with a shell, put into the administrators' group", Split.TRAIN)
def new_account(clock: Clock) -> Lines:
    rng, name, uid = clock.rng, clock.rng.choice(("support", "sysadm", "svc", "mysqld")), clock.rng.choice((0, 1007))
    yield from quiet(clock, rng.randrange(2, 10))
    yield from sign_in(clock, "root", internet_address(rng), method="password")
    clock.wait(15)
    yield clock.line("useradd", f"new group: name={name}, GID={uid}", PERSISTENCE)
    yield clock.line(
        "useradd",
        f"new user: name={name}, UID={uid}, GID={uid}, home=/home/{name}, shell=/bin/bash, from=/dev/pts/0",
        PERSISTENCE,
    )
    yield clock.line("passwd", f"pam_unix(passwd:chauthtok): password changed for {name}", PERSISTENCE)
    yield clock.line("usermod", f"add '{name}' to group '{rng.choice(('sudo', 'wheel'))}'", PERSISTENCE)
    yield from sign_in(clock, name, internet_address(rng), method="password", label=PERSISTENCE)


@_story("logs-wiped", EVASION, "T1070.002", "logging stopped, logs and history removed", Split.TRAIN)
def logs_wiped(clock: Clock) -> Lines:
    rng, user = clock.rng, clock.rng.choice(("root", "ubuntu", "guest"))
    yield from quiet(clock, rng.randrange(2, 10))
    for command in rng.sample(
        (
            "/usr/bin/systemctl stop rsyslog",
            "/usr/bin/systemctl stop auditd",
            "/bin/rm -f /var/log/auth.log",
            "/usr/bin/truncate -s 0 /var/log/syslog",
            "/usr/bin/shred -u /var/log/wtmp",
            "/usr/bin/journalctl --vacuum-time=1s",
            "/bin/rm -f /root/.bash_history",
        ),
        rng.randrange(2, 5),
    ):
        yield from sudo(clock, user, command, EVASION)
        clock.wait(8)
    yield clock.line("systemd", rng.choice(("Stopped System Logging Service.", "Stopped Security Auditing Service.")), EVASION)


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


def tell(story: HostStory, name: str, seed: int) -> tuple[str, str, list[LogLine]]:
    """Host name, instance id and lines of one run of the story."""
    rng = random.Random(f"{name}#{seed}")
    clock = Clock(rng, float(EPOCH_MS + rng.randrange(14 * 24 * 3600) * 1000))
    host = f"ip-10-{rng.randrange(256)}-{rng.randrange(256)}-{rng.randrange(4, 250)}"
    return host, f"i-0{hexadecimal(rng, 16)}", list(story(clock))
