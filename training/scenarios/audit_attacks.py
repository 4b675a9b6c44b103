"""Attacks on the control plane, written as scripts, with technique, what they imitate and the verdict they must lead to.

``prelude`` is what often comes first (and is as common among honest principals); ``script`` is the attack itself. Calls of the
prelude are labelled benign: alone they must not raise a verdict.
"""

# ruff: noqa: E501  (a script is read as one line)
from __future__ import annotations

import random
from dataclasses import dataclass

from shared_model.events import Telemetry
from training.scenarios.audit_catalogue import SENSITIVE, lone_attack
from training.scenarios.family import Family, Split
from training.scenarios.held_out import HELD_OUT_OPERATIONS
from training.scenarios.script import operations


@dataclass(frozen=True, slots=True)
class Attack:
    """One family of attack through the API.

    Attributes
    ----------
    family : Family
    script : str
        The attack, see :mod:`training.scenarios.script`.
    prelude : str
        What comes before it, with the probability that each word states.
    stolen : bool
        The credentials are used from another address and program than their owner's.
    mfa : bool or None
        Whether the caller signed in with MFA; None leaves it as the principal has it.
    """

    family: Family
    script: str
    prelude: str = ""
    stolen: bool = False
    mfa: bool | None = None

    @property
    def operations(self) -> frozenset[str]:
        """The calls that make it what it is."""
        return operations(self.script)


_WHO = "sts:GetCallerIdentity?0.7"
_LOOK = (
    _WHO
    + " iam:ListUsers?0.3!0.3 iam:ListRoles?0.3!0.3 iam:ListAttachedUserPolicies?0.3!0.3 ec2:DescribeInstances?0.4 s3:ListBuckets?0.4"
)
_T, _V, _E = Split.TRAIN, Split.VALIDATION, Split.TEST


def _attack(name: str, verdict: str, technique: str, imitates: str, split: Split, script: str, prelude: str = "", *, stolen: bool = False, mfa: bool | None = None) -> Attack:  # fmt: skip
    seen_by = Split.TEST if operations(script) & HELD_OUT_OPERATIONS else split  # whatever the table says
    return Attack(
        Family(f"audit/{name}", Telemetry.API_CALLS, verdict, technique, imitates, seen_by), script, prelude, stolen, mfa
    )


_CREDENTIALS, _DISCOVERY, _ESCALATION, _PERSISTENCE, _EVASION, _THEFT, _EXECUTION, _ACCESS, _SPREAD, _IMPACT = (
    "credential_access", "discovery", "privilege_escalation", "persistence", "defense_evasion", "exfiltration", "execution",
    "initial_access", "lateral_movement", "impact",
)  # fmt: skip

