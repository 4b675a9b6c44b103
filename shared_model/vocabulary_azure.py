"""How Azure's operations map into :mod:`shared_model.vocabulary`. Tables only.

Source: the reference of Azure resource provider operations. Where an operation does what one of AWS's does, it has the
same words: that is how what was learnt there serves here.
"""

from __future__ import annotations

_GROUPS = {
    "identity": "authorization managedidentity entra",
    "directory": "aad aadiam azureactivedirectory domainservices",
    "organization": "subscription management managedservices capacity marketplaceordering",
    "compute": "compute classiccompute hybridcompute avs network classicnetwork hybridnetwork connectedvmwarevsphere",
    "scaling": "autoscale",
    "function": "web logic certificateregistration",
    "container": "containerservice containerregistry containerinstance app kubernetes kubernetesconfiguration "
    "redhatopenshift servicefabric batch",
    "object_storage": "storage classicstorage storagesync datalakestore",
    "file_storage": "netapp storagecache storagemover hdinsightaks",
    "backup": "recoveryservices dataprotection",
    "database": "sql sqlvirtualmachine documentdb cache dbforpostgresql dbformysql dbformariadb",
    "analytics": "synapse databricks datafactory hdinsight kusto streamanalytics eventhub search purview fabric powerbidedicated",
    "secret": "appconfiguration",
    "management": "automation guestconfiguration maintenance changeanalysis resourcegraph",
    "key": "keyvault hardwaresecuritymodules",
    "audit_log": "policyinsights",
    "threat_detection": "security securityinsights securitydevops easm attestation iotsecurity",
    "monitoring": "insights alertsmanagement monitor resourcehealth servicehealth resourcenotifications portal",
    "log": "operationalinsights operationsmanagement",
    "dns": "domainregistration",
    "edge": "cdn apimanagement frontdoor",
    "messaging": "servicebus eventgrid notificationhubs relay signalrservice devices",
    "email": "communication",
    "deployment": "resources features visualstudio devcenter devtestlab",
    "machine_learning": "cognitiveservices machinelearningservices botservice",
    "remote_access": "serialconsole desktopvirtualization labservices",
    "cost": "consumption costmanagement billing",
    "support": "support advisor quota",
}
#: Resource provider without ``microsoft.`` → service group.
SERVICES_OF_AZURE: dict[str, str] = {provider: group for group, providers in _GROUPS.items() for provider in providers.split()}

#: (provider, beginning of the rest of the operation) → service group, where a provider holds several services.
SERVICES_OF_TYPES: tuple[tuple[str, str, str], ...] = (
    ("compute", "virtualmachines/extensions", "management"),
    ("compute", "virtualmachines/runcommand", "management"),
    ("compute", "virtualmachinescalesets/virtualmachines/runcommand", "management"),
    ("compute", "virtualmachinescalesets/extensions", "management"),
    ("compute", "virtualmachinescalesets", "scaling"),
    ("insights", "autoscalesettings", "scaling"),
    ("insights", "diagnosticsettings", "audit_log"),
    ("insights", "logprofiles", "audit_log"),
    ("insights", "datacollection", "log"),
    ("keyvault", "vaults/secrets", "secret"),
    ("network", "applicationgateways", "load_balancing"),
    ("network", "azurefirewalls", "threat_detection"),
    ("network", "bastionhosts", "remote_access"),
    ("network", "ddosprotectionplans", "threat_detection"),
    ("network", "dnszones", "dns"),
    ("network", "firewallpolicies", "threat_detection"),
    ("network", "frontdoor", "edge"),
    ("network", "loadbalancers", "load_balancing"),
    ("network", "privatednszones", "dns"),
    ("network", "trafficmanagerprofiles", "edge"),
    ("resources", "subscriptions/write", "organization"),
    ("resources", "tags", "management"),
    ("storage", "storageaccounts/fileservices", "file_storage"),
    ("storage", "storageaccounts/queueservices", "messaging"),
    ("storage", "storageaccounts/tableservices", "database"),
)

