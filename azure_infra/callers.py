"""Who may call the function apps: which addresses at all, and of these whom Entra knows and we have named."""

from __future__ import annotations

from azure_functions.registry import Group, Trigger
from azure_infra import names
from azure_infra.arm import Json, resource, text, value
from azure_infra.names import App

#: Event Grid announces flow logs here; the host itself asks for its key.
_WEBHOOKS = "/runtime/webhooks/blobs"
#: The platform asks each app here, after a publication, for what wakes it. It has a token of its own that the host checks and
#: Entra authentication does not know: behind that, a publication ends with ``FunctionHostSyncTrigger, statusCode =
#: Unauthorized``, and nothing is awake until the host has started by itself.
_TRIGGERS = "/admin/host/synctriggers"
NOBODY = "00000000-0000-0000-0000-000000000000"


def callers(app: App) -> list[Json] | str:
    """Addresses that may call at all. Who calls is asked next, by Entra."""
    if not _is_called(app) or _is_open(app):
        return []
    tags = [_allow("event-grid", 100, "AzureEventGrid"), _allow("logic-apps", 110, "LogicApps")]
    who = "lambdaVariables('i')"
    ranges = (
        "map(range(0, length(parameters('callerRanges'))), lambda('i', createObject("
        f"'name', format('caller-{{0}}', {who}), 'priority', add(200, {who}), 'action', 'Allow', "
        f"'ipAddress', parameters('callerRanges')[{who}])))"
    )
    return value(f"concat(createArray({', '.join(tags)}), {ranges})")


def _allow(name: str, priority: int, tag: str) -> str:
    return f"createObject('name', '{name}', 'priority', {priority}, 'action', 'Allow', 'tag', 'ServiceTag', 'ipAddress', '{tag}')"


def default_action(app: App) -> str:
    """What becomes of every other address. A link is opened from anywhere; the page is closed where nobody can sign in to it."""
    return value("if(variables('hasPage'), 'Allow', 'Deny')") if _is_open(app) else "Deny"


def _is_open(app: App) -> bool:
    """Whether people's browsers reach it: only what shows may, and that contains nothing."""
    return app.groups == (Group.PAGE,)


def _is_called(app: App) -> bool:
    return any(spec.trigger in (Trigger.HTTP, Trigger.BLOB) for spec in app.functions)


def no_passwords(app: App) -> list[Json]:
    """Deployment is by Entra too: no publishing user, no FTP."""
    return [
        resource(
            names.app(app.name).child("basicPublishingCredentialsPolicies", text(way)),
            names.WEB,
            {"allow": False},
            after=[names.app(app.name)],
        )
        for way in ("scm", "ftp")
    ]


def authentication(app: App) -> Json:
    """Entra authentication, before the function: only tokens of this tenant, for this application, of these callers.

    The page also lets in who has not signed in, since a link only shows: the function hears an answer only from an operator
    whom the platform names.
    """
    called, is_open = _is_called(app), _is_open(app)
    application = f"parameters('{'pageApplicationId' if is_open else 'applicationId'}')"
    people = value("if(variables('hasPage'), parameters('operatorPrincipalIds'), createArray('" + NOBODY + "'))")
    allowed = {"identities": people, "groups": people} if is_open else None
    return resource(
        names.app(app.name).child("config", text("authsettingsV2")),
        names.WEB,
        {
            "platform": {"enabled": True},
            "globalValidation": {
                "requireAuthentication": value("not(variables('hasPage'))") if is_open else True,
                "unauthenticatedClientAction": value("if(variables('hasPage'), 'AllowAnonymous', 'Return401')")
                if is_open
                else "Return401",
                "excludedPaths": [
                    _TRIGGERS,
                    *([_WEBHOOKS] if any(spec.trigger is Trigger.BLOB for spec in app.functions) else []),
                ],
            },
            "httpSettings": {"requireHttps": True},
            "login": {"tokenStore": {"enabled": False}},
            "identityProviders": {
                "azureActiveDirectory": {
                    "enabled": value(f"not(empty({application}))"),
                    "registration": {
                        "clientId": value(application),
                        "openIdIssuer": value(
                            "uri(environment().authentication.loginEndpoint, concat(tenant().tenantId, '/v2.0'))"
                        ),
                    },
                    "validation": {
                        "allowedAudiences": value(f"createArray({application}, concat('api://', {application}))"),
                        "defaultAuthorizationPolicy": {
                            "allowedPrincipals": allowed or {"identities": value("variables('callers')") if called else [NOBODY]}
                        },
                    },
                }
            },
        },
        after=[names.app(app.name)],
    )
