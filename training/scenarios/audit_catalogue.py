"""Calls of AWS by what they are used for, to make principals and attacks that nobody wrote down one by one.

A few hand-written families teach a model those families. Drawn from this catalogue, benign principals differ in what they read and
build, and attacks in which sensitive call they make, so that the model has to learn what kind of call it is (service, verb, object).
"""

# ruff: noqa: E501  (a script is read as one line)
from __future__ import annotations

import random

from training.scenarios.held_out import HELD_OUT_OPERATIONS

#: Reads that any tool or person makes.
READS: tuple[str, ...] = tuple(
    f"{service}:{name}"
    for service, names in {
        "ec2": "DescribeInstances DescribeVolumes DescribeVpcs DescribeSubnets DescribeSecurityGroups DescribeImages DescribeKeyPairs DescribeRegions DescribeAddresses DescribeSnapshots DescribeTags DescribeInstanceStatus DescribeInstanceTypes DescribeNetworkInterfaces DescribeNatGateways DescribeLaunchTemplates DescribeVpcEndpoints DescribeFlowLogs DescribeRouteTables DescribeAccountAttributes DescribeInstanceAttribute DescribeSnapshotAttribute",
        "s3": "ListBuckets GetBucketLocation GetBucketPolicy GetBucketAcl GetBucketTagging GetBucketVersioning GetBucketEncryption GetBucketLogging GetBucketPublicAccessBlock GetBucketPolicyStatus GetBucketLifecycle",
        "iam": "ListUsers ListRoles GetUser GetRole ListPolicies GetPolicy ListAttachedRolePolicies ListAccessKeys GetAccountSummary ListGroups ListInstanceProfiles GetAccessKeyLastUsed ListMFADevices ListAccountAliases GetRolePolicy ListUserPolicies",
        "lambda": "ListFunctions GetFunction GetFunctionConfiguration ListVersionsByFunction GetPolicy ListEventSourceMappings ListTags",
        "rds": "DescribeDBInstances DescribeDBClusters DescribeDBSnapshots DescribeEvents ListTagsForResource DescribeDBEngineVersions DescribeDBSnapshotAttributes",
        "dynamodb": "ListTables DescribeTable DescribeTimeToLive ListTagsOfResource DescribeContinuousBackups",
        "cloudwatch": "DescribeAlarms GetMetricData ListMetrics GetMetricStatistics GetDashboard",
        "logs": "DescribeLogGroups DescribeLogStreams GetLogEvents FilterLogEvents GetQueryResults",
        "sqs": "ListQueues GetQueueAttributes GetQueueUrl",
        "sns": "ListTopics GetTopicAttributes ListSubscriptions",
        "ssm": "GetParameter GetParametersByPath DescribeInstanceInformation ListCommands GetCommandInvocation DescribeDocument ListAssociations",
        "secretsmanager": "GetSecretValue DescribeSecret ListSecrets",
        "kms": "ListKeys DescribeKey Decrypt GenerateDataKey ListAliases GetKeyPolicy GetKeyRotationStatus",
        "sts": "GetCallerIdentity AssumeRole AssumeRoleWithWebIdentity",
        "ecs": "ListClusters DescribeClusters DescribeServices DescribeTasks ListTasks DescribeTaskDefinition",
        "eks": "ListClusters DescribeCluster DescribeNodegroup ListAddons",
        "ecr": "DescribeRepositories GetAuthorizationToken BatchGetImage DescribeImages GetDownloadUrlForLayer",
        "cloudformation": "DescribeStacks ListStacks DescribeStackEvents DescribeStackResources GetTemplate",
        "cloudtrail": "DescribeTrails GetTrailStatus LookupEvents GetEventSelectors",
        "guardduty": "ListDetectors GetDetector ListFindings GetFindings",
        "securityhub": "GetFindings DescribeHub GetEnabledStandards",
        "config": "DescribeConfigurationRecorders DescribeConfigRules GetComplianceDetailsByConfigRule",
        "route53": "ListHostedZones ListResourceRecordSets GetHostedZone",
        "elasticloadbalancing": "DescribeLoadBalancers DescribeTargetGroups DescribeTargetHealth DescribeListeners",
        "autoscaling": "DescribeAutoScalingGroups DescribeScalingActivities",
        "glue": "GetDatabases GetTables GetPartitions GetJobs GetJobRun",
        "athena": "GetQueryExecution GetQueryResults ListWorkGroups",
        "kinesis": "DescribeStream ListShards ListStreams",
        "organizations": "DescribeOrganization ListAccounts DescribeAccount",
        "ce": "GetCostAndUsage GetCostForecast GetDimensionValues",
        "health": "DescribeEventAggregates DescribeEvents",
        "backup": "ListBackupJobs ListBackupVaults DescribeBackupJob",
        "apigateway": "GetRestApis GetStages GetResources",
        "cloudfront": "ListDistributions GetDistribution",
        "elasticache": "DescribeCacheClusters DescribeReplicationGroups",
        "sagemaker": "ListNotebookInstances DescribeTrainingJob ListEndpoints",
        "states": "ListStateMachines DescribeExecution GetExecutionHistory",
        "tagging": "GetResources",
        "servicequotas": "ListServiceQuotas GetServiceQuota",
        "ses": "GetSendStatistics",
        "bedrock": "ListFoundationModels",
    }.items()
    for name in names.split()
)
#: Changes that belong to ordinary work.
BUILDS: tuple[str, ...] = tuple(
    f"{service}:{name}"
    for service, names in {
        "ec2": "RunInstances TerminateInstances StartInstances StopInstances RebootInstances CreateTags CreateSecurityGroup CreateVolume AttachVolume DetachVolume DeleteVolume CreateSnapshot DeleteSnapshot CreateImage CreateLaunchTemplateVersion AssociateAddress AllocateAddress CreateNetworkInterface AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress CreateSubnet CreateRoute",
        "s3": "CreateBucket PutBucketTagging PutBucketEncryption PutBucketNotification PutBucketCors PutBucketLifecycle PutBucketVersioning",
        "lambda": "CreateFunction UpdateFunctionCode UpdateFunctionConfiguration PublishVersion UpdateAlias CreateEventSourceMapping TagResource",
        "iam": "CreateRole PutRolePolicy AttachRolePolicy TagRole CreateInstanceProfile AddRoleToInstanceProfile PassRole CreatePolicy UpdateRole DeleteRole",
        "dynamodb": "CreateTable UpdateTable UpdateTimeToLive TagResource",
        "rds": "CreateDBInstance ModifyDBInstance CreateDBSnapshot AddTagsToResource RebootDBInstance",
        "sqs": "CreateQueue SetQueueAttributes TagQueue",
        "sns": "CreateTopic Subscribe SetTopicAttributes",
        "ssm": "PutParameter SendCommand AddTagsToResource UpdateInstanceInformation CreateAssociation StartSession TerminateSession",
        "secretsmanager": "CreateSecret PutSecretValue UpdateSecret TagResource RotateSecret",
        "kms": "CreateGrant CreateKey CreateAlias EnableKeyRotation",
        "ecs": "RegisterTaskDefinition UpdateService RunTask CreateService StopTask",
        "ecr": "PutImage CreateRepository InitiateLayerUpload CompleteLayerUpload",
        "cloudformation": "CreateStack UpdateStack CreateChangeSet ExecuteChangeSet DeleteStack",
        "cloudwatch": "PutMetricAlarm PutMetricData PutDashboard",
        "logs": "CreateLogGroup CreateLogStream PutRetentionPolicy PutSubscriptionFilter StartQuery",
        "route53": "ChangeResourceRecordSets",
        "elasticloadbalancing": "RegisterTargets DeregisterTargets ModifyTargetGroup CreateTargetGroup ModifyListener",
        "autoscaling": "UpdateAutoScalingGroup SetDesiredCapacity CompleteLifecycleAction StartInstanceRefresh",
        "glue": "StartJobRun CreateTable UpdateTable BatchCreatePartition",
        "athena": "StartQueryExecution",
        "states": "StartExecution UpdateStateMachine",
        "events": "PutRule PutTargets",
        "apigateway": "CreateDeployment UpdateStage",
        "cloudfront": "CreateInvalidation UpdateDistribution",
        "backup": "StartBackupJob CreateBackupPlan",
        "sagemaker": "CreateTrainingJob StopNotebookInstance StartNotebookInstance",
    }.items()
    for name in names.split()
)
#: Calls that an intruder makes, by verdict. An honest principal makes them too, as a habit or as a rarity.
SENSITIVE: dict[str, tuple[str, ...]] = {
    verdict: tuple(name for name in names.split() if name not in HELD_OUT_OPERATIONS)
    for verdict, names in {
        "credential_access": "secretsmanager:GetSecretValue*5-14 ssm:GetParameter*6-14 ec2:GetPasswordData*3-12 redshift:GetClusterCredentials*2-4 rds:DownloadDBLogFilePortion*3-8 lambda:GetFunction*8-16 eks:GetToken*2-4 iam:CreateServiceSpecificCredential iam:ResetServiceSpecificCredential ec2:GetConsoleScreenshot*3-9 ec2:GetConsoleOutput*4-12!0.3 cognito-identity:GetCredentialsForIdentity*2-6",
        "privilege_escalation": "iam:AttachUserPolicy iam:PutUserPolicy iam:AttachGroupPolicy iam:PutGroupPolicy iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:PutRolePolicy iam:AttachRolePolicy iam:AddRoleToInstanceProfile iam:UpdateAssumeRolePolicy ec2:AssociateIamInstanceProfile ec2:ReplaceIamInstanceProfileAssociation sso:CreatePermissionSet sso:AttachManagedPolicyToPermissionSet glue:CreateDevEndpoint cloudformation:SetStackPolicy iam:PutRolePermissionsBoundary",
        "persistence": "iam:CreateUser iam:CreateAccessKey iam:CreateLoginProfile iam:UpdateAccessKey iam:CreateVirtualMFADevice iam:UploadSSHPublicKey iam:UploadSigningCertificate lambda:AddPermission lambda:CreateFunctionUrlConfig events:PutTargets ec2:ImportKeyPair ec2:CreateKeyPair iam:UpdateSAMLProvider iam:CreateServiceLinkedRole sts:GetFederationToken rds:AddRoleToDBInstance sso:CreateAccountAssignment cognito-idp:AdminCreateUser",
        "defense_evasion": "cloudtrail:StopLogging cloudtrail:DeleteTrail cloudtrail:UpdateTrail guardduty:DeleteDetector guardduty:UpdateDetector guardduty:CreateFilter guardduty:ArchiveFindings guardduty:UpdateIPSet guardduty:DisassociateMembers guardduty:StopMonitoringMembers ec2:DeleteFlowLogs route53resolver:DisassociateResolverQueryLogConfig route53resolver:DeleteResolverQueryLogConfig securityhub:BatchDisableStandards securityhub:UpdateFindings securityhub:DisassociateMembers config:DeleteEvaluationResults config:PutConfigurationRecorder wafv2:DeleteWebACL wafv2:UpdateWebACL waf-regional:DeleteRule ec2:DeleteNetworkAcl accessanalyzer:DeleteAnalyzer macie2:UpdateMacieSession bedrock:DeleteModelInvocationLoggingConfiguration bedrock:DeleteGuardrail cloudwatch:DisableAlarmActions cloudwatch:PutMetricAlarm logs:PutRetentionPolicy logs:DeleteSubscriptionFilter s3:DeleteBucketPolicy s3:DeleteBucketEncryption ec2:DisableEbsEncryptionByDefault inspector2:Disable events:DisableRule events:DeleteRule events:RemoveTargets shield:DeleteProtection network-firewall:DeleteFirewall organizations:DetachPolicy organizations:DisablePolicyType organizations:RemoveAccountFromOrganization account:DisableRegion detective:DeleteGraph ssm:DeleteResourceDataSync",
        "exfiltration": "ec2:ModifySnapshotAttribute ec2:ModifyImageAttribute ec2:CreateInstanceExportTask ec2:CreateStoreImageTask ec2:CopySnapshot s3:PutBucketPolicy s3:PutBucketAcl s3:PutAccountPublicAccessBlock rds:CreateDBSnapshot rds:ModifyDBClusterSnapshotAttribute rds:RestoreDBClusterFromSnapshot redshift:AuthorizeSnapshotAccess redshift:ModifyCluster ecr:SetRepositoryPolicy lambda:AddLayerVersionPermission sns:AddPermission sqs:AddPermission kms:PutKeyPolicy secretsmanager:PutResourcePolicy glacier:SetVaultAccessPolicy elasticfilesystem:PutFileSystemPolicy elasticfilesystem:CreateMountTarget es:UpdateElasticsearchDomainConfig codebuild:UpdateProjectVisibility dlm:CreateLifecyclePolicy ec2:CreateNetworkAclEntry ec2:AuthorizeSecurityGroupEgress rds:AuthorizeDBSecurityGroupIngress redshift:AuthorizeClusterSecurityGroupIngress ec2:ModifySecurityGroupRules ec2:CreateVpcPeeringConnection ec2:CreateTrafficMirrorSession datasync:CreateTask transfer:CreateUser",
        "execution": "ssm:SendCommand*1-3 ssm:CreateDocument ssm:StartAutomationExecution ec2:ModifyInstanceAttribute ec2:RunInstances*1-3!0.5 lambda:CreateFunction lambda:InvokeFunction*1-5 ssm:ResumeSession*1-3 codebuild:StartBuild*1-2 batch:SubmitJob*1-3 ecs:ExecuteCommand*1-3 glue:UpdateJob lightsail:CreateInstances emr:AddJobFlowSteps sagemaker:CreatePresignedNotebookInstanceUrl sagemaker:CreateNotebookInstance cloud9:CreateEnvironmentEC2",
        "initial_access": "signin:ConsoleLogin*1-2 signin:SwitchRole*2-5 signin:PasswordRecoveryRequested signin:PasswordUpdated sso:Authenticate*2-6!0.7 signin:ExitRole",
        "discovery": "iam:GetAccountAuthorizationDetails iam:SimulatePrincipalPolicy*2-8 organizations:ListAccounts!0.7 iam:ListAttachedUserPolicies*3-9!0.8 ec2:DescribeInstanceAttribute*4-12!0.6 support:DescribeCases!0.7 servicequotas:ListServiceQuotas*3-9!0.4 iam:GenerateCredentialReport iam:GetCredentialReport sts:DecodeAuthorizationMessage*2-4 s3:GetBucketAcl*5-12!0.7 resource-groups:SearchResources*2-6!0.5",
        "lateral_movement": "ec2-instance-connect:SendSSHPublicKey*1-5 ec2:CreateInstanceConnectEndpoint ec2-instance-connect:OpenTunnel*1-4 rds:Connect*2-6 workspaces:CreateWorkspaces eks:AccessKubernetesApi*4-9!0.4",
        "impact": "kms:ScheduleKeyDeletion kms:DisableKey s3:DeleteBucket*1-4 dynamodb:DeleteTable*1-3 ec2:TerminateInstances*2-6 ec2:DeleteVolume*2-6 ec2:DeleteSnapshot*3-9 rds:DeleteDBCluster rds:DeleteDBSnapshot*1-3 rds:DeleteDBInstanceAutomatedBackup rds:RebootDBInstance*2-4 rds:FailoverDBCluster lambda:DeleteFunction*2-6 efs:DeleteFileSystem elasticfilesystem:DeleteFileSystem redshift:DeleteCluster elasticache:DeleteCacheCluster route53:DeleteHostedZone cloudformation:DeleteStack*2-5 bedrock:InvokeModel*6-14 bedrock:PutFoundationModelEntitlement organizations:CloseAccount secretsmanager:DeleteSecret*3-8",
    }.items()
}  # fmt: skip


