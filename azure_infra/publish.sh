#!/bin/sh
# azure_infra/publish.sh [--first] RESOURCE_GROUP [PACKAGE.zip]
# Give the package to the function apps. Each puts it into a storage account of its own, as its own identity, and a right
# that was just assigned takes up to ten minutes to be in force: until then Azure answers 403, and it is tried again.
# --first: to those apps alone that run no package yet (azd's hook: azd itself uploads once, and gives up at a 403).
set -eu
first=
[ "${1-}" != --first ] || { first=yes; shift; }
group=${1:?usage: azure_infra/publish.sh [--first] RESOURCE_GROUP [PACKAGE.zip]} package=${2-}
built=$(cd "$(dirname "$0")/.." && pwd)/build/azure
tries=60 pause=15
# azd's environment names the subscription; az has a default of its own.
az() { command az "$@" ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"}; }

apps=$(az functionapp list --resource-group "$group" --query "[?tags.\"azd-service-name\"].name" --output tsv)
[ -n "$apps" ] || { echo "There is no function app of Breakwater in $group: deploy azure_infra/main.bicep first." >&2; exit 1; }
if [ -z "$package" ]; then
    package=$built/cloud.zip
    [ -d "$built/cloud" ] || { echo "There is no package: make package-azure builds it." >&2; exit 1; }
    rm -f "$package"
    # Files of a package are of 1980, the first day that a zip knows: west of Greenwich that is the day before.
    (cd "$built/cloud" && TZ=UTC python3 -m zipfile -c "$package" .)
fi

for app in $apps; do
    if [ -n "$first" ]; then
        functions=$(az functionapp function list --resource-group "$group" --name "$app" --query "length(@)" --output tsv 2>/dev/null) || functions=
        [ "${functions:-0}" = 0 ] || { echo "$app runs a package already."; continue; }
    fi
    try=1 seen=
    until said=$(az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" \
        --build-remote false --only-show-errors 2>&1 >/dev/null); do
        case $said in
            *"Deployment was successful"* | *"Failed to fetch host key"*) # az asks the app how it is, which answers few
                seen=" (az saw no healthy host, which says nothing where the app does not answer you: breakwater doctor looks)"
                break
                ;;
            *AuthorizationFailed*) ;; # who deploys may not: waiting helps nothing
            *403* | *Forbidden* | *"not authorized"* | *InaccessibleStorage*)
                if [ "$try" -lt "$tries" ]; then
                    echo "$app may not write its own storage yet (try $try of $tries): its right is minutes old, again in $pause s."
                    try=$((try + 1))
                    sleep "$pause"
                    continue
                fi
                echo "$app may not write its own storage after $((tries * pause / 60)) minutes: does its identity have its roles there, and does the firewall there let the app's subnet in?" >&2
                ;;
        esac
        printf '%s\n' "$said" >&2
        echo "$app does not have the package." >&2
        exit 1
    done
    echo "$app has the package$seen."
done
