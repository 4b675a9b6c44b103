"""What training may see, decided once: by family, by technique, by capture; never by row.

The lists of recorded logs stand here as text, so that they do not move when data is added; a test recomputes them.
"""

from __future__ import annotations

#: Stratus techniques held out: the third whose SHA-256 of the name comes first.
HELD_OUT_STRATUS = frozenset(
    {
        "aws.credential-access.ssm-retrieve-securestring-parameters",
        "aws.defense-evasion.cloudtrail-event-selectors",
        "aws.defense-evasion.organizations-leave",
        "aws.execution.ssm-start-session",
        "aws.exfiltration.ec2-security-group-open-port-22-ingress",
        "aws.exfiltration.rds-share-snapshot",
        "aws.lateral-movement.ec2-serial-console-send-ssh-public-key",
        "aws.persistence.lambda-overwrite-code",
    }
)
#: Panther cases held out, by the same rule.
HELD_OUT_PANTHER = frozenset(
    {
        "aws_bedrock_guardrail_update_delete",
        "aws_cloudtrail_event_selectors_disabled",
        "aws_cloudtrail_region_enabled",
        "aws_cloudtrail_unsuccessful_mfa_attempt",
        "aws_console_root_login_failed",
        "aws_ec2_manual_security_group_changes",
        "aws_imds_credential_exfiltration",
        "aws_rds_deletion_protection_disabled",
        "aws_rds_instance_deletion",
        "aws_rds_publicrestore",
        "aws_rds_snapshot_export",
        "aws_rds_snapshot_shared",
        "aws_root_activity",
        "aws_s3_delete_public_access_block",
        "aws_sts_getcalleridentity_trufflehog",
        "aws_waf_disassociation",
    }
)
#: IoT-23 captures by split. 34-1 and 8-1 hold nearly all attacks: one is trained on, the other held out.
TRAIN_CAPTURES = ("34-1", "42-1", "5-1")
VALIDATION_CAPTURES = ("20-1", "7-1")
TEST_CAPTURES = ("8-1", "21-1", "44-1", "4-1")
#: CTU days: evaluation only, their licence keeps them out of weights.
CTU_DAYS = ("008", "010", "011")
#: Day files of CICIDS2017 by split: their benign rows give the shapes of people's flows.
WORKDAYS = ("tuesday_patator", "friday_ddos_file_first10000_benign")
VALIDATION_WORKDAYS = ("friday_morning_bot",)
