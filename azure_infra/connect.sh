#!/bin/sh
# azure_infra/connect.sh RESOURCE_GROUP [NAME]
# Tell Event Grid where to announce flow logs, once the package is deployed: the function must be there to answer.
# The address holds the host's own key of this one extension. It is asked for here, handed over in a file that only
# you can read, and stored nowhere.
set -eu
group=${1:?usage: azure_infra/connect.sh RESOURCE_GROUP [NAME]} name=${2:-breakwater}
here=$(cd "$(dirname "$0")" && pwd)
# azd's environment names the subscription; az has a default of its own.
az() { command az "$@" ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"}; }

app=$(az functionapp list --resource-group "$group" --query "[?tags.\"azd-service-name\"=='detect'].name | [0]" --output tsv)
[ -n "$app" ] || { echo "There is no app that detects in $group: deploy azure_infra/main.bicep first." >&2; exit 1; }
state=$(az storage account list --resource-group "$group" --query "[?isHnsEnabled].id | [0]" --output tsv)
# The host makes the key when it first loads the package, as soon as its identity's rights are in force: minutes, at first.
tries=0
until code=$(az functionapp keys list --resource-group "$group" --name "$app" --query systemKeys.blobs_extension --output tsv |
    sed 's/%/%25/g; s/+/%2B/g; s,/,%2F,g; s/=/%3D/g') && [ -n "$code" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || { echo "$app has no key of the blob extension yet: deploy the package first." >&2; exit 1; }
    sleep 15
done

umask 077
parameters=$(mktemp)
trap 'rm -f "$parameters"' EXIT
printf '{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#", "contentVersion": "1.0.0.0",
"parameters": {"name": {"value": "%s"}, "stateAccountId": {"value": "%s"},
"webhook": {"value": "https://%s.azurewebsites.net/runtime/webhooks/blobs?functionName={function}&code=%s"}}}' \
    "$name" "$state" "$app" "$code" >"$parameters"
az deployment group create --resource-group "$group" --name "$name-flow-log-events" \
    --template-file "$here/flow_log_events.json" --parameters "@$parameters" --output none
echo "Flow logs are announced to $app."
