"""The blob of the hour before: the same interface's, over the ends of days, months and years."""

from __future__ import annotations

import pytest

from azure_functions.adapters.flow_log_paths import hour_before

VNET = "flowLogResourceID=/0_NWRG/NW_X-FLOWLOG/{}/m=00/macAddress=000D3A000001/PT1H.json"
NSG = "resourceId=/SUBSCRIPTIONS/0/RESOURCEGROUPS/M=1/PROVIDERS/NETWORKSECURITYGROUPS/X/{}/m=00/macAddress=A/PT1H.json"


@pytest.mark.parametrize("path", [VNET, NSG])
@pytest.mark.parametrize(
    ("hour", "before"),
    [
        ("y=2026/m=11/d=23/h=09", "y=2026/m=11/d=23/h=08"),
        ("y=2026/m=12/d=01/h=00", "y=2026/m=11/d=30/h=23"),
        ("y=2028/m=03/d=01/h=00", "y=2028/m=02/d=29/h=23"),
        ("y=2027/m=01/d=01/h=00", "y=2026/m=12/d=31/h=23"),
    ],
)
def test_it_is_the_same_interfaces_an_hour_earlier(path: str, hour: str, before: str) -> None:
    assert hour_before(path.format(hour)) == path.format(before)


@pytest.mark.parametrize("hour", ["y=2026", "y=2026/m=13/d=01/h=00", "y=2026/m=02/d=30/h=00", "y=0001/m=01/d=01/h=00"])
def test_a_name_that_tells_no_hour_has_none_before_it(hour: str) -> None:
    assert hour_before(VNET.format(hour)) == ""