ATTACKS: tuple[Attack, ...] = (
    # Credentials
    _attack("secrets-harvest", _CREDENTIALS, "T1555.006", "every secret of the account is read in one go", _T, "secretsmanager:ListSecrets*1-3 secretsmanager:GetSecretValue*6-25!0.05", _WHO),
    _attack("secrets-batch-harvest", _CREDENTIALS, "T1555.006", "secrets are read in batches across regions", _E, "secretsmanager:ListSecrets*1-4 secretsmanager:BatchGetSecretValue*4-12", _WHO),
    _attack("parameters-harvest", _CREDENTIALS, "T1552.007", "every secure parameter is read and decrypted", _T, "ssm:DescribeParameters*1-6 ssm:GetParameters*3-12", _WHO),
    _attack("parameters-by-path-harvest", _CREDENTIALS, "T1552.007", "the whole parameter tree is read", _V, "ssm:GetParametersByPath*5-15", _WHO),
    _attack("windows-passwords", _CREDENTIALS, "T1552", "administrator passwords of all instances are asked for", _T, "ec2:GetPasswordData*6-30!0.9", "sts:AssumeRole?0.6 ec2:DescribeInstances?0.6"),
    _attack("instance-credentials-stolen", _CREDENTIALS, "T1552.005", "an instance role's credentials used from outside to look around", _T, "sts:GetCallerIdentity?0.8 ec2:DescribeInstances*1-3!0.2 s3:ListBuckets?0.6!0.3 iam:ListRoles?0.5!0.7 secretsmanager:ListSecrets?0.5!0.5 iam:ListUsers?0.5!0.7 ec2:DescribeSnapshots?0.4", stolen=True),
    _attack("repository-login-stolen", _CREDENTIALS, "T1552", "container registry and code credentials are taken", _E, "ecr:GetAuthorizationToken*1-2 codecommit:ListRepositories codeartifact:GetAuthorizationToken*1-3", _WHO, stolen=True),
    # Discovery
    _attack("enumeration-refused", _DISCOVERY, "T1580", "a stolen key tries what it may do; most is refused", _T, "sts:GetCallerIdentity?0.9 iam:GetUser!0.8 iam:ListAttachedUserPolicies!0.8 iam:ListGroupsForUser!0.8 iam:ListRoles!0.7 s3:ListBuckets!0.6 ec2:DescribeInstances!0.6 lambda:ListFunctions!0.7 secretsmanager:ListSecrets!0.8 rds:DescribeDBInstances!0.6", stolen=True),
    _attack("permission-brute-force", _DISCOVERY, "T1580", "a tool calls every read operation of every service once (enumerate-iam)", _T, "dynamodb:ListTables!0.9 sqs:ListQueues!0.9 sns:ListTopics!0.9 glue:GetDatabases!0.9 ecs:ListClusters!0.9 eks:ListClusters!0.9 kms:ListKeys!0.9 organizations:ListAccounts!0.9 codecommit:ListRepositories!0.9 apigateway:GetRestApis!0.9 route53:ListHostedZones!0.9 elasticbeanstalk:DescribeApplications!0.9 athena:ListWorkGroups!0.9", _WHO),
    _attack("user-data-download", _DISCOVERY, "T1552", "start-up scripts of all instances are read for secrets", _T, "ec2:DescribeInstanceAttribute*6-18!0.8", "sts:AssumeRole?0.5 ec2:DescribeInstances?0.6"),
    _attack("mail-quota-check", _DISCOVERY, "T1526", "a stolen key is tested for sending mail", _E, "ses:GetSendQuota*1-3 ses:ListIdentities*1-2 ses:GetAccount*1-3 ses:GetIdentityVerificationAttributes?0.7", _WHO, stolen=True),
    # Privilege escalation
    _attack("admin-policy-to-user", _ESCALATION, "T1098.003", "the administrator policy attached to one's own user", _T, "iam:AttachUserPolicy*1-2!0.1 iam:ListAttachedUserPolicies?0.5", _LOOK),
    _attack("inline-policy-to-user", _ESCALATION, "T1098.003", "an inline policy that allows everything", _T, "iam:PutUserPolicy*1-2!0.1", _LOOK),
    _attack("policy-version", _ESCALATION, "T1098.003", "a new default version of a policy, or an old one made default", _T, "iam:ListPolicyVersions?0.5 iam:CreatePolicyVersion iam:SetDefaultPolicyVersion?0.5", _LOOK),
    _attack("group-join", _ESCALATION, "T1098", "one's own user added to the administrators", _E, "iam:ListGroups?0.5 iam:AddUserToGroup*1-2!0.1", _LOOK),
    _attack("role-policy", _ESCALATION, "T1098.003", "administrator policy put on a role one can assume, then assumed", _T, "iam:AttachRolePolicy?0.6 iam:PutRolePolicy sts:AssumeRole*1-2", _LOOK),
    _attack("pass-role", _ESCALATION, "T1098.003", "a powerful role passed to a function that is then invoked", _V, "iam:PassRole?0.4 lambda:CreateFunction lambda:Invoke?0.6 lambda:CreateEventSourceMapping?0.3", _LOOK),
    _attack("boundary-removed", _ESCALATION, "T1098.003", "the permission boundary of one's own user is removed", _E, "iam:DeleteUserPermissionsBoundary iam:DeleteRolePermissionsBoundary?0.5", _LOOK),
    # Persistence
    _attack("backdoor-user-key", _PERSISTENCE, "T1098.001", "an access key for another user", _T, "iam:CreateAccessKey*1-2!0.1", _LOOK),
    _attack("new-admin-user", _PERSISTENCE, "T1136.003", "a new user with a key and every right", _T, "iam:CreateUser iam:AttachUserPolicy?0.8 iam:CreateAccessKey?0.9 iam:CreateLoginProfile?0.3", _LOOK),
    _attack("login-profile", _PERSISTENCE, "T1098", "a console password for a user that had none", _T, "iam:DeleteLoginProfile?0.2!1 iam:CreateLoginProfile!0.1", _LOOK),
    _attack("password-reset-other", _PERSISTENCE, "T1098", "somebody else's console password is changed", _V, "iam:UpdateLoginProfile*1-3", _LOOK),
    _attack("backdoor-role-trust", _PERSISTENCE, "T1098", "a role's trust opened to another account", _T, "iam:UpdateAssumeRolePolicy*1-2", _LOOK + " iam:GetRole?0.4"),
    _attack("function-overwrite", _PERSISTENCE, "T1525", "a function's code replaced by somebody who never deploys", _T, "lambda:GetFunction?0.3 lambda:UpdateFunctionCode*1-2", _LOOK + " lambda:ListFunctions?0.5"),
    _attack("function-layer", _PERSISTENCE, "T1525", "a layer slipped under a function, and the function opened to everybody", _E, "lambda:PublishLayerVersion?0.6 lambda:UpdateFunctionConfiguration lambda:AddPermission", _WHO),
    _attack("federation-token", _PERSISTENCE, "T1550.001", "a federation token outlives the key that made it", _T, "sts:GetFederationToken*1-2", _WHO),
    _attack("identity-provider", _PERSISTENCE, "T1484.002", "a foreign identity provider or trust anchor is added", _V, "iam:CreateSAMLProvider?0.6 iam:CreateOpenIDConnectProvider?0.5 rolesanywhere:CreateTrustAnchor rolesanywhere:CreateProfile?0.6", _LOOK),
    _attack("second-factor-removed", _PERSISTENCE, "T1556.006", "second factors of other users are switched off", _E, "iam:DeactivateMFADevice*1-3 iam:DeleteVirtualMFADevice*1-2", "iam:ListMFADevices?0.6 iam:ListUsers?0.5"),
    # Defense evasion
    _attack("trail-stopped", _EVASION, "T1562.008", "the trail is stopped or deleted", _T, "cloudtrail:StopLogging*1-2!0.1 cloudtrail:DeleteTrail?0.5", "cloudtrail:DescribeTrails?0.6 cloudtrail:GetTrailStatus?0.3"),
    _attack("trail-redirected", _EVASION, "T1562.008", "the trail is pointed elsewhere or told to skip events", _T, "cloudtrail:UpdateTrail*1-2 cloudtrail:RemoveTags?0.2", "cloudtrail:DescribeTrails?0.6"),
    _attack("event-selectors", _EVASION, "T1562.008", "management events are excluded from the trail", _T, "cloudtrail:PutEventSelectors*1-2", "cloudtrail:GetEventSelectors?0.4"),
    _attack("flow-logs-removed", _EVASION, "T1562.008", "flow logs of a VPC are deleted", _T, "ec2:DeleteFlowLogs*1-3", "ec2:DescribeFlowLogs?0.5 ec2:DescribeVpcs?0.3"),
    _attack("resolver-logs-removed", _EVASION, "T1562.008", "DNS query logging is taken away", _T, "route53resolver:DisassociateResolverQueryLogConfig?0.4 route53resolver:DeleteResolverQueryLogConfig", "route53resolver:ListResolverQueryLogConfigs?0.5"),
    _attack("threat-detection-off", _EVASION, "T1562.001", "GuardDuty is deleted, suspended or blinded", _T, "guardduty:UpdateDetector?0.5 guardduty:DeleteDetector?0.6 guardduty:CreateIPSet?0.3 guardduty:DisassociateFromMasterAccount?0.3 guardduty:StopMonitoringMembers", "guardduty:ListDetectors?0.7 guardduty:GetDetector?0.4"),
    _attack("configuration-recorder-off", _EVASION, "T1562.001", "configuration recording is stopped and its rules deleted", _V, "config:StopConfigurationRecorder config:DeleteDeliveryChannel?0.5 config:DeleteConfigRule*0-3", "config:DescribeConfigurationRecorders?0.5"),
    _attack("security-hub-off", _EVASION, "T1562.001", "Security Hub and Macie are switched off", _E, "securityhub:DisableSecurityHub?0.9 securityhub:DeleteMembers?0.3 macie2:DisableMacie", _WHO),
    _attack("organisation-left", _EVASION, "T1562.008", "the account leaves its organisation to escape its policies", _T, "organizations:LeaveOrganization*1-2!0.6", "sts:AssumeRole?0.6 organizations:DescribeOrganization?0.4"),
    _attack("log-groups-deleted", _EVASION, "T1070", "log groups and alarms are deleted", _E, "logs:DeleteLogGroup*1-5 logs:DeleteLogStream*0-3 cloudwatch:DeleteAlarms*1-3", "logs:DescribeLogGroups?0.6"),
    _attack("log-bucket-emptied", _EVASION, "T1562.008", "a lifecycle rule erases the log bucket", _V, "s3:PutBucketLifecycle*1-2 s3:PutBucketLogging?0.5", "s3:ListBuckets?0.5"),
    # Exfiltration
    _attack("snapshot-shared", _THEFT, "T1537", "a disk snapshot shared with a foreign account", _T, "ec2:CreateSnapshot?0.4 ec2:ModifySnapshotAttribute*1-3", "ec2:DescribeSnapshots?0.5 ec2:DescribeVolumes?0.3"),
    _attack("image-shared", _THEFT, "T1537", "a machine image shared with a foreign account or everybody", _T, "ec2:CreateImage?0.4 ec2:ModifyImageAttribute*1-3", "ec2:DescribeImages?0.5"),
    _attack("database-snapshot-shared", _THEFT, "T1537", "a database snapshot shared with a foreign account", _T, "rds:CreateDBSnapshot?0.4 rds:ModifyDBSnapshotAttribute*1-2", "rds:DescribeDBSnapshots?0.5 rds:DescribeDBInstances?0.3"),
    _attack("bucket-made-public", _THEFT, "T1537", "a bucket opened to everybody", _T, "s3:PutBucketPublicAccessBlock?0.4 s3:PutBucketPolicy s3:PutBucketAcl?0.4", "s3:ListBuckets?0.5 s3:GetBucketPolicy?0.3"),
    _attack("replication-outward", _THEFT, "T1537", "a bucket or table copied to a foreign account", _E, "s3:PutBucketReplication*1-2 rds:StartExportTask?0.5 dynamodb:ExportTableToPointInTime?0.5", "s3:ListBuckets?0.5"),
    _attack("gate-opened", _THEFT, "T1562.007", "SSH or everything opened to the internet", _T, "ec2:AuthorizeSecurityGroupIngress*1-3", "ec2:DescribeSecurityGroups?0.4 ec2:DescribeInstances?0.3"),
    _attack("network-acl-opened", _THEFT, "T1562.007", "network ACLs and routes changed to let data out", _T, "ec2:ReplaceNetworkAclEntry?0.5 ec2:CreateNetworkAclEntry*1-3 ec2:CreateRoute?0.5 ec2:AuthorizeSecurityGroupEgress?0.5", "ec2:DescribeNetworkAcls?0.5 ec2:DescribeRouteTables?0.3"),
    _attack("function-opened", _PERSISTENCE, "T1525", "a function opened to everybody or given a public address", _T, "lambda:AddPermission*1-2 lambda:CreateFunctionUrlConfig?0.5", "lambda:ListFunctions?0.5"),
    _attack("database-opened", _THEFT, "T1537", "a database cluster made public or restored where the thief can read it", _T, "redshift:ModifyCluster?0.5 rds:RestoreDBClusterFromSnapshot rds:ModifyDBCluster?0.4", "rds:DescribeDBSnapshots?0.5"),
    _attack("security-settings-off", _EVASION, "T1562.001", "encryption defaults, firewalls and analysers are switched off", _T, "ec2:DisableEbsEncryptionByDefault?0.6 accessanalyzer:DeleteAnalyzer?0.6 wafv2:DeleteWebACL?0.5 s3:DeleteBucketEncryption?0.6 ec2:DeleteNetworkAcl?0.3 inspector2:Disable"),
    # Execution
    _attack("remote-commands", _EXECUTION, "T1651", "commands run on instances through SSM by somebody who never does", _T, "ssm:DescribeInstanceInformation*2-25 ssm:SendCommand*1-3 ssm:GetCommandInvocation*1-5", _WHO),
    _attack("remote-sessions", _EXECUTION, "T1651", "interactive sessions on several instances one after the other", _T, "ssm:DescribeInstanceInformation*2-15 ssm:StartSession*2-5 ssm:TerminateSession*1-4", _WHO),
    _attack("user-data-replaced", _EXECUTION, "T1037", "an instance stopped, its start-up script replaced, and started", _T, "ec2:StopInstances ec2:ModifyInstanceAttribute*1-2 ec2:StartInstances", "ec2:DescribeInstances?0.6 ec2:DescribeInstanceAttribute?0.5"),
    _attack("unusual-instances", _EXECUTION, "T1496", "large machines that nobody uses here are launched", _T, "ec2:RunInstances*1-3!0.6", "sts:AssumeRole?0.6 ec2:DescribeInstanceTypes?0.3"),
    _attack("container-task", _EXECUTION, "T1610", "a task is started in somebody else's cluster and entered", _E, "ecs:RegisterTaskDefinition ecs:RunTask*1-2 ecs:ExecuteCommand?0.6", "ecs:ListClusters?0.6 iam:ListRoles?0.3"),
    # Initial access
    _attack("console-without-second-factor", _ACCESS, "T1078.004", "a console sign-in without MFA from a new place", _T, "signin:ConsoleLogin*1-2", stolen=True, mfa=False),
    _attack("console-guessing", _ACCESS, "T1110", "console passwords guessed until one fits", _T, "signin:ConsoleLogin*4-16!0.97 signin:ConsoleLogin?0.3", stolen=True, mfa=False),
    _attack("sign-in-token", _ACCESS, "T1078.004", "keys turned into a console session", _E, "sts:GetFederationToken?0.4 signin:GetSigninToken*1-2", _WHO, stolen=True, mfa=False),
    # Lateral movement
    _attack("key-pushed-to-host", _SPREAD, "T1021.004", "SSH keys pushed to several instances", _T, "ec2-instance-connect:SendSSHPublicKey*2-6", "ec2:DescribeInstances?0.5"),
    _attack("serial-console", _SPREAD, "T1021.008", "the serial console enabled and used", _T, "ec2:EnableSerialConsoleAccess?0.8 ec2-instance-connect:SendSerialConsoleSSHPublicKey*1-4", "ec2:GetSerialConsoleAccessStatus?0.4"),
    _attack("role-chain", _SPREAD, "T1550.001", "role after role assumed until one works", _E, "sts:AssumeRole*6-16!0.7", "iam:ListRoles?0.6", stolen=True),
    # Impact
    _attack("model-abuse", _IMPACT, "T1496", "generative models unlocked and used at the owner's cost", _T, "bedrock:ListFoundationModels?0.4 bedrock:GetFoundationModelAvailability*1-9 bedrock:PutUseCaseForModelAccess?0.5 bedrock:CreateFoundationModelAgreement?0.5 bedrock:PutFoundationModelEntitlement bedrock:InvokeModel*1-4", _WHO),
    _attack("miners", _IMPACT, "T1496", "instances launched in region after region", _V, "ec2:DescribeRegions?0.5 ec2:CreateKeyPair?0.5 ec2:CreateSecurityGroup?0.5 ec2:RunInstances*4-12!0.3 servicequotas:RequestServiceQuotaIncrease?0.4", _WHO, stolen=True),
    _attack("keys-destroyed", _IMPACT, "T1485", "encryption keys scheduled for deletion", _T, "kms:DisableKey?0.5 kms:ScheduleKeyDeletion*1-4", "kms:ListKeys?0.5"),
    _attack("backups-destroyed", _IMPACT, "T1490", "backups and recovery points deleted", _E, "backup:DeleteRecoveryPoint*1-6 backup:DeleteBackupVault?0.5 rds:DeleteDBSnapshot*1-4", "backup:ListBackupVaults?0.5"),
    _attack("databases-destroyed", _IMPACT, "T1485", "databases, tables and buckets deleted", _T, "dynamodb:DeleteTable*1-3 s3:DeleteBucket*0-3 elasticache:DeleteCacheCluster?0.4 redshift:DeleteCluster?0.3", "rds:DescribeDBInstances?0.5"),
)  # fmt: skip

