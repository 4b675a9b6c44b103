"""The stages, in the order in which they run."""

from __future__ import annotations

from training.trials import ablation, audit_evasion, clouds, engines, families, flows, platforms, robustness, transfer
from training.trials.stage import Stage

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        flows.STAGE,
        ablation.STAGE,
        transfer.STAGE,
        robustness.STAGE,
        audit_evasion.STAGE,
        families.STAGE,
        clouds.STAGE,
        platforms.STAGE,
        engines.STAGE,
    )
}
