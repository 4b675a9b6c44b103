"""What the job's role may do, and who may take it: no more than one job of these settings needs."""

from __future__ import annotations

from typing import Any

from training.jobs.settings import SageMakerSettings


def trust(settings: SageMakerSettings) -> dict[str, Any]:
    """Trust policy of the role: SageMaker, on behalf of this account's jobs only."""
    return _policy(
        {
            "Sid": "SageMakerForThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": settings.account}},
        }
    )


def permissions(settings: SageMakerSettings) -> dict[str, Any]:
    """Permissions of the role."""
    partition, region, account = settings.role.split(":")[1], settings.region, settings.account
    bucket, objects = f"arn:{partition}:s3:::{settings.bucket}", f"arn:{partition}:s3:::{settings.bucket}/{settings.prefix}"
    registry, repository = settings.image.split("@")[0].split("/", 1)
    statements = [
        _allow("ReadSources", ["s3:GetObject"], f"{objects}/sources/*"),
        _allow("KeepCheckpointsAndResults", ["s3:GetObject", "s3:PutObject"], f"{objects}/checkpoints/*", f"{objects}/results/*"),
        _allow("FindThem", ["s3:ListBucket"], bucket, condition={"StringLike": {"s3:prefix": [f"{settings.prefix}/*"]}}),
        _allow("UseTheKey", ["kms:Decrypt", "kms:GenerateDataKey"], settings.key),
        # The volume's encryption: the service holds a grant, the role does not hold the key.
        _allow("LetTheVolumeUseTheKey", ["kms:CreateGrant"], settings.key,
               condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        _allow("WriteLog", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
               f"arn:{partition}:logs:{region}:{account}:log-group:/aws/sagemaker/TrainingJobs*"),
        _allow("ReportUse", ["cloudwatch:PutMetricData"], "*",
               condition={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}}),
    ]  # fmt: skip
    if ".dkr.ecr." in registry:
        owner, where = registry.split(".")[0], registry.split(".")[3]
        statements += [
            _allow("PullTheImage", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                   f"arn:{partition}:ecr:{where}:{owner}:repository/{repository}"),
            _allow("SignInToTheRegistry", ["ecr:GetAuthorizationToken"], "*"),
        ]  # fmt: skip
    if settings.data:
        name, _, prefix = settings.data.removeprefix("s3://").partition("/")
        statements += [
            _allow("ReadData", ["s3:GetObject"], f"arn:{partition}:s3:::{name}/{prefix.rstrip('/')}/*"),
            _allow("FindData", ["s3:ListBucket"], f"arn:{partition}:s3:::{name}",
                   condition={"StringLike": {"s3:prefix": [f"{prefix.rstrip('/')}", f"{prefix.rstrip('/')}/*"]}}),
        ]  # fmt: skip
    if settings.network is not None:
        statements += [
            _allow("SeeTheNetwork", [
                "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ], "*"),
            _allow("HaveAnInterfaceInIt", [
                "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ], f"arn:{partition}:ec2:{region}:{account}:network-interface/*",
                *[f"arn:{partition}:ec2:{region}:{account}:subnet/{item}" for item in settings.network.subnets],
                *[f"arn:{partition}:ec2:{region}:{account}:security-group/{item}" for item in settings.network.security_groups]),
        ]  # fmt: skip
    return _policy(*statements)


def submitter(settings: SageMakerSettings) -> dict[str, Any]:
    """Permissions of the person or pipeline that submits: jobs of this name and role, encrypted and isolated."""
    partition, region, account = settings.role.split(":")[1], settings.region, settings.account
    job = f"arn:{partition}:sagemaker:{region}:{account}:training-job/{settings.name}-*"
    objects = f"arn:{partition}:s3:::{settings.bucket}/{settings.prefix}"
    return _policy(
        _allow("Submit", ["sagemaker:CreateTrainingJob"], job,
               condition={"Bool": {"sagemaker:NetworkIsolation": "true"},
                          "ArnEquals": {"sagemaker:OutputKmsKey": settings.key}}),
        _allow("Follow", ["sagemaker:AddTags", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"], job),
        _allow("HandOverTheRole", ["iam:PassRole"], settings.role,
               condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
        _allow("BringSources", ["s3:PutObject"], f"{objects}/sources/*"),
        _allow("TakeResults", ["s3:GetObject"], f"{objects}/results/*"),
        _allow("UseTheKey", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], settings.key),
        _allow("LetTheVolumeUseTheKey", ["kms:CreateGrant"], settings.key,
               condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    )  # fmt: skip


def _allow(sid: str, actions: list[str], *resources: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": list(resources)}
    return statement if condition is None else {**statement, "Condition": condition}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
