"""Benign principals: what each kind does all day, written as scripts (see :mod:`training.scenarios.script`).

A profile has *habits* (drawn again and again) and *rarities* (drawn now and then): sensitive calls that an honest principal
makes too. Without the rarities a detector would learn that a sensitive call is an attack, and would be useless to an administrator.
"""

# ruff: noqa: E501  (a script is read as one line)
from __future__ import annotations

import random
from dataclasses import dataclass

from shared_model.events import Telemetry
from training.scenarios.audit_catalogue import BUILDS, READS, builder_habits, habitual_sensitive, reader_habits
from training.scenarios.family import BENIGN, Family, Split


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of benign principal.

    Attributes
    ----------
    family : Family
    caller : str
        ``user``, ``role``, ``instance`` or ``root`` (:func:`training.scenarios.cloudtrail_records.make_caller`).
    agents : tuple of str
        Programs it uses, one drawn per principal.
    habits, rarities : tuple of str
        Scripts. A rarity is drawn instead of a habit with probability ``rare``.
    pause_s : float
        Median pause between calls of one script; between scripts it is up to fifty times longer.
    """

    family: Family
    caller: str
    agents: tuple[str, ...]
    habits: tuple[str, ...]
    rarities: tuple[str, ...] = ()
    rare: float = 0.08
    pause_s: float = 2.0
    mfa: bool = False


def _profile(
    name: str, imitates: str, split: Split, caller: str, agents: tuple[str, ...], habits: tuple[str, ...], rarities: tuple[str, ...] = (), **more: float
) -> Profile:  # fmt: skip
    family = Family(f"audit/{name}", Telemetry.API_CALLS, BENIGN, "", imitates, split)
    return Profile(
        family,
        caller,
        agents,
        habits,
        rarities,
        rare=more.get("rare", 0.08),
        pause_s=more.get("pause_s", 2.0),
        mfa=bool(more.get("mfa", 0)),
    )


_T, _V, _E = Split.TRAIN, Split.VALIDATION, Split.TEST

PROFILES: tuple[Profile, ...] = (
    _profile(
        "developer", "a developer who reads logs and looks at resources", _T, "user", ("cli", "console", "sdk"),
        (
            "ec2:DescribeInstances logs:DescribeLogGroups logs:DescribeLogStreams*1-3 logs:GetLogEvents*1-6",
            "lambda:ListFunctions lambda:GetFunction*1-4 cloudwatch:GetMetricData*1-5", "s3:ListBuckets s3:GetBucketLocation*1-4",
            "cloudformation:DescribeStacks*1-3 cloudformation:DescribeStackEvents*1-5", "dynamodb:ListTables dynamodb:DescribeTable*1-4",
            "sts:GetCallerIdentity", "sqs:ListQueues sqs:GetQueueAttributes*1-3", "ecr:DescribeRepositories ecr:GetAuthorizationToken",
            "sts:AssumeRole*1-2", "secretsmanager:DescribeSecret*1-2 secretsmanager:GetSecretValue?0.4", "ssm:GetParameter*1-3",
        ),
        (
            "lambda:UpdateFunctionConfiguration", "ec2:AuthorizeSecurityGroupIngress?0.5 ec2:DescribeSecurityGroups*1-2", "iam:GetUser iam:ListAccessKeys iam:CreateAccessKey iam:DeleteAccessKey",
            "ssm:DescribeInstanceInformation*1-3 ssm:StartSession ssm:TerminateSession", "ec2:RunInstances ec2:DescribeInstances*2-6 ec2:CreateTags", "iam:ListRoles!0.9",
        ),
    ),
    _profile(
        "terraform", "infrastructure as code: refreshes everything it owns, then creates and changes in bursts", _T, "role", ("terraform",),
        (
            "sts:GetCallerIdentity ec2:DescribeVpcs*1-4 ec2:DescribeSubnets*1-6 ec2:DescribeRouteTables*1-8 ec2:DescribeSecurityGroups*2-9 ec2:DescribeNetworkAcls*0-4",
            "iam:GetRole*2-9 iam:ListRolePolicies*2-9 iam:ListAttachedRolePolicies*2-9 iam:GetPolicy*0-4 iam:GetPolicyVersion*0-4", "s3:GetBucketPolicy*1-5 s3:GetBucketAcl*1-5 s3:GetBucketTagging*1-5 s3:GetBucketLogging*0-4",
            "ec2:CreateSecurityGroup ec2:AuthorizeSecurityGroupIngress*1-4 ec2:AuthorizeSecurityGroupEgress ec2:DescribeSecurityGroups*1-2",
            "iam:CreateRole iam:PutRolePolicy?0.6 iam:AttachRolePolicy*0-3 iam:GetRole*1-2 iam:PassRole?0.2", "ec2:CreateVpc ec2:DescribeVpcAttribute*2 ec2:CreateSubnet*1-4 ec2:CreateRouteTable ec2:CreateTags*1-4",
            "ssm:PutParameter*1-8 ssm:DescribeParameters*1-8 ssm:ListTagsForResource*1-8", "ssm:GetParameter*2-9 ssm:DescribeParameters*2-9", "secretsmanager:CreateSecret*1-6 secretsmanager:PutSecretValue*1-6 secretsmanager:GetSecretValue*1-6 secretsmanager:DescribeSecret*1-6",
            "rds:DescribeDBInstances*1-8 rds:ListTagsForResource*1-3", "lambda:GetFunction*1-4 lambda:ListVersionsByFunction*1-4 lambda:GetPolicy*0-2", "kms:DescribeKey*1-3 kms:GetKeyPolicy*1-3 kms:Decrypt*0-5",
        ),
        (
            "lambda:UpdateFunctionCode lambda:GetFunction*1-3", "iam:DetachRolePolicy*1-3 iam:DeleteRolePolicy iam:DeleteRole", "iam:UpdateAssumeRolePolicy iam:GetRole", "ssm:DeleteParameter*1-8 secretsmanager:DeleteSecret*1-8",
            "iam:CreateUser iam:GetUser iam:CreateAccessKey iam:AttachUserPolicy", "ec2:DeleteSecurityGroup*1-3 ec2:DeleteSubnet*1-4 ec2:DeleteVpc", "ec2:CreateFlowLogs ec2:DescribeFlowLogs", "cloudtrail:UpdateTrail cloudtrail:DescribeTrails cloudtrail:GetTrailStatus",
            "s3:PutBucketPolicy*1-2 s3:GetBucketPolicy", "rds:CreateDBSnapshot rds:DescribeDBSnapshots*2-8",
        ), pause_s=0.6, rare=0.15,
    ),
    _profile(
        "application", "an application on an instance that reads its configuration and uses its queues and tables", _T, "instance", ("sdk",),
        (
            "ssm:GetParameter*1-2", "secretsmanager:GetSecretValue*1-2", "kms:Decrypt*1-6", "sqs:GetQueueUrl*0-2 sqs:GetQueueAttributes", "sts:AssumeRole?0.4 dynamodb:DescribeTable",
            "ec2:DescribeInstances?0.3 ec2:DescribeTags", "cloudwatch:PutMetricData*1-4", "kms:GenerateDataKey*1-4", "s3:GetBucketLocation?0.5", "logs:CreateLogStream logs:DescribeLogStreams?0.5",
        ),
        ("sts:GetCallerIdentity", "ssm:UpdateInstanceInformation*1-5", "ec2:DescribeInstances!0.5", "secretsmanager:GetSecretValue*2-4"), pause_s=20,
    ),
    _profile(
        "monitoring", "a monitoring service that describes and lists everything every few minutes", _T, "role", ("sdk",),
        (
            "ec2:DescribeInstances*1-4 ec2:DescribeVolumes*1-3 ec2:DescribeRegions", "cloudwatch:ListMetrics*1-6 cloudwatch:GetMetricData*2-12", "rds:DescribeDBInstances*1-3 rds:ListTagsForResource*1-6",
            "lambda:ListFunctions*1-3 lambda:ListTags*1-4", "elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeTargetHealth*1-6", "sqs:ListQueues sqs:GetQueueAttributes*1-9",
            "iam:ListAccountAliases iam:ListRoles?0.3", "ssm:DescribeInstanceInformation*1-5", "autoscaling:DescribeAutoScalingGroups*1-2", "s3:ListBuckets s3:GetBucketTagging*1-9", "tagging:GetResources*1-5",
            "ec2:DescribeSnapshots ec2:DescribeSecurityGroups ec2:DescribeAddresses", "cloudtrail:DescribeTrails cloudtrail:GetTrailStatus?0.5", "health:DescribeEventAggregates*1-3",
        ),
        ("organizations:DescribeOrganization!0.6", "secretsmanager:ListSecrets", "support:DescribeTrustedAdvisorChecks!0.4", "ec2:GetConsoleOutput!0.3"), pause_s=0.8,
    ),
    _profile(
        "backup", "a backup job that takes, copies, shares with the recovery account and retires snapshots", _T, "role", ("sdk",),
        (
            "ec2:DescribeVolumes*1-2 ec2:CreateSnapshot*1-6 ec2:CreateTags*1-6", "ec2:DescribeSnapshots*1-8", "ec2:DeleteSnapshot*1-6", "ec2:CopySnapshot*1-3 ec2:DescribeSnapshots*1-4", "rds:DescribeDBSnapshots*1-4 rds:CreateDBSnapshot*0-2",
            "backup:ListBackupJobs*1-3 backup:StartBackupJob*1-3", "ec2:CreateSnapshot*1-3 ec2:DescribeSnapshots*1-4 ec2:ModifySnapshotAttribute*1-3",
        ), (), pause_s=4,
    ),
    _profile(
        "administrator", "an administrator at the console, signed in with MFA", _T, "user", ("console",),
        (
            "signin:ConsoleLogin iam:ListMFADevices health:DescribeEventAggregates*1-3", "ec2:DescribeInstances*1-3 ec2:DescribeSecurityGroups*1-3 ec2:DescribeVpcs", "iam:ListUsers iam:ListRoles?0.5 iam:GetUser*0-3 iam:ListGroupsForUser*0-3 iam:ListAccessKeys*0-3",
            "cloudwatch:DescribeAlarms*1-4 health:DescribeEventAggregates*1-4", "s3:ListBuckets s3:GetBucketPolicyStatus*1-6 s3:GetBucketPublicAccessBlock*1-6", "ce:GetCostAndUsage*1-3", "cloudtrail:LookupEvents*1-5",
            "rds:DescribeDBInstances*1-2 rds:DescribeOrderableDBInstanceOptions*0-2", "cloudtrail:DescribeTrails cloudtrail:GetTrailStatus*1-2 cloudtrail:GetEventSelectors?0.5", "guardduty:ListDetectors guardduty:ListFindings guardduty:GetFindings*1-3",
        ),
        (
            "iam:ListUsers iam:CreateUser iam:AddUserToGroup*1-2 iam:CreateLoginProfile iam:ListGroupsForUser", "iam:GetRole iam:AttachRolePolicy iam:ListAttachedRolePolicies*1-2", "ec2:DescribeSecurityGroups*1-2 ec2:AuthorizeSecurityGroupIngress ec2:DescribeSecurityGroups",
            "ec2:StopInstances ec2:DescribeInstances*1-4 ec2:StartInstances", "iam:UpdateLoginProfile iam:GetUser", "iam:DeactivateMFADevice iam:ListMFADevices iam:EnableMFADevice", "s3:PutBucketPublicAccessBlock s3:GetBucketPublicAccessBlock",
            "ec2:RevokeSecurityGroupIngress*1-2", "iam:UpdateAccessKey iam:DeleteAccessKey iam:ListAccessKeys",
        ), pause_s=6, mfa=1, rare=0.16,
    ),
    _profile(
        "key-rotation", "a job that renews access keys and removes old ones", _T, "role", ("sdk",),
        ("iam:ListUsers*1-2 iam:ListAccessKeys*2-9 iam:GetAccessKeyLastUsed*2-9", "iam:ListAccessKeys iam:CreateAccessKey iam:UpdateAccessKey secretsmanager:PutSecretValue", "iam:ListAccessKeys*1-3 iam:DeleteAccessKey*1-2", "iam:GenerateCredentialReport iam:GetCredentialReport*1-3"),
        pause_s=1.5,
    ),
    _profile(
        "function-deployer", "a pipeline that ships functions and containers", _T, "role", ("sdk", "cli"),
        (
            "sts:GetCallerIdentity lambda:GetFunction lambda:UpdateFunctionCode lambda:GetFunctionConfiguration*1-3 lambda:PublishVersion lambda:UpdateAlias", "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability*1-4 ecr:PutImage", "ecs:DescribeServices*1-4 ecs:RegisterTaskDefinition ecs:UpdateService ecs:DescribeServices*1-6",
            "cloudformation:DescribeStacks*1-4 cloudformation:CreateChangeSet cloudformation:DescribeChangeSet*1-3 cloudformation:ExecuteChangeSet cloudformation:DescribeStackEvents*1-6", "lambda:UpdateFunctionConfiguration lambda:AddPermission?0.3", "s3:PutBucketVersioning?0.2 s3:ListBuckets",
        ), pause_s=2,
    ),
    _profile(
        "patching", "operations automation that runs commands on the fleet", _T, "role", ("sdk", "cli"),
        ("ssm:DescribeInstanceInformation*1-9", "ssm:SendCommand*1-3 ssm:ListCommandInvocations*1-6 ssm:GetCommandInvocation*1-6", "ec2:DescribeInstances*1-3 ec2:DescribeInstanceStatus*1-3", "ssm:DescribePatchBaselines ssm:DescribeInstancePatchStates*1-3", "ssm:DescribeInstanceInformation*1-3 ssm:SendCommand ssm:GetCommandInvocation*1-6"), pause_s=3,
    ),
    _profile(
        "start-stop", "a schedule that stops idle instances in the evening and starts them in the morning", _T, "role", ("sdk",),
        ("ec2:DescribeInstances*1-3 ec2:StopInstances*1-3 ec2:CreateTags?0.5", "ec2:DescribeInstances*1-3 ec2:StartInstances*1-3", "rds:DescribeDBInstances rds:StopDBInstance?0.5 rds:StartDBInstance?0.5", "autoscaling:DescribeAutoScalingGroups autoscaling:UpdateAutoScalingGroup*1-2"), pause_s=3,
    ),
    _profile(
        "secret-rotation", "a function that rotates secrets", _T, "role", ("sdk",),
        ("secretsmanager:DescribeSecret*1-2 secretsmanager:GetSecretValue*1-3 secretsmanager:GetRandomPassword secretsmanager:PutSecretValue secretsmanager:UpdateSecretVersionStage", "kms:Decrypt*1-3 kms:GenerateDataKey", "secretsmanager:DescribeSecret secretsmanager:GetSecretValue"), pause_s=1,
    ),
    _profile(
        "fleet-support", "a support engineer who opens sessions on hosts many times a day", _T, "user", ("cli", "console"),
        ("ssm:DescribeInstanceInformation*1-4 ssm:StartSession ssm:TerminateSession", "ec2:DescribeInstances*1-3", "ec2:DescribeInstances ssm:StartSession*1-2 ssm:TerminateSession*1-2", "ec2-instance-connect:SendSSHPublicKey?0.4 ec2:DescribeInstances*1-2", "logs:GetLogEvents*1-6", "ec2:GetConsoleOutput*1-2 ec2:DescribeInstanceStatus"), pause_s=8, mfa=1,
    ),
    _profile(
        "posture-scanner", "a security posture scanner that reads every setting of every service, some of them refused", _V, "role", ("sdk",),
        (
            "iam:ListUsers iam:ListRoles iam:GetAccountSummary iam:GetAccountPasswordPolicy iam:ListPolicies*1-4", "iam:ListAttachedUserPolicies*2-9 iam:ListUserPolicies*2-9 iam:ListMFADevices*2-9", "s3:ListBuckets s3:GetBucketPolicy*2-9 s3:GetBucketAcl*2-9 s3:GetBucketEncryption*2-9!0.1",
            "ec2:DescribeSecurityGroups*1-5 ec2:DescribeFlowLogs*1-3 ec2:DescribeSnapshotAttribute*2-9 ec2:DescribeInstanceAttribute*2-6", "cloudtrail:DescribeTrails*1-3 cloudtrail:GetTrailStatus*1-3 cloudtrail:GetEventSelectors*1-3", "guardduty:ListDetectors guardduty:GetDetector", "kms:ListKeys kms:GetKeyPolicy*1-6 kms:GetKeyRotationStatus*1-6!0.1",
            "secretsmanager:ListSecrets secretsmanager:DescribeSecret*1-6", "config:DescribeConfigurationRecorders config:DescribeConfigurationRecorderStatus", "ssm:DescribeParameters*1-2 ssm:DescribeInstanceInformation", "rds:DescribeDBSnapshots rds:DescribeDBSnapshotAttributes*1-6",
        ), pause_s=0.4,
    ),
    _profile(
        "help-desk", "an identity team that adds people, resets passwords and devices all day", _T, "user", ("console",),
        ("signin:ConsoleLogin", "iam:ListUsers iam:GetUser*1-3", "iam:CreateUser iam:AddUserToGroup iam:CreateLoginProfile", "iam:GetLoginProfile iam:UpdateLoginProfile", "iam:ListMFADevices iam:DeactivateMFADevice iam:DeleteVirtualMFADevice", "iam:ListGroups iam:ListGroupsForUser*1-3 iam:RemoveUserFromGroup?0.4", "iam:ListAccessKeys iam:DeleteAccessKey iam:DeleteUser?0.5"), pause_s=9, mfa=1,
    ),
    _profile(
        "event-pipeline", "functions that move data between streams, queues and tables", _V, "role", ("sdk",),
        ("kinesis:DescribeStream*1-3 kinesis:ListShards*1-2", "sqs:GetQueueUrl sqs:GetQueueAttributes*1-3", "dynamodb:DescribeTable*1-3", "kms:Decrypt*1-5", "secretsmanager:GetSecretValue", "firehose:DescribeDeliveryStream", "sts:AssumeRole", "s3:GetBucketLocation*1-3"), ("ssm:GetParametersByPath*1-2", "kms:Decrypt!0.7"), pause_s=12,
    ),
    _profile(
        "data-engineer", "an analyst with notebooks, catalogues and queries", _E, "user", ("sdk", "console"),
        ("glue:GetDatabases glue:GetTables*1-6 glue:GetPartitions*1-6", "athena:StartQueryExecution athena:GetQueryExecution*1-8 athena:GetQueryResults*1-3", "s3:ListBuckets s3:GetBucketLocation*1-5", "glue:GetJobs glue:StartJobRun glue:GetJobRun*1-8", "kms:Decrypt*1-4", "redshift:DescribeClusters*1-2", "sagemaker:ListNotebookInstances sagemaker:DescribeNotebookInstance", "secretsmanager:GetSecretValue"), ("sagemaker:CreatePresignedNotebookInstanceUrl", "lakeformation:GetDataLakeSettings!0.5", "iam:ListRoles?0.6 glue:CreateJob", "redshift:GetClusterCredentials"), pause_s=5,
    ),
    _profile(
        "cluster-nodes", "nodes of a container cluster that pull images, attach disks and register with balancers", _E, "instance", ("sdk",),
        ("ecr:GetAuthorizationToken ecr:BatchGetImage*1-3 ecr:GetDownloadUrlForLayer*1-5", "ec2:DescribeInstances*1-3 ec2:DescribeVolumes ec2:AttachVolume?0.4", "ec2:DescribeNetworkInterfaces*1-3 ec2:AssignPrivateIpAddresses?0.5 ec2:CreateNetworkInterface?0.3 ec2:AttachNetworkInterface?0.3", "elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:RegisterTargets?0.5", "eks:DescribeCluster", "sts:AssumeRoleWithWebIdentity*1-2", "autoscaling:DescribeAutoScalingGroups*1-3", "ec2:DescribeSecurityGroups ec2:AuthorizeSecurityGroupIngress?0.1"), pause_s=6,
    ),
    _profile(
        "finance", "people and tools that watch the bill", _E, "user", ("console", "sdk"),
        ("signin:ConsoleLogin ce:GetCostAndUsage*1-5", "ce:GetCostForecast ce:GetDimensionValues*1-4", "budgets:ViewBudget*1-3", "cur:DescribeReportDefinitions", "ec2:DescribeReservedInstances ec2:DescribeInstances ec2:DescribeVolumes", "organizations:ListAccounts*1-3", "pricing:GetProducts*1-4", "health:DescribeEventAggregates*1-3", "s3:ListBuckets"), ("iam:ListUsers!0.8", "ec2:DescribeSnapshots*1-2 ec2:DeleteSnapshot"), pause_s=8, mfa=1,
    ),
    _profile(
        "site-reliability", "an engineer on call: reads, restarts, scales, opens a session when something burns", _E, "role", ("console", "cli"),
        ("cloudwatch:DescribeAlarms*1-4 cloudwatch:GetMetricData*1-6", "ecs:DescribeServices*1-5 ecs:UpdateService?0.4", "logs:StartQuery logs:GetQueryResults*1-6", "ec2:DescribeInstances*1-3 ec2:RebootInstances?0.2", "autoscaling:DescribeAutoScalingGroups autoscaling:SetDesiredCapacity?0.4", "rds:DescribeDBInstances*1-3 rds:DescribeEvents", "lambda:GetFunctionConfiguration*1-2 lambda:UpdateFunctionConfiguration?0.2", "cloudtrail:LookupEvents*1-3"), ("ssm:StartSession ssm:TerminateSession", "rds:RebootDBInstance", "ec2:ModifyInstanceAttribute ec2:DescribeInstances", "ec2:AuthorizeSecurityGroupIngress ec2:DescribeSecurityGroups"), pause_s=5, mfa=1,
    ),
)  # fmt: skip

#: Made-up principals, drawn anew for each story (:mod:`training.scenarios.audit_catalogue`).
WANDERERS: tuple[Family, ...] = tuple(
    Family(f"audit/{name}", Telemetry.API_CALLS, BENIGN, "", imitates, Split.TRAIN)
    for name, imitates in (
        ("any-reader", "a principal that reads whatever its work needs"),
        ("any-builder", "a principal that makes a few kinds of change again and again"),
        ("any-specialist", "a principal whose work is a sensitive call, which it makes again and again"),
        ("any-mixture", "a principal with the habits of several kinds"),
    )
)


def wanderer(family: Family, rng: random.Random) -> Profile:
    """Draw one principal of a :data:`WANDERERS` family."""
    known = [profile for profile in PROFILES if profile.family.split == family.split]
    if family.name == "audit/any-reader":
        habits = reader_habits(rng)
    elif family.name == "audit/any-builder":
        habits = builder_habits(rng)
    elif family.name == "audit/any-specialist":
        habits = habitual_sensitive(rng)
    else:
        habits = tuple(rng.choice(profile.habits) for profile in rng.choices(known, k=6)) + reader_habits(rng)[:2]
    kind = rng.choice(("user", "role", "role", "instance"))
    agents = rng.choice((("sdk",), ("cli",), ("console",), ("terraform",), ("sdk", "cli")))
    if kind == "user" and agents == ("console",):
        habits += (
            rng.choice(
                (
                    "signin:ConsoleLogin",
                    "signin:ConsoleLogin!1 signin:ConsoleLogin",
                    f"signin:ConsoleLogin {rng.choice(READS)}*1-4",
                )
            ),
        ) * 2
    rarities = (rng.choice(BUILDS), rng.choice(READS) + "!1", f"{rng.choice(READS)} {rng.choice(BUILDS)}")
    return Profile(family, kind, agents, habits, rarities, rare=0.06, pause_s=rng.lognormvariate(1, 1.2), mfa=rng.random() < 0.5)


def owner_of(split: Split, rng: random.Random) -> Profile:
    """Draw an owner for an attack: a written profile of the split, in training half the time a made-up one."""
    if split is Split.TRAIN and rng.random() < 0.5:
        return wanderer(rng.choice(WANDERERS[:2] + WANDERERS[3:]), rng)
    return rng.choice([profile for profile in PROFILES if profile.family.split == split])
