"""The HTTP API before the page of a proposal: two routes that show, and one that takes the answer of who has signed in."""

from __future__ import annotations

import json
from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.explanations import LINKS_ARE_OPEN, acknowledge
from cdk.names import Names
from cdk.settings import Settings
from lambdas.registry import PAGE

SHOW, ANSWER, SIGNED_IN = "GET /proposals/{proposal}", "POST /proposals/{proposal}", "GET /signed-in"
#: People open a link, mail programs open it before them; more than this is neither.
RATE_PER_SECOND, BURST = 5, 20
#: What an access log says of a request: never path or query, which are the link.
_LOGGED = {
    "request": "$context.requestId",
    "time": "$context.requestTime",
    "address": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "subject": "$context.authorizer.claims.sub",
    "refused": "$context.authorizer.error",
    "failed": "$context.integrationErrorMessage",
}


def page_api(scope: Construct, names: Names) -> http.CfnApi:
    """Make the API, without routes: functions must know its address before the page that it leads to is there."""
    return http.CfnApi(
        scope,
        "PageApi",
        name=names.resource("proposals"),
        protocol_type="HTTP",
        description="Breakwater: proposals behind signed links.",
    )


def page_url(api: http.CfnApi) -> str:
    """Return where the API is served."""
    stack = Stack.of(api)
    return f"https://{api.ref}.execute-api.{stack.region}.{stack.url_suffix}"


def route_to_page(
    scope: Construct, api: http.CfnApi, function: lambda_.Function, names: Names, settings: Settings, key: kms.IKey
) -> None:
    """Lead the API's routes to the page. Whoever opens a link must be let in; who answers must bring a token of the issuer."""
    integration = http.CfnIntegration(
        scope,
        "PageIntegration",
        api_id=api.ref,
        integration_type="AWS_PROXY",
        integration_uri=function.function_arn,
        payload_format_version="2.0",
        timeout_in_millis=Duration.seconds(PAGE.timeout_s).to_milliseconds(),
    )
    authorizer = http.CfnAuthorizer(
        scope,
        "PageAuthorizer",
        api_id=api.ref,
        name=names.resource("sign-in"),
        authorizer_type="JWT",
        identity_source=["$request.header.Authorization"],
        jwt_configuration=http.CfnAuthorizer.JWTConfigurationProperty(
            issuer=settings.page_issuer, audience=[settings.page_client]
        ),
    )
    routes = []
    for number, route in enumerate((SHOW, ANSWER, SIGNED_IN), 1):
        answers = route == ANSWER
        made = http.CfnRoute(
            scope,
            f"PageRoute{number}",
            api_id=api.ref,
            route_key=route,
            target=f"integrations/{integration.ref}",
            authorization_type="JWT" if answers else "NONE",
            authorizer_id=authorizer.ref if answers else None,
        )
        if not answers:
            acknowledge(made, "AwsSolutions-APIG4", LINKS_ARE_OPEN)
        routes.append(made)
    function.add_permission(
        "PageApi",
        principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
        source_arn=names.arn("execute-api", f"{api.ref}/*/*/*"),
    )
    stage = http.CfnStage(
        scope,
        "PageStage",
        api_id=api.ref,
        stage_name="$default",
        auto_deploy=True,
        access_log_settings=http.CfnStage.AccessLogSettingsProperty(
            destination_arn=_log_group(scope, names, settings, key).log_group_arn,
            format=json.dumps(_LOGGED),
        ),
        default_route_settings=http.CfnStage.RouteSettingsProperty(
            throttling_rate_limit=RATE_PER_SECOND, throttling_burst_limit=BURST, detailed_metrics_enabled=True
        ),
        # Of its own: whoever opens links by the thousand does not keep a person's answer out.
        route_settings={ANSWER: {"ThrottlingRateLimit": RATE_PER_SECOND, "ThrottlingBurstLimit": BURST}},
    )
    for made in routes:  # API Gateway refuses a stage with settings of a route that is not there yet
        stage.add_dependency(made)
    CfnOutput(scope, "PageUrl", value=page_url(api))
    CfnOutput(scope, "PageSignedInUrl", value=f"{page_url(api)}/signed-in", description="Redirect address of the client.")


def failures(api_id: str, period: Duration) -> cloudwatch.Metric:
    """Return the metric of requests that the API could not answer."""
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway", metric_name="5xx", dimensions_map={"ApiId": api_id}, statistic="Sum", period=period
    )


def _log_group(scope: Construct, names: Names, settings: Settings, key: kms.IKey) -> logs.LogGroup:
    group = logs.LogGroup(
        scope,
        "PageAccessLogs",
        # Below this prefix the service needs no entry in a resource policy of the account's, which is limited in length.
        log_group_name=f"/aws/vendedlogs/{names.resource('proposals')}",
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = settings.log_days
    return group