def reader_habits(rng: random.Random) -> tuple[str, ...]:
    """Scripts of a made-up principal that reads: a few tours of five to twelve services' reads, some refused."""
    refused = rng.choice(("", "", "", "!0.1", "!0.4"))
    reach = rng.randrange(3, 30)
    own = rng.sample(READS, reach)
    return tuple(
        " ".join(f"{rng.choice(own)}*1-{rng.choice((1, 1, 3, 8))}{refused}" for _ in range(rng.randrange(1, 7))) for _ in range(6)
    )


def builder_habits(rng: random.Random) -> tuple[str, ...]:
    """Scripts of a made-up principal that builds: its own few changes, repeated, each among the reads that go with them."""
    changes, reads = rng.sample(BUILDS, rng.randrange(1, 9)), rng.sample(READS, rng.randrange(3, 12))
    return (
        *tuple(
            f"{rng.choice(reads)}*0-4 {rng.choice(changes)}*1-{rng.choice((1, 2, 4))} {rng.choice(reads)}*0-3 {rng.choice(changes)}?0.4"
            for _ in range(5)
        ),
        f"{rng.choice(reads)}*1-3",
    )


def habitual_sensitive(rng: random.Random) -> tuple[str, ...]:
    """Scripts of an honest principal whose work IS a sensitive call: it makes the same one or two again and again."""
    work = [
        rng.choice(SENSITIVE[verdict]).split("*")[0].split("!")[0]
        for verdict in rng.sample(sorted(set(SENSITIVE) - {"discovery", "initial_access"}), 2)
    ]
    reads = rng.sample(READS, 5)
    return (
        *tuple(f"{rng.choice(reads)}*0-2 {rng.choice(work)}*1-2 {rng.choice(reads)}*0-2" for _ in range(4)),
        f"{rng.choice(reads)}*1-2",
    )


def lone_attack(verdict: str, rng: random.Random, forbidden: frozenset[str]) -> str:
    """Script of one to three sensitive calls of the verdict, none of which is forbidden."""
    allowed = [call for call in SENSITIVE[verdict] if call.split("*")[0].split("!")[0] not in forbidden]
    return " ".join(rng.sample(allowed, min(len(allowed), rng.choice((1, 1, 1, 2, 3)))))