# Type of a resource → object, and what writing it is (create where nothing stands there: it is what a PUT mostly does).
_TYPES = """
access_key: sshpublickeys
account: subscriptions
alarm: activitylogalerts metricalerts scheduledqueryrules actiongroups autoscalesettings:update
bucket: storageaccounts containers shares blobservices:update fileservices:update managementpolicies:update
bucket: objectreplicationpolicies:put
certificate: certificates certificateorders
cluster: managedclusters connectedclusters openshiftclusters agentpools clusters
code: sourcecontrols:update sitesourcecontrols:update
command: runbooks extensions runcommands:invoke draft:update jobs:invoke webhooks
container: registries containergroups containerapps replications
database: servers databases managedinstances databaseaccounts redis flexibleservers sqldatabases tableservices
detector: pricings:update autoprovisioningsettings:update securitycontacts:update automationrules
detector: dataconnectors azurefirewalls firewallpolicies:update ddosprotectionplans onboardingstates
domain: dnszones privatednszones frontdoors trafficmanagerprofiles apis
email: communicationservices emailservices
file: blobs files
finding: alerts incidents
flow_log: flowlogs networkwatchers packetcaptures connectionmonitors
function: sites slots functions serverfarms hostruntime config:update hostnamebindings
identity_provider: federatedidentitycredentials
image: images galleries
instance: virtualmachines virtualmachinescalesets machines hostpools
interface: networkinterfaces publicipaddresses publicipprefixes ipconfigurations
job: workflows schedules triggers pipelines
key: keys managedhsms diskencryptionsets
log: savedsearches datacollectionrules datacollectionendpoints dataexports
network: virtualnetworks subnets virtualnetworkpeerings privateendpoints loadbalancers applicationgateways natgateways
organization: managementgroups registrationassignments registrationdefinitions
policy: roleassignments:add roledefinitions policyassignments policydefinitions policysetdefinitions policyexemptions
policy: locks accesspolicies:put immutabilitypolicies:put
policy: classicadministrators:add denyassignments rolebindings:add clusterrolebindings:add roles
policy: roleeligibilityschedulerequests:add roleassignmentschedulerequests:add rolemanagementpolicies:update
queue: namespaces topics queues eventhubs eventsubscriptions
quota: quotas quotarequests
role: userassignedidentities
route: routetables routes virtualnetworkgateways connections expressroutecircuits vpngateways
secret: secrets configurationstores publishingcredentials
security_group: networksecuritygroups:update securityrules:grant applicationsecuritygroups firewallrules:grant
security_group: virtualnetworkrules:grant
session: serialports bastionhosts
snapshot: snapshots restorepoints restorepointcollections recoverypoints backups backupvaults protecteditems:update
stack: deployments resourcegroups deploymentscripts templatespecs
startup: userdata
tag: tags:tag
trail: diagnosticsettings:update logprofiles:update
volume: disks
"""
#: Type in a resource id, lower case → object.
OBJECT_OF_TYPE: dict[str, str] = {}
#: Type → verb of its ``write``, where that is not ``create``.
VERB_OF_WRITE: dict[str, str] = {}
for _line in _TYPES.strip().splitlines():
    _object, _, _names = _line.partition(":")
    for _name in _names.split():
        _type, _, _verb = _name.partition(":")
        OBJECT_OF_TYPE[_type] = _object
        if _verb:
            VERB_OF_WRITE[_type] = _verb
#: Type → verb of its ``delete``, where that is not ``delete``.
VERB_OF_DELETE: dict[str, str] = {
    "roleassignments": "remove",
    "rolebindings": "remove",
    "clusterrolebindings": "remove",
    "classicadministrators": "remove",
    "securityrules": "revoke",
    "firewallrules": "revoke",
    "virtualnetworkrules": "revoke",
}

