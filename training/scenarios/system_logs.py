"""Writes system logs of one host: RFC 3164 lines as Debian and Amazon Linux write them, and the CloudWatch Logs subscription payload.

Message texts are those of OpenSSH, Linux-PAM, sudo, shadow-utils, cron and systemd. Line labels stand apart.
"""

# ruff: noqa: E501  (texts as the services write them)
from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared_model.events import Telemetry
from training.scenarios.family import BENIGN, Family, Split
from training.scenarios.site import ACCOUNT, EPOCH_MS, hexadecimal, internet_address

GUESSING, ESCALATION, PERSISTENCE, EVASION = "brute_force", "privilege_escalation", "persistence", "defense_evasion"
_PEOPLE = ("ada", "grace", "linus", "margaret", "ken", "barbara")
_GUESSES = (
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
HostStory = Callable[[Clock], Lines]
SYSTEM: dict[Family, HostStory] = {}


def _story(name: str, verdict: str, technique: str, imitates: str, split: Split) -> Callable[[HostStory], HostStory]:
    def register(story: HostStory) -> HostStory:
        SYSTEM[Family(f"system/{name}", Telemetry.SYSTEM_LOGS, verdict, technique, imitates, split)] = story
        return story

    return register


def _sign_in(clock: Clock, user: str, address: str, *, method: str = "publickey", label: str = BENIGN) -> Lines:
    port = clock.rng.randrange(1024, 65000)
    yield clock.line("sshd", f"Accepted {method} for {user} from {address} port {port} ssh2", label)
    yield clock.line("sshd", f"pam_unix(sshd:session): session opened for user {user} by (uid=0)", label)


def _sign_out(clock: Clock, user: str, address: str) -> Lines:
    yield clock.line(
        "sshd", f"Received disconnect from {address} port {clock.rng.randrange(1024, 65000)}:11: disconnected by user"
    )
    yield clock.line("sshd", f"pam_unix(sshd:session): session closed for user {user}")


def _guess(clock: Clock, user: str, address: str, *, known: bool, label: str) -> Lines:
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


def _cron(clock: Clock) -> Lines:
    user = clock.rng.choice(("root", "www-data", "backup"))
    yield clock.line("CRON", f"pam_unix(cron:session): session opened for user {user} by (uid=0)")
    yield clock.line(
        "CRON",
        f"({user}) CMD ({clock.rng.choice(('/usr/lib/sysstat/debian-sa1 1 1', 'run-parts --report /etc/cron.hourly', '/opt/app/bin/rotate', 'test -x /usr/sbin/anacron'))})",
    )
    yield clock.line("CRON", f"pam_unix(cron:session): session closed for user {user}")


def _system(clock: Clock) -> Lines:
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


def _sudo(clock: Clock, user: str, command: str, label: str = BENIGN) -> Lines:
    yield clock.line("sudo", f"{user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}", label, numbered=False)
    yield clock.line("sudo", f"pam_unix(sudo:session): session opened for user root by {user}(uid=0)", label, numbered=False)
    clock.wait(3)
    yield clock.line("sudo", "pam_unix(sudo:session): session closed for user root", label, numbered=False)


def quiet(clock: Clock, turns: int) -> Lines:
    """What every host writes all day: cron, services, people who sign in, now and then a mistyped password."""
    rng, user, home = clock.rng, clock.rng.choice(_PEOPLE), internet_address(clock.rng)
    for _ in range(turns):
        clock.next_process()
        kind = rng.random()
        if kind < 0.35:
            yield from _cron(clock)
        elif kind < 0.55:
            yield from _system(clock)
        elif kind < 0.85:
            if rng.random() < 0.15:
                for _ in range(rng.choice((1, 1, 2))):
                    yield clock.line("sshd", f"Failed password for {user} from {home} port {rng.randrange(1024, 65000)} ssh2")
                    clock.wait(5, 0.5)
            yield from _sign_in(clock, user, home, method=rng.choice(("publickey", "publickey", "password")))
            clock.wait(120)
            if rng.random() < 0.5:
                yield from _sudo(
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
            yield from _sign_out(clock, user, home)
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
                yield from _guess(clock, rng.choice(_GUESSES), stranger, known=False, label=BENIGN)
        else:
            yield from _sudo(clock, user, "/usr/bin/ls")
        clock.wait(300, 1.2)


@_story("idle-host", BENIGN, "", "cron, services and one administrator", Split.TRAIN)
def idle_host(clock: Clock) -> Lines:
    yield from quiet(clock, 25)


@_story("jump-host", BENIGN, "", "many people signing in and out, some with mistyped passwords", Split.TRAIN)
def jump_host(clock: Clock) -> Lines:
    rng = clock.rng
    for _ in range(30):
        clock.next_process()
        user, address = rng.choice(_PEOPLE), internet_address(rng)
        if rng.random() < 0.25:
            yield clock.line(
                "sshd",
                f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user={user}",
            )
            clock.wait(2, 0.4)
            yield clock.line("sshd", f"Failed password for {user} from {address} port {rng.randrange(1024, 65000)} ssh2")
            clock.wait(4, 0.4)
        yield from _sign_in(clock, user, address, method=rng.choice(("publickey", "password")))
        clock.wait(90)
        yield from _sign_out(clock, user, address)
        clock.wait(60)


@_story(
    "maintained-host",
    BENIGN,
    "",
    "an administrator installs packages, adds service accounts and edits configuration",
    Split.TRAIN,
)
def maintained_host(clock: Clock) -> Lines:
    rng, user, home = clock.rng, clock.rng.choice(_PEOPLE), internet_address(clock.rng)
    yield from quiet(clock, 4)
    yield from _sign_in(clock, user, home)
    for _ in range(rng.randrange(5, 14)):
        clock.wait(40)
        yield from _sudo(
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
    yield from _sign_out(clock, user, home)
    yield from quiet(clock, 6)


@_story("file-server", BENIGN, "", "transfers, name server and printing messages with some failed sign-ins", Split.VALIDATION)
def file_server(clock: Clock) -> Lines:
    rng = clock.rng
    for _ in range(20):
        clock.next_process()
        yield clock.line("vsftpd", f"connection from {internet_address(rng)} () at {rng.randrange(24)}:10:02")
        yield from rng.choice((_cron, _system))(clock)
        if rng.random() < 0.2:
            user = rng.choice(_PEOPLE)
            yield clock.line("su", f"pam_unix(su:session): session opened for user {user} by (uid=0)")
            yield clock.line("su", f"pam_unix(su:session): session closed for user {user}")
        clock.wait(200)


@_story("build-host", BENIGN, "", "a build agent whose service account signs in every few minutes", Split.TEST)
def build_host(clock: Clock) -> Lines:
    agent, controller = "jenkins", internet_address(clock.rng)
    for _ in range(25):
        clock.next_process()
        yield from _sign_in(clock, agent, controller)
        clock.wait(60)
        if clock.rng.random() < 0.4:
            yield from _sudo(clock, agent, "/usr/bin/docker build .")
        yield from _sign_out(clock, agent, controller)
        clock.wait(150, 0.4)
        if clock.rng.random() < 0.3:
            yield from _system(clock)


@_story("ssh-guessing", GUESSING, "T1110.001", "one address guesses root and common names", Split.TRAIN)
def ssh_guessing(clock: Clock) -> Lines:
    rng, guesser = clock.rng, internet_address(clock.rng)
    yield from quiet(clock, rng.randrange(0, 10))
    only_root = rng.random() < 0.4
    for _ in range(rng.randrange(8, 40)):
        clock.next_process()
        user = "root" if only_root else rng.choice(_GUESSES)
        yield from _guess(clock, user, guesser, known=user == "root" or rng.random() < 0.15, label=GUESSING)
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
        guesser, user = rng.choice(guessers), rng.choice(_GUESSES)
        if rng.random() < 0.2:
            yield clock.line(
                "sshd",
                f"reverse mapping checking getaddrinfo for host-{rng.randrange(999)}.example.net [{guesser}] failed - POSSIBLE BREAK-IN ATTEMPT!",
                GUESSING,
            )
        yield from _guess(clock, user, guesser, known=user == "root", label=GUESSING)
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
        yield from _guess(clock, "root", guesser, known=True, label=GUESSING)
        clock.wait(3, 0.5)
    yield from _sign_in(clock, "root", guesser, method="password", label=GUESSING)


@_story("name-spraying", GUESSING, "T1110.003", "many names tried once each, slowly", Split.TEST)
def name_spraying(clock: Clock) -> Lines:
    rng, guesser = clock.rng, internet_address(clock.rng)
    yield from quiet(clock, rng.randrange(2, 8))
    for turn in range(rng.randrange(10, 30)):
        clock.next_process()
        yield from _guess(clock, f"{rng.choice(_PEOPLE)}{turn}", guesser, known=False, label=GUESSING)
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
    yield from _sudo(clock, user, rng.choice(("/bin/bash", "/bin/sh -p", "/usr/bin/python3 -c import pty")), ESCALATION)


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
    yield from _sign_in(clock, "root", internet_address(rng), method="password")
    clock.wait(15)
    yield clock.line("useradd", f"new group: name={name}, GID={uid}", PERSISTENCE)
    yield clock.line(
        "useradd",
        f"new user: name={name}, UID={uid}, GID={uid}, home=/home/{name}, shell=/bin/bash, from=/dev/pts/0",
        PERSISTENCE,
    )
    yield clock.line("passwd", f"pam_unix(passwd:chauthtok): password changed for {name}", PERSISTENCE)
    yield clock.line("usermod", f"add '{name}' to group '{rng.choice(('sudo', 'wheel'))}'", PERSISTENCE)
    yield from _sign_in(clock, name, internet_address(rng), method="password", label=PERSISTENCE)


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
        yield from _sudo(clock, user, command, EVASION)
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
