"""HTTP APIs: what a template asks for becomes what moto's own service keeps; :mod:`offline.aws.http_apis` serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.apigatewayv2.models import ApiGatewayV2Backend, apigatewayv2_backends

Properties = Mapping[str, Any]


def _api(backend: ApiGatewayV2Backend, properties: Properties) -> dict[str, str]:
    made = backend.create_api(
        api_key_selection_expression="",
        cors_configuration=properties.get("CorsConfiguration"),  # type: ignore[arg-type]
        description=properties.get("Description", ""),
        disable_schema_validation="",
        disable_execute_api_endpoint="",
        name=properties["Name"],
        protocol_type=properties["ProtocolType"],
        route_selection_expression="",
        tags=properties.get("Tags", {}),
        version="",
    )
    return {"Ref": made.api_id, "ApiEndpoint": made.api_endpoint}


def _integration(backend: ApiGatewayV2Backend, properties: Properties) -> dict[str, str]:
    made = backend.create_integration(
        api_id=properties["ApiId"],
        connection_id="",
        connection_type="INTERNET",
        content_handling_strategy="",
        credentials_arn="",
        description="",
        integration_method="POST",
        integration_subtype="",
        integration_type=properties["IntegrationType"],
        integration_uri=properties["IntegrationUri"],
        passthrough_behavior="",
        payload_format_version=properties["PayloadFormatVersion"],
        request_parameters=None,
        request_templates=None,
        response_parameters=None,
        template_selection_expression="",
        timeout_in_millis=properties.get("TimeoutInMillis", "30000"),
        tls_config={},
    )
    return {"Ref": made.id}


def _authorizer(backend: ApiGatewayV2Backend, properties: Properties) -> dict[str, str]:
    configuration: Any = {key.lower(): value for key, value in properties["JwtConfiguration"].items()}
    source: Any = properties["IdentitySource"]
    made = backend.create_authorizer(
        api_id=properties["ApiId"],
        auth_creds_arn="",
        auth_payload_format_version="",
        auth_result_ttl="0",
        authorizer_uri="",
        authorizer_type=properties["AuthorizerType"],
        enable_simple_response="false",
        identity_source=source,
        identity_validation_expr="",
        jwt_config=configuration,
        name=properties["Name"],
    )
    return {"Ref": made.id, "AuthorizerId": made.id}


def _route(backend: ApiGatewayV2Backend, properties: Properties) -> dict[str, str]:
    made = backend.create_route(
        api_id=properties["ApiId"],
        api_key_required=False,
        authorization_scopes=[],
        authorization_type=properties["AuthorizationType"],
        authorizer_id=properties.get("AuthorizerId", ""),
        model_selection_expression="",
        operation_name="",
        request_models=None,
        request_parameters=None,
        route_key=properties["RouteKey"],
        route_response_selection_expression="",
        target=properties["Target"],
    )
    return {"Ref": made.route_id}


def _stage(backend: ApiGatewayV2Backend, properties: Properties) -> dict[str, str]:
    names = {"StageName": "stageName", "AutoDeploy": "autoDeploy"}
    made = backend.create_stage(properties["ApiId"], {names[key]: properties[key] for key in names})
    return {"Ref": made.name}


_MAKERS = {"Api": _api, "Integration": _integration, "Authorizer": _authorizer, "Route": _route, "Stage": _stage}


def creates() -> dict[str, Callable[[str, Properties, str, str], dict[str, str]]]:
    """Return how each type of a template is made, by its name."""

    def bound(make: Callable[[ApiGatewayV2Backend, Properties], dict[str, str]]) -> Any:
        return lambda name, properties, account, region: make(apigatewayv2_backends[account][region], properties)

    return {f"AWS::ApiGatewayV2::{kind}": bound(make) for kind, make in _MAKERS.items()}
