"""CICIDS2017 (Sharafaldin, Lashkari, Ghorbani 2018): CICFlowMeter's features of single flows, as several people published them.

The files overlap, spell labels differently and do not all carry the destination port: what all share is 51 features, which
neither name a host nor a port. They are samples (no Heartbleed; few DoS, DDoS, port scans), so figures are of this sample.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from training.benchmarks.records import BENIGN, Records, checked_files
from training.loaders.compressed import read_xz_text

FILES = (
    "tuesday_patator.csv.xz", "friday_morning_bot.csv.xz", "thursday_webattacks_ids_label_encoded.csv.xz",
    "thursday_infiltration.csv.xz", "mixed_dos_portscan_web_bot_sample.csv.xz", "friday_ddos_file_first10000_benign.csv.xz",
    "head_m1.csv.xz", "head_tu1.csv.xz", "head_w1.csv.xz", "head_th1.csv.xz", "head_th2.csv.xz", "head_f1.csv.xz",
    "head_f2.csv.xz", "head_f3.csv.xz", "stratified_all_days_52features_train_half.csv.xz",
)  # fmt: skip
#: Groups of fields that describe the same thing: what the sequence of the CNN-LSTM is made of.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("Flow Duration", "Total Fwd Packets", "Total Length of Fwd Packets", "Subflow Fwd Bytes", "act_data_pkt_fwd",
     "Flow Bytes/s", "Flow Packets/s", "Fwd Packets/s", "Bwd Packets/s"),
    ("Fwd Packet Length Max", "Fwd Packet Length Mean", "Fwd Packet Length Min", "Fwd Packet Length Std",
     "Bwd Packet Length Max", "Bwd Packet Length Mean", "Bwd Packet Length Min", "Bwd Packet Length Std"),
    ("Max Packet Length", "Min Packet Length", "Packet Length Mean", "Packet Length Std", "Packet Length Variance",
     "Average Packet Size"),
    ("Flow IAT Max", "Flow IAT Mean", "Flow IAT Min", "Flow IAT Std", "Fwd IAT Max", "Fwd IAT Mean", "Fwd IAT Min",
     "Fwd IAT Std", "Fwd IAT Total"),
    ("Bwd IAT Max", "Bwd IAT Mean", "Bwd IAT Min", "Bwd IAT Std", "Bwd IAT Total", "Active Max", "Active Mean", "Active Min",
     "Idle Max", "Idle Mean", "Idle Min"),
    ("ACK Flag Count", "FIN Flag Count", "PSH Flag Count", "Fwd Header Length", "Bwd Header Length",
     "Init_Win_bytes_forward", "Init_Win_bytes_backward", "min_seg_size_forward"),
)  # fmt: skip
NUMBERS = tuple(name for group in GROUPS for name in group)
#: Every spelling found in the files (dashes, replacement characters and case are unified before looking).
_LABELS = {
    "benign": (BENIGN, BENIGN), "normal traffic": (BENIGN, BENIGN),
    "ftp-patator": ("FTP-Patator", "brute_force"), "ssh-patator": ("SSH-Patator", "brute_force"),
    "bruteforce": ("Patator", "brute_force"), "brute force": ("Patator", "brute_force"),
    "bot": ("Bot", "bot"), "bots": ("Bot", "bot"),
    "infiltration": ("Infiltration", "infiltration"),
    "webattack": ("Web Attack", "web_attack"), "web attacks": ("Web Attack", "web_attack"),
    "web attack brute force": ("Web Attack", "web_attack"), "web attack xss": ("Web Attack", "web_attack"),
    "web attack sql injection": ("Web Attack", "web_attack"),
    "dos": ("DoS", "dos"), "ddos": ("DDoS", "ddos"),
    "portscan": ("PortScan", "port_scan"), "port scanning": ("PortScan", "port_scan"),
}  # fmt: skip


def load(root: Path) -> Records:
    """Read all files, checked against their sha256, in a fixed order; rows that repeat are still there.

    Raises
    ------
    DataNotAsPublished
        A file is absent or another one.
    ValueError
        A label that is not known, or a file without one of the 51 features.
    """
    files = checked_files(root, "cicids2017", FILES)
    return parse({name: read_xz_text(files[name]) for name in FILES})


def parse(texts: dict[str, str]) -> Records:
    """Read CICFlowMeter tables by name of file: blanks around headers, doubled columns and Infinity cells are known faults."""
    numbers: list[list[float]] = []
    labels: list[tuple[str, str]] = []
    for name, text in texts.items():
        reader = csv.reader(io.StringIO(text))
        header = [column.strip() for column in next(reader)]
        # `Fwd Header Length` stands twice, with equal content: the first place counts.
        place = {column: index for index, column in reversed(list(enumerate(header)))}
        missing = sorted(set(NUMBERS) - place.keys())
        label_at = place.get("Label", place.get("Attack Type"))
        if missing or label_at is None:
            raise ValueError(f"cicids2017/{name}: no column {missing or 'Label'}; is this another export?")
        columns = [place[feature] for feature in NUMBERS]
        for record, row in enumerate(reader, 2):
            if not row:
                continue
            key = " ".join(row[label_at].replace("�", " ").replace("–", " ").lower().split())
            if key not in _LABELS:
                raise ValueError(f"cicids2017/{name}, line {record}, Label: {row[label_at]!r} is not known; add its spelling")
            numbers.append([float(row[column] or "nan") for column in columns])
            labels.append(_LABELS[key])
    table = np.array(numbers, np.float64)
    table[~np.isfinite(table)] = np.nan
    return Records(
        table, np.zeros((len(table), 0), "U1"), np.array([attack for attack, _ in labels]),
        np.array([family for _, family in labels]), NUMBERS, (),
    )  # fmt: skip
