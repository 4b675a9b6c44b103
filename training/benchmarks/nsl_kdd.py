"""NSL-KDD (Tavallaee, Bagheri, Lu, Ghorbani 2009): KDDTrain+, KDDTest+, KDDTest-21.

41 features, the attack's name, a difficulty that is no feature. Rows carry neither time nor addresses.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from training.benchmarks.records import BENIGN, Records, checked_files
from training.loaders.compressed import read_xz_text

TRAIN, TEST, TEST_21 = "KDDTrain+.txt.xz", "KDDTest+.txt.xz", "KDDTest-21.txt.xz"
CATEGORIES = ("protocol_type", "service", "flag")
NUMBERS = (
    "duration", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent", "hot", "num_failed_logins", "logged_in",
    "num_compromised", "root_shell", "su_attempted", "num_root", "num_file_creations", "num_shells", "num_access_files",
    "num_outbound_cmds", "is_host_login", "is_guest_login", "count", "srv_count", "serror_rate", "srv_serror_rate",
    "rerror_rate", "srv_rerror_rate", "same_srv_rate", "diff_srv_rate", "srv_diff_host_rate", "dst_host_count",
    "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate", "dst_host_same_src_port_rate",
    "dst_host_srv_diff_host_rate", "dst_host_serror_rate", "dst_host_srv_serror_rate", "dst_host_rerror_rate",
    "dst_host_srv_rerror_rate",
)  # fmt: skip
#: Always zero, in training and in test.
CONSTANT = ("num_outbound_cmds",)
#: Neighbouring groups of fields in the record's own order: what the sequence of the CNN-LSTM is made of.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("protocol_type", "flag", "land", "wrong_fragment", "urgent"),
    ("service", "duration", "src_bytes", "dst_bytes"),
    NUMBERS[6:16] + NUMBERS[17:19],
    NUMBERS[19:28],
    NUMBERS[28:34],
    NUMBERS[34:38],
)
_FAMILIES = {
    "dos": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm worm",
    "probe": "ipsweep nmap portsweep satan mscan saint",
    "r2l": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster httptunnel named sendmail snmpgetattack "
    "snmpguess xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl rootkit ps sqlattack xterm",
}
FAMILY = {attack: family for family, attacks in _FAMILIES.items() for attack in attacks.split()} | {BENIGN: BENIGN}
_COLUMNS = (NUMBERS[0], *CATEGORIES, *NUMBERS[1:])


def load(root: Path, name: str) -> Records:
    """Read one of the three files, checked against its sha256, every row in its order.

    Raises
    ------
    DataNotAsPublished
        The file is absent or another one.
    ValueError
        An attack that the published description does not know.
    """
    return parse(read_xz_text(checked_files(root, "nsl_kdd", [name])[name]))


def parse(text: str) -> Records:
    """Read rows of 41 features, name, difficulty. The description of the fields is Field_Names.csv of the data set."""
    rows = list(csv.reader(io.StringIO(text)))
    at = {column: index for index, column in enumerate(_COLUMNS)}
    kept = tuple(name for name in NUMBERS if name not in CONSTANT)
    attacks = np.array([BENIGN if row[41] == "normal" else row[41] for row in rows])
    unknown = sorted(set(attacks.tolist()) - FAMILY.keys())
    if unknown:
        raise ValueError(f"attack names that NSL-KDD does not have: {unknown}; is this another file?")
    return Records(
        np.array([[row[at[name]] for name in kept] for row in rows], np.float64),
        np.array([[row[at[name]] for name in CATEGORIES] for row in rows]),
        attacks,
        np.array([FAMILY[attack] for attack in attacks.tolist()]),
        kept,
        CATEGORIES,
    )
