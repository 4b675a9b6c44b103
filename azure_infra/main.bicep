// Everything at once: `az deployment sub create -l REGION -f azure_infra/main.bicep` or `azd up`. docs/deploy-azure.md explains each parameter.
// What is deployed stands in the JSON templates, which `python -m azure_infra` writes; each says what it touches.
targetScope = 'subscription'

@description('Prefix of every name.')
@minLength(2)
@maxLength(16)
param name string = 'breakwater'

@description('Region: one that has Flex Consumption.')
param location string = deployment().location

@description('Resource group that is made for Breakwater.')
param resourceGroupName string = name

@description('Name of the azd environment; empty where azd is not used.')
param environmentName string = ''

@description('Id of the Log Analytics workspace that Microsoft Sentinel is on.')
param workspaceId string

@description('Region of that workspace.')
param workspaceLocation string = location

@description('Client id of the Entra application that stands for triage_findings (python -m azure_infra consent). Empty lets nobody in.')
param applicationId string = ''

@description('Object id of the service principal of Azure Security Insights (python -m azure_infra consent). Empty makes no automation rule.')
param sentinelPrincipalId string = ''

@description('Sentinel may already run playbooks of the workspace\'s group: the right is not assigned a second time, which Azure refuses.')
param sentinelMayRun bool = false

@description('Let the identities change your resources. The policy decides which action does; without this none can.')
param armed bool = false

@description('Object ids of break-glass principals: no role assignment of theirs can be removed.')
param protectedPrincipalIds array = []

@description('Role definitions (ids) that undo may assign back, and no others. Empty: the ordinary built-in ones.')
param restorableRoles array = []

@description('Ids of the firewall policies, in this subscription, that block_address_in_waf may write once armed. None by default.')
param firewallPolicyIds array = []

@description('Further ids of resources that no action may touch.')
param protectedResourceIds array = []

@description('Send the activity log of this subscription to Breakwater: adds a diagnostic setting.')
param activityLog bool = false

@description('Send Entra sign-in and audit records of the tenant to Breakwater: adds a diagnostic setting. Needs a right at the tenant.')
param entraRecords bool = false

@description('Tables of the workspace that are streamed to Breakwater: Syslog, SecurityEvent, WindowsEvent.')
param exportTables array = []

@description('Stream the alerts of the workspace to Breakwater, also those that become no incident.')
param exportAlerts bool = false

@description('Ids of virtual networks whose flow logs are turned on.')
param flowLogNetworks array = []

@description('Resource group of the network watcher of this region: az network watcher list shows it.')
param networkWatcherGroup string = 'NetworkWatcherRG'

@description('Its name; empty where it is the one that Azure gives, NetworkWatcher_ and the region.')
param networkWatcherName string = ''

@description('Id of an account of yours that flow logs are already written to, in this subscription and in this region. Empty makes one.')
param flowLogAccountId string = ''

@description('Subnet for the function apps, delegated to Microsoft.App/environments. Empty makes a network for them alone.')
param subnetId string = ''

@description('Who reaches the storage accounts.')
@allowed(['SelectedNetworks', 'PrivateEndpointsOnly'])
param storageAccess string = 'SelectedNetworks'

@description('Object ids of the users or groups that set the policy and approve an undo.')
param operatorPrincipalIds array = []

@description('Object ids of the users or groups that turn the master switch. They can insert any entry into the journal. Empty: whoever deploys.')
param disarmPrincipalIds array = []

@description('Public addresses (CIDR) from which people may reach the storage accounts with their Entra identity.')
param operatorAddresses array = []

@description('Object ids of people or identities that may ask for the health of the app.')
param healthCallers array = []

@description('Addresses (CIDR) that these call from.')
param callerRanges array = []

@description('Mail addresses that are told of alerts.')
param notifyEmails array = []

@description('Days after which raw telemetry is deleted.')
@minValue(1)
@maxValue(365)
param rawDays int = 90

@description('Days for which the functions\' logs are kept.')
@minValue(30)
@maxValue(730)
param logDays int = 90

@description('Days for which the last events of an entity are remembered.')
@minValue(1)
@maxValue(90)
param memoryDays int = 14

@description('Key Vault that holds the addresses of webhooks, such as https://contoso.vault.azure.net; empty where there is none.')
param keyVaultEndpoint string = ''

