"""Calls of the recorded techniques that are held out: no scenario that training sees may contain one as an attack."""

#: The calls that make up what is held out. Nothing that contains one of them is attack in training, wherever it comes from: a
#: technique of which a scenario or another data set shows the same call would not be unseen. ConsoleLogin is the exception:
#: every sign-in attack is that one call, and what tells them apart is the outcome, the caller and the order.
HELD_OUT_OPERATIONS = frozenset(
    {
        "ssm:DescribeParameters",
        "ssm:GetParameters",
        "cloudtrail:PutEventSelectors",
        "organizations:LeaveOrganization",
        "ssm:StartSession",
        "ssm:TerminateSession",
        "ec2:AuthorizeSecurityGroupIngress",
        "rds:ModifyDBSnapshotAttribute",
        "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        "ec2:EnableSerialConsoleAccess",
        "lambda:UpdateFunctionCode",
        "bedrock:UpdateGuardrail",
        "cloudtrail:EnableRegion",
        "rds:ModifyDBInstance",
        "rds:DeleteDBInstance",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:StartExportTask",
        "s3:PutBucketVersioning",
        "s3:DeleteBucketPublicAccessBlock",
        "s3:DeletePublicAccessBlock",
        "wafv2:DisassociateWebACL",
    }
)
