"""Machines that a job may take, and what they cost at most.

List prices in US dollars an hour, on demand, Linux, as known in November 2026 for us-east-1 and East US. They are there to say
whether a job costs cents or hundreds, and they move: check them against the providers' price pages before you rely on one.
Spot and low-priority machines cost less (a third to a tenth, by the day); what is said here stays the upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Month of the prices below.
PRICES_OF = "November 2026"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine type.

    Attributes
    ----------
    name : str
    processors : int
    accelerator : str
        Empty where there is none.
    dollars_an_hour : float
        On demand.
    own_disk : bool
        It brings a disk of its own, encrypted by its hardware: SageMaker then takes no key for the volume.
    """

    name: str
    processors: int
    accelerator: str
    dollars_an_hour: float
    own_disk: bool = False


SAGEMAKER = {
    machine.name: machine
    for machine in (
        Machine("ml.m5.xlarge", 4, "", 0.23),
        Machine("ml.c5.2xlarge", 8, "", 0.408),
        Machine("ml.c5.4xlarge", 16, "", 0.816),
        Machine("ml.g4dn.xlarge", 4, "1 T4", 0.7364, own_disk=True),
        Machine("ml.g5.xlarge", 4, "1 A10G", 1.408, own_disk=True),
        Machine("ml.g5.2xlarge", 8, "1 A10G", 1.515, own_disk=True),
        Machine("ml.p3.2xlarge", 8, "1 V100", 3.825),
    )
}
AZURE = {
    machine.name: machine
    for machine in (
        Machine("Standard_D4s_v5", 4, "", 0.192),
        Machine("Standard_F8s_v2", 8, "", 0.338),
        Machine("Standard_F16s_v2", 16, "", 0.677),
        Machine("Standard_NC4as_T4_v3", 4, "1 T4", 0.526),
        Machine("Standard_NC8as_T4_v3", 8, "1 T4", 0.752),
        Machine("Standard_NC24ads_A100_v4", 24, "1 A100", 3.673),
    )
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job can cost.

    ``ceiling`` is the longest run at the on-demand price: neither spot nor an early end makes it more. Storage, logs, keys and
    the container registry come to cents and are not in it.
    """

    machine: Machine
    hours: float
    spot: bool

    @property
    def ceiling(self) -> float:
        """US dollars."""
        return self.hours * self.machine.dollars_an_hour

    def __str__(self) -> str:
        kind = "spot, which costs less" if self.spot else "on demand"
        accelerator = f", {self.machine.accelerator}" if self.machine.accelerator else ""
        made_of = f"{self.machine.name} ({self.machine.processors} processors{accelerator})"
        rate = self.machine.dollars_an_hour
        return (
            f"at most ${self.ceiling:.2f}: {made_of} for {self.hours:g} h at ${rate:g} an hour on demand; "
            f"{kind} (list price of {PRICES_OF}, to be checked)"
        )