#: Service groups of which AWS calls a read Describe; of the others it is Get.
DESCRIBING = ("compute", "scaling", "load_balancing", "file_storage", "database", "container")

#: Object of an operation whose types say none, by provider.
OBJECT_OF_PROVIDER: dict[str, str] = {
    "apimanagement": "domain",
    "authorization": "policy",
    "autoscale": "instance",
    "cdn": "domain",
    "cognitiveservices": "model",
    "compute": "instance",
    "containerservice": "cluster",
    "databricks": "cluster",
    "documentdb": "database",
    "eventhub": "queue",
    "insights": "alarm",
    "keyvault": "key",
    "machinelearningservices": "model",
    "managedidentity": "role",
    "network": "network",
    "operationalinsights": "log",
    "policyinsights": "policy",
    "recoveryservices": "snapshot",
    "resourcehealth": "alarm",
    "security": "detector",
    "securityinsights": "detector",
    "servicebus": "queue",
    "servicehealth": "alarm",
    "sql": "database",
    "storage": "bucket",
    "support": "account",
    "synapse": "database",
    "web": "function",
}

_ACTIONS = {
    "list": "list",
    "get": "get retrieve show",
    "search": "query search",
    "create": "create generate capture provision allocate",
    "add": "add assign attach join register associate approve",
    "put": "put upload publish",
    "update": "update regenerate rotate reset move rename swap change set sync apply renew write upgrade convert resize",
    "delete": "delete purge destroy cancel",
    "remove": "remove unassign detach disassociate unregister reject",
    "start": "start restart resume powerup redeploy reimage reapply",
    "stop": "stop poweroff deallocate suspend pause failover shutdown",
    "enable": "enable activate",
    "disable": "disable deactivate",
    "grant": "grant share",
    "revoke": "revoke deny endgetaccess",
    "assume": "elevate assume",
    "authenticate": "login signin",
    "connect": "connect open",
    "disconnect": "disconnect",
    "invoke": "run invoke execute trigger send call deploy validate simulate whatif test check",
    "copy": "copy export download restore backup begingetaccess replicate recover undelete",
    "import": "import",
    "encrypt": "encrypt sign wrap",
    "decrypt": "decrypt unwrap",
}
#: Beginning of the word before ``/action`` → verb, longest beginning first.
ACTION_PREFIXES: tuple[tuple[str, str], ...] = tuple(
    sorted(
        ((beginning, verb) for verb, beginnings in _ACTIONS.items() for beginning in beginnings.split()),
        key=lambda item: (-len(item[0]), item[0]),
    )
)

