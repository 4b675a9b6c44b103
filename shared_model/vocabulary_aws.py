"""How AWS's services and operations map into :mod:`shared_model.vocabulary`. Tables only.

Sources: the Service Authorization Reference (services, actions) and CloudTrail's supported services.
"""

from __future__ import annotations

_GROUPS = {
    "identity": "iam rolesanywhere access-analyzer",
    "token": "sts",
    "sign_in": "signin",
    "directory": "sso sso-directory identitystore cognito-idp cognito-identity ds",
    "organization": "organizations account controltower ram servicecatalog servicecatalog-appregistry resource-explorer-2",
    "compute": "ec2 lightsail cloud9",
    "scaling": "autoscaling application-autoscaling",
    "function": "lambda states",
    "container": "ecs ecr ecr-public eks batch apprunner",
    "object_storage": "s3 s3express s3-outposts glacier",
    "file_storage": "elasticfilesystem fsx storagegateway datasync transfer",
    "backup": "backup dlm ebs",
    "database": "rds rds-data dynamodb redshift redshift-data elasticache docdb neptune-db memorydb dms qldb",
    "analytics": "athena glue es opensearch elasticmapreduce kinesis firehose kafka lakeformation quicksight",
    "secret": "secretsmanager",
    "management": "ssm ssmmessages ec2messages ssm-incidents ssm-guiconnect resource-groups tagging",
    "key": "kms acm acm-pca cloudhsm cloudhsmv2",
    "audit_log": "cloudtrail cloudtrail-data config",
    "threat_detection": "guardduty securityhub macie macie2 inspector inspector2 detective wafv2 waf waf-regional shield "
    "network-firewall fms securitylake auditmanager",
    "monitoring": "monitoring events scheduler xray oam synthetics health devops-guru notifications",
    "log": "logs",
    "dns": "route53 route53resolver route53domains",
    "edge": "cloudfront apigateway globalaccelerator execute-api appsync",
    "load_balancing": "elasticloadbalancing",
    "messaging": "sqs sns mq",
    "email": "ses email pinpoint workmail",
    "deployment": "cloudformation codebuild codepipeline codecommit codedeploy codeartifact codestar-connections "
    "cloudcontrolapi elasticbeanstalk amplify",
    "machine_learning": "bedrock bedrock-runtime sagemaker comprehend rekognition",
    "remote_access": "ec2-instance-connect workspaces appstream",
    "cost": "ce budgets cur pricing billing billingconsole freetier payments purchase-orders tax",
    "support": "support supportapp trustedadvisor servicequotas",
}
#: ``eventSource`` without its domain → service group.
SERVICES_OF_AWS: dict[str, str] = {service: group for group, services in _GROUPS.items() for service in services.split()}

_VERBS = {
    "list": "List",
    "describe": "Describe",
    "get": "Get View Read Head BatchGet BatchCheck Check Test Simulate Validate Verify Preview",
    "search": "Search Query Scan Select Lookup Filter",
    "create": "Create Generate Allocate Request Issue Provision Purchase BatchCreate",
    "add": "Add Assign Attach Associate Register Join Subscribe Accept",
    "put": "Put Upload Publish BatchPut BatchWrite Write Complete Initiate",
    "update": "Update Modify Change Set Edit Replace Rename Reset Rotate Move Configure BatchUpdate",
    "delete": "Delete Purge Destroy ScheduleKeyDeletion BatchDelete Release Terminate Cancel",
    "remove": "Remove Unassign Detach Disassociate Deregister Unsubscribe Reject",
    "start": "Start Run Resume Reboot Restart Retry",
    "stop": "Stop Suspend Pause Abort Failover",
    "enable": "Enable Activate",
    "disable": "Disable Deactivate",
    "grant": "Authorize Grant Share Allow",
    "revoke": "Revoke Deny Unshare",
    "assume": "Assume",
    "authenticate": "Authenticate ConsoleLogin Login SignIn",
    "invoke": "Invoke Execute Send Call",
    "copy": "Copy Export Download Restore Backup Replicate",
    "import": "Import",
    "encrypt": "Encrypt ReEncrypt Sign",
    "decrypt": "Decrypt",
    "tag": "Tag Untag",
    "leave": "Leave",
}
#: Beginning of an ``eventName`` → verb, longest beginning first.
VERB_PREFIXES: tuple[tuple[str, str], ...] = tuple(
    sorted(
        ((prefix, verb) for verb, prefixes in _VERBS.items() for prefix in prefixes.split()),
        key=lambda item: (-len(item[0]), item[0]),
    )
)

