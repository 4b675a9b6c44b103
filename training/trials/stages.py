"""The stages, in the order in which they run."""

from __future__ import annotations

from training.tasks import TASKS
from training.trials import (
    ablation,
    audit_evasion,
    audit_hardening,
    clouds,
    engines,
    families,
    flows,
    folds,
    network_evasion,
    padding,
    platforms,
    recorded,
    refits,
    robustness,
    shipped,
    transfer,
)
from training.trials.stage import Stage

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        folds.STAGE,
        flows.STAGE,
        padding.STAGE,
        ablation.STAGE,
        transfer.STAGE,
        robustness.STAGE,
        network_evasion.STAGE,
        audit_evasion.STAGE,
        audit_hardening.STAGE,
        shipped.STAGE,
        *(refits.stage(detector) for detector in TASKS),
        recorded.STAGE,
        families.STAGE,
        clouds.STAGE,
        platforms.STAGE,
        engines.STAGE,
    )
}
