"""Lines of one host's system log, and the exchanges that they come in.

Message texts are those of OpenSSH, Linux-PAM, sudo, shadow-utils, cron and systemd. Line labels stand apart.
"""

# ruff: noqa: E501  (texts as the services write them)
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from training.scenarios.family import BENIGN
from training.scenarios.site import internet_address

GUESSING, ESCALATION, PERSISTENCE, EVASION = "brute_force", "privilege_escalation", "persistence", "defense_evasion"
PEOPLE = ("ada", "grace", "linus", "margaret", "ken", "barbara")
GUESSES = (
    "root",
    "admin",
    "oracle",
    "test",
    "ubuntu",
    "git",
    "postgres",
    "pi",
    "support",
    "user1",
    "ftpuser",
    "nagios",
    "deploy",
    "webmaster",
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record: when, what program, the message, and apart from it the class it belongs to."""

    time_ms: int
    process: str
    message: str
    label: str

    def text(self, host: str) -> str:
        """RFC 3164 line without priority, as files under /var/log have it. Written in UTC, without the year."""
        moment = datetime.fromtimestamp(self.time_ms / 1000, UTC)
        return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {host} {self.process}: {self.message}"


@dataclass(slots=True)
class Clock:
    """The story's time on one host, and what its lines are drawn from."""

    rng: random.Random
    now_ms: float
    pid: int = 1000

    def wait(self, median_s: float, spread: float = 1.0) -> None:
        self.now_ms += 1000 * median_s * self.rng.lognormvariate(0, spread)

    def line(self, process: str, message: str, label: str = BENIGN, *, numbered: bool = True) -> LogLine:
        return LogLine(int(self.now_ms), f"{process}[{self.pid}]" if numbered else process, message, label)

    def next_process(self) -> None:
        self.pid = 1000 + (self.pid + self.rng.randrange(1, 40)) % 60000


Lines = Iterator[LogLine]


def sign_in(clock: Clock, user: str, address: str, *, method: str = "publickey", label: str = BENIGN) -> Lines:
    port = clock.rng.randrange(1024, 65000)
    yield clock.line("sshd", f"Accepted {method} for {user} from {address} port {port} ssh2", label)
    yield clock.line("sshd", f"pam_unix(sshd:session): session opened for user {user} by (uid=0)", label)


def sign_out(clock: Clock, user: str, address: str) -> Lines:
    yield clock.line(
        "sshd", f"Received disconnect from {address} port {clock.rng.randrange(1024, 65000)}:11: disconnected by user"
    )
    yield clock.line("sshd", f"pam_unix(sshd:session): session closed for user {user}")


def guess(clock: Clock, user: str, address: str, *, known: bool, label: str) -> Lines:
    port, rng = clock.rng.randrange(1024, 65000), clock.rng
    if not known:
        yield clock.line("sshd", f"Invalid user {user} from {address}" + (f" port {port}" if rng.random() < 0.5 else ""), label)
        if rng.random() < 0.6:
            yield clock.line("sshd", f"input_userauth_request: invalid user {user} [preauth]", label)
        if rng.random() < 0.5:
            yield clock.line("sshd", "pam_unix(sshd:auth): check pass; user unknown", label)
    if rng.random() < 0.8:
        yield clock.line(
            "sshd",
            f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}"
            + (f"  user={user}" if known else " "),
            label,
        )
    clock.wait(1.5, 0.5)
    yield clock.line(
        "sshd", f"Failed password for {'' if known else 'invalid user '}{user} from {address} port {port} ssh2", label
    )
    if rng.random() < 0.7:
        yield clock.line(
            "sshd",
            rng.choice(
                (
                    f"Received disconnect from {address}: 11: Bye Bye [preauth]",
                    f"Connection closed by {address} port {port} [preauth]",
                    f"Disconnected from invalid user {user} {address} port {port} [preauth]",
                )
            ),
            label,
        )


def cron(clock: Clock) -> Lines:
    user = clock.rng.choice(("root", "www-data", "backup"))
    yield clock.line("CRON", f"pam_unix(cron:session): session opened for user {user} by (uid=0)")
    yield clock.line(
        "CRON",
        f"({user}) CMD ({clock.rng.choice(('/usr/lib/sysstat/debian-sa1 1 1', 'run-parts --report /etc/cron.hourly', '/opt/app/bin/rotate', 'test -x /usr/sbin/anacron'))})",
    )
    yield clock.line("CRON", f"pam_unix(cron:session): session closed for user {user}")


def services(clock: Clock) -> Lines:
    unit = clock.rng.choice(
        ("apt-daily.service", "logrotate.service", "systemd-tmpfiles-clean.service", "fstrim.service", "man-db.service")
    )
    yield clock.line("systemd", f"Starting {unit}...")
    clock.wait(2)
    yield clock.line("systemd", f"{unit}: Deactivated successfully.")
    if clock.rng.random() < 0.3:
        yield clock.line(
            "kernel",
            clock.rng.choice(
                (
                    "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready",
                    "TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.",
                    "EXT4-fs (nvme0n1p1): re-mounted. Opts: (null)",
                )
            ),
            numbered=False,
        )


def sudo(clock: Clock, user: str, command: str, label: str = BENIGN) -> Lines:
    yield clock.line("sudo", f"{user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}", label, numbered=False)
    yield clock.line("sudo", f"pam_unix(sudo:session): session opened for user root by {user}(uid=0)", label, numbered=False)
    clock.wait(3)
    yield clock.line("sudo", "pam_unix(sudo:session): session closed for user root", label, numbered=False)


def quiet(clock: Clock, turns: int) -> Lines:
    """What every host writes all day: cron, services, people who sign in, now and then a mistyped password."""
    rng, user, home = clock.rng, clock.rng.choice(PEOPLE), internet_address(clock.rng)
    for _ in range(turns):
        clock.next_process()
        kind = rng.random()
        if kind < 0.35:
            yield from cron(clock)
        elif kind < 0.55:
            yield from services(clock)
        elif kind < 0.85:
            if rng.random() < 0.15:
                for _ in range(rng.choice((1, 1, 2))):
                    yield clock.line("sshd", f"Failed password for {user} from {home} port {rng.randrange(1024, 65000)} ssh2")
                    clock.wait(5, 0.5)
            yield from sign_in(clock, user, home, method=rng.choice(("publickey", "publickey", "password")))
            clock.wait(120)
            if rng.random() < 0.5:
                yield from sudo(
                    clock,
                    user,
                    rng.choice(
                        (
                            "/usr/bin/apt-get update",
                            "/usr/bin/systemctl restart nginx",
                            "/usr/bin/journalctl -u app",
                            "/usr/bin/tail /var/log/syslog",
                        )
                    ),
                )
            clock.wait(200)
            yield from sign_out(clock, user, home)
        elif kind < 0.93:  # strangers of the internet who look in once
            stranger = internet_address(rng)
            yield clock.line(
                "sshd",
                rng.choice(
                    (
                        f"Did not receive identification string from {stranger}",
                        f"Connection closed by {stranger} port {rng.randrange(1024, 65000)} [preauth]",
                    )
                ),
            )
            if rng.random() < 0.3:
                yield from guess(clock, rng.choice(GUESSES), stranger, known=False, label=BENIGN)
        else:
            yield from sudo(clock, user, "/usr/bin/ls")
        clock.wait(300, 1.2)