# What a word in the rest of the name means. The first line that matches wins: a role's policy is a policy.
_OBJECTS = """
code: functioncode
policy: policy policies permission guardrail
trail: trail eventselector insightselector eventdatastore deliverychannel configurationrecorder configrule
flow_log: flowlog querylogconfig trafficmirror
public_access: publicaccess bucketacl objectacl accesspoint bucketwebsite bucketcors projectvisibility
mfa: mfa
access_key: accesskey sshpublickey servicespecificcredential signingcertificate keypair serialconsole
login: loginprofile password credentialreport signintoken
identity_provider: samlprovider openidconnect identityprovider trustanchor
session: sessiontoken federationtoken calleridentity session controlchannel datachannel
finding: finding insight
detector: detector publishingdestination threatintel ipset webacl rulegroup
security_group: securitygroup
startup: userdata startupscript
snapshot: snapshot backup recoverypoint
image: image
volume: volume
route: route gateway vpnconnection
database: dbinstance dbcluster dbparameter dblog dbengine dbsubnet globalcluster database orderabledb
role: instanceprofile role profile
interface: networkinterface address eip
network: vpc subnet networkacl dhcp endpoint peering availabilityzone
function: function layer alias eventsourcemapping
code: code repository project pipeline
container: container taskdefinition service
cluster: cluster nodegroup
secret: secret
parameter: parameter
certificate: certificate
key: key encryption kms datakey
command: command document association automation
model: model inference
domain: hostedzone domain resourcerecord
email: sendquota emailidentity identity sender
queue: queue topic message subscription
stack: stack changeset
log: loggroup logstream logevent logging log
alarm: alarm rule metric dashboard eventbus
startup: launchtemplate launchconfiguration
instance: instance spotfleet
user: user
group: group
tag: tags tagging tagset
bucket: bucket
file: object file multipart
account: account region organizationalunit contact
organization: organization
quota: quota limit
job: job task execution workflow crawler query
"""
#: Word (lower case, without separators) → object, most telling first.
OBJECT_WORDS: tuple[tuple[str, str], ...] = tuple(
    (word, line.partition(":")[0]) for line in _OBJECTS.strip().splitlines() for word in line.partition(":")[2].split()
)

#: Object of an operation whose name holds none, by ``eventSource``.
OBJECT_OF_SERVICE: dict[str, str] = {
    "apigateway": "domain",
    "athena": "job",
    "autoscaling": "instance",
    "batch": "job",
    "bedrock": "model",
    "bedrock-runtime": "model",
    "cloudformation": "stack",
    "cloudfront": "domain",
    "cloudtrail": "trail",
    "codeartifact": "code",
    "codebuild": "code",
    "codecommit": "code",
    "codepipeline": "code",
    "config": "trail",
    "detective": "detector",
    "dynamodb": "database",
    "ec2-instance-connect": "access_key",
    "ec2messages": "queue",
    "ecr": "container",
    "ecs": "container",
    "eks": "cluster",
    "elasticloadbalancing": "network",
    "elasticmapreduce": "cluster",
    "firehose": "queue",
    "glue": "database",
    "guardduty": "detector",
    "health": "alarm",
    "iam": "account",
    "inspector2": "detector",
    "kafka": "queue",
    "kinesis": "queue",
    "kms": "key",
    "lambda": "function",
    "logs": "log",
    "macie2": "detector",
    "organizations": "organization",
    "rds": "database",
    "redshift": "database",
    "route53": "domain",
    "s3": "bucket",
    "sagemaker": "model",
    "secretsmanager": "secret",
    "securityhub": "detector",
    "servicequotas": "quota",
    "ses": "email",
    "shield": "detector",
    "signin": "user",
    "sns": "queue",
    "sqs": "queue",
    "ssm": "instance",
    "ssmmessages": "session",
    "sso": "user",
    "states": "job",
    "sts": "session",
    "tagging": "tag",
    "wafv2": "detector",
}

#: Operations whose name misleads: (``eventSource`` or ``""`` for any, ``eventName``) → (verb, object).
OPERATIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("cloudtrail", "StartLogging"): ("enable", "trail"),
    ("cloudtrail", "StopLogging"): ("disable", "trail"),
    ("ec2", "DescribeInstanceAttribute"): ("describe", "instance"),
    ("ec2", "GetConsoleOutput"): ("get", "instance"),
    ("ec2", "GetPasswordData"): ("get", "login"),
    ("ec2", "RunInstances"): ("create", "instance"),
    ("ec2", "TerminateInstances"): ("delete", "instance"),
    ("ec2", "GetLaunchTemplateData"): ("get", "startup"),
    ("ec2-instance-connect", "SendSSHPublicKey"): ("add", "access_key"),
    ("ec2-instance-connect", "SendSerialConsoleSSHPublicKey"): ("add", "access_key"),
    ("guardduty", "ArchiveFindings"): ("disable", "finding"),
    ("guardduty", "UnarchiveFindings"): ("enable", "finding"),
    ("iam", "GetAccountAuthorizationDetails"): ("list", "policy"),
    ("kms", "ScheduleKeyDeletion"): ("delete", "key"),
    ("s3", "ListObjects"): ("list", "file"),
    ("s3", "GetObject"): ("get", "file"),
    ("securityhub", "BatchDisableStandards"): ("disable", "detector"),
    ("securityhub", "BatchEnableStandards"): ("enable", "detector"),
    ("signin", "ConsoleLogin"): ("authenticate", "user"),
    ("signin", "GetSigninToken"): ("assume", "session"),
    ("signin", "PasswordUpdated"): ("update", "login"),
    ("signin", "SwitchRole"): ("assume", "role"),
    ("ssm", "ResumeSession"): ("connect", "session"),
    ("ssm", "SendCommand"): ("invoke", "command"),
    ("ssm", "StartSession"): ("connect", "session"),
    ("ssm", "TerminateSession"): ("disconnect", "session"),
    ("sts", "GetFederationToken"): ("assume", "session"),
    ("sts", "GetSessionToken"): ("assume", "session"),
    ("sts", "AssumeRole"): ("assume", "role"),
    ("sts", "AssumeRoleWithSAML"): ("assume", "role"),
    ("sts", "AssumeRoleWithWebIdentity"): ("assume", "role"),
    ("", "CreateServiceLinkedRole"): ("create", "role"),
}