#: Attacks made of any sensitive call of a kind (:mod:`training.scenarios.audit_catalogue`), one family for each verdict. Their script is drawn anew
#: each time, from calls that no validation or test family and no held-out technique consists of.
LONE: tuple[Family, ...] = tuple(
    Family(
        f"audit/any-{verdict.replace('_', '-')}",
        Telemetry.API_CALLS,
        verdict,
        "",
        "any sensitive call of this kind by somebody who never makes it",
        Split.TRAIN,
    )
    for verdict in SENSITIVE
)
#: Calls that only validation and test families make.
RESERVED = frozenset(HELD_OUT_OPERATIONS).union(
    *(attack.operations for attack in ATTACKS if attack.family.split is not Split.TRAIN)
) - frozenset().union(*(attack.operations for attack in ATTACKS if attack.family.split is Split.TRAIN))
_STOLEN_SHARE = 0.35


def lone(family: Family, rng: random.Random) -> Attack:
    """Draw one attack of a :data:`LONE` family."""
    sign_in = family.verdict == "initial_access"
    return Attack(
        family,
        lone_attack(family.verdict, rng, RESERVED),
        rng.choice(("", _WHO, _LOOK)),
        stolen=sign_in or rng.random() < _STOLEN_SHARE,
        mfa=False if sign_in else None,
    )