@description('Name of an EC key (P-256) in it that signs links to proposals; empty where notices carry none.')
param linkKey string = ''

@description('Client id of the Entra application by which operatorPrincipalIds answer proposals behind links. Empty lets nobody in.')
param pageApplicationId string = ''

@description('Name of its secret with the address of a Slack channel\'s webhook; empty where there is none.')
param slackWebhookSecret string = ''

@description('Name of its secret with the address of a Teams channel\'s webhook; empty where there is none.')
param teamsWebhookSecret string = ''

var sentinelSubscription = split(workspaceId, '/')[2]
var sentinelGroup = split(workspaceId, '/')[4]
var suffix = uniqueString(subscription().id, resourceGroupName)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: { application: name, 'azd-env-name': environmentName }
}

module sentinel 'workspace.json' = {
  name: '${name}-workspace'
  scope: resourceGroup(sentinelSubscription, sentinelGroup)
  params: {
    name: name
    workspaceName: last(split(workspaceId, '/'))
    functionHost: '${name}-detect-${suffix}.azurewebsites.net'
    applicationId: applicationId
    sentinelPrincipalId: sentinelPrincipalId
    sentinelMayRun: sentinelMayRun
  }
}

module room 'resource_group.json' = {
  name: '${name}-resource-group'
  scope: group
  params: {
    name: name
    suffix: suffix
    location: location
    workspaceId: sentinel.outputs.workspaceId
    workspaceLocation: workspaceLocation
    applicationId: applicationId
    playbookPrincipalId: sentinel.outputs.playbookPrincipalId
    healthCallers: healthCallers
    callerRanges: callerRanges
    protectedResourceIds: protectedResourceIds
    flowLogAccountId: flowLogAccountId
    flowLogLocation: location
    subnetId: subnetId
    storageAccess: storageAccess
    operatorPrincipalIds: operatorPrincipalIds
    disarmPrincipalIds: disarmPrincipalIds
    operatorAddresses: operatorAddresses
    notifyEmails: notifyEmails
    rawDays: rawDays
    logDays: logDays
    memoryDays: memoryDays
    keyVaultEndpoint: keyVaultEndpoint
    linkKey: linkKey
    pageApplicationId: pageApplicationId
    slackWebhookSecret: slackWebhookSecret
    teamsWebhookSecret: teamsWebhookSecret
    watchApiCalls: activityLog
    watchFlows: !empty(flowLogNetworks) || !empty(flowLogAccountId)
    watchSystemLogs: !empty(exportTables)
  }
}

module rights 'subscription.json' = {
  name: '${name}-subscription'
  params: {
    name: name
    armed: armed
    detectPrincipalId: room.outputs.detectPrincipalId
    respondPrincipalId: room.outputs.respondPrincipalId
    networkPrincipalId: room.outputs.networkPrincipalId
    identityPrincipalId: room.outputs.identityPrincipalId
    dataPrincipalId: room.outputs.dataPrincipalId
    undoPrincipalId: room.outputs.undoPrincipalId
    pagePrincipalId: room.outputs.pagePrincipalId
    protectedPrincipalIds: protectedPrincipalIds
    restorableRoles: restorableRoles
    firewallPolicyIds: firewallPolicyIds
    diagnosticsRuleId: activityLog ? room.outputs.diagnosticsRuleId : ''
    workspaceId: sentinel.outputs.workspaceId
    exportTables: exportTables
    exportAlerts: exportAlerts
    eventHubNamespace: room.outputs.eventHubNamespace
    flowLogNetworks: flowLogNetworks
    flowLogLocation: location
    networkWatcherGroup: networkWatcherGroup
    networkWatcherName: networkWatcherName
    flowLogAccountId: room.outputs.flowLogAccountId
    flowLogIdentityId: empty(flowLogAccountId) ? room.outputs.flowLogIdentityId : ''
    readExistingFlowLogs: !empty(flowLogAccountId)
    rawDays: rawDays
  }
}

module entra 'tenant.json' = if (entraRecords) {
  name: '${name}-tenant'
  scope: tenant()
  params: {
    name: name
    diagnosticsRuleId: room.outputs.diagnosticsRuleId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output BREAKWATER_NAME string = name
output BREAKWATER_STATE_ACCOUNT_ID string = room.outputs.stateAccountId
output BREAKWATER_PLAYBOOK_ID string = sentinel.outputs.playbookId