#: (provider or ``""`` for any, end of the operation) → (verb, object), longest end first: those whose name misleads.
OPERATIONS_OF_AZURE: dict[tuple[str, str], tuple[str, str]] = {
    ("authorization", "elevateaccess/action"): ("add", "policy"),
    ("authorization", "policies/audit/action"): ("get", "policy"),
    ("authorization", "policies/auditifnotexists/action"): ("get", "policy"),
    ("authorization", "policies/deny/action"): ("revoke", "policy"),
    ("authorization", "policies/deployifnotexists/action"): ("create", "stack"),
    ("compute", "disks/begingetaccess/action"): ("copy", "volume"),
    ("compute", "galleries/applications/versions/write"): ("create", "code"),
    ("compute", "snapshots/begingetaccess/action"): ("copy", "snapshot"),
    ("compute", "virtualmachines/extensions/write"): ("invoke", "command"),
    ("compute", "virtualmachines/retrievebootdiagnosticsdata/action"): ("get", "instance"),
    ("compute", "virtualmachines/runcommand/action"): ("invoke", "command"),
    ("compute", "virtualmachines/runcommands/write"): ("invoke", "command"),
    ("compute", "virtualmachinescalesets/extensions/write"): ("invoke", "command"),
    ("containerservice", "managedclusters/runcommand/action"): ("invoke", "command"),
    ("documentdb", "databaseaccounts/regeneratekey/action"): ("create", "access_key"),
    ("insights", "autoscalesettings/scaledown/action"): ("update", "instance"),
    ("insights", "autoscalesettings/scaleup/action"): ("update", "instance"),
    ("insights", "diagnosticsettings/delete"): ("delete", "trail"),
    ("keyvault", "vaults/accesspolicies/write"): ("put", "policy"),
    ("keyvault", "vaults/secrets/getsecret/action"): ("get", "secret"),
    ("keyvault", "vaults/secrets/read"): ("get", "secret"),
    ("security", "pricings/delete"): ("disable", "detector"),
    ("serialconsole", "serialports/connect/action"): ("connect", "session"),
    ("storage", "storageaccounts/listaccountsas/action"): ("get", "secret"),
    ("storage", "storageaccounts/listservicesas/action"): ("get", "secret"),
    ("storage", "storageaccounts/regeneratekey/action"): ("create", "access_key"),
    ("web", "sites/config/list/action"): ("get", "secret"),
    ("web", "sites/hostruntime/host/action"): ("invoke", "function"),
    ("web", "sites/publishxml/action"): ("get", "secret"),
    ("", "getsecret/action"): ("get", "secret"),
    ("", "listclusteradmincredential/action"): ("get", "secret"),
    ("", "listclusterusercredential/action"): ("get", "secret"),
    ("", "listconnectionstrings/action"): ("get", "secret"),
    ("", "listcredentials/action"): ("get", "secret"),
    ("", "listkeys/action"): ("get", "secret"),
    ("", "listsecrets/action"): ("get", "secret"),
    ("", "purge/action"): ("delete", ""),
}

#: Kind of caller → class.
CALLERS_OF_AZURE: dict[str, str] = {
    "User": "user",
    "Guest": "federated",
    "ServicePrincipal": "role",
    "ManagedIdentity": "role",
    "Service": "service",
}

#: Program that asked for the token (``appid``) → kind of agent; any other is an ``sdk``. Microsoft's own have the same id in
#: every directory.
AGENTS_OF_APPLICATIONS: dict[str, str] = {
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "console",  # Azure Portal
    "74658136-14ec-4630-ad9b-26e160ff0fc6": "console",  # Entra portal
    "18fbca16-2224-45f6-85b0-f7bf2b39b3f3": "console",  # Microsoft Docs' console
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "cli",  # Azure CLI
    "1950a258-227b-4e31-a9cf-717495945fc2": "cli",  # Azure PowerShell
    "1b730954-1685-4b74-9bfd-dac224a7b894": "cli",  # Azure Active Directory PowerShell
    "14d82eec-204b-4c2f-b7e8-296a70dab67e": "cli",  # Microsoft Graph command line tools
    "b677c290-cf4b-4a8e-a60e-91ba650a4abe": "cli",  # Cloud Shell
}

#: Codes of Resource Manager and its providers, HTTP's, and Entra's sentences; the first pattern that matches decides.
ERROR_PATTERNS_OF_AZURE: tuple[tuple[str, str], ...] = (
    ("authentication", r"^401$|^unauthorized$|authenticationfailed|authenticationtoken|invalid (?:username|password)"),
    ("denied", r"^403$|forbidden|authori[sz]ationfailed|disallowed|denied|scopelocked|privileges|notauthori[sz]ed|permission"),
    ("throttled", r"^429$|toomanyrequests|throttl|requestrate"),
    ("limit", r"quota|limit|skunotavailable|allocationfailed|insufficient|capacity"),
    ("not_found", r"^404$|notfound|not found|does not exist|nosuch|unknown"),
    ("conflict", r"^409$|^412$|conflict|exists|inuse|in use|preconditionfailed|anotheroperation|dependen"),
    ("invalid", r"^400$|badrequest|invalid|missing|malformed|unsupported|validation|notsupported"),
)
