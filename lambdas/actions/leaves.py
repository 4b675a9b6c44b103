"""What each action does not stop, for the person who is asked to approve it. docs/actions has it in full."""

from __future__ import annotations

from collections.abc import Mapping

LEAVES: Mapping[str, tuple[str, ...]] = {
    "block_address": (
        "Traffic within one subnet passes no network ACL.",
        "Who holds the address can come back from another one.",
    ),
    "block_address_in_waf": (
        "What does not pass a web ACL that blocks by the set, and what an Allow before that rule lets in.",
        "Connections that are open; and who holds the address can come back from another one.",
    ),
    "block_public_access": (
        "Access that a policy grants to named accounts or roles is not public, and goes on.",
        "Who changed the bucket can change it again: revoke_sessions.",
    ),
    "block_sign_in": (
        "The user's access keys go on working: deactivate_access_keys.",
        "Sessions in roles that were assumed before go on: revoke_sessions.",
        "The same person may sign in elsewhere: Identity Center, another account.",
    ),
    "close_security_group_rules": (
        "Open connections that are tracked live on: block_address of the other side cuts them.",
        "Who opened the rule can open it again: revoke_sessions.",
    ),
    "deactivate_access_keys": (
        "Temporary credentials that were got with the key live on for up to 36 hours: block_sign_in.",
        "Roles that it assumed (revoke_sessions) and the console go on.",
    ),
    "invoke_function": ("Whatever the function does not do: Breakwater knows no more of it than what it answers.",),
    "quarantine_instance": (
        "Open connections that are tracked live on, for up to five days idle: stop the instance, or block_address.",
        "Credentials that left the instance are good elsewhere: revoke_sessions.",
    ),
    "restrict_role": (
        "Sessions in other roles that were opened from this one go on.",
        "Everything that runs under the role stops, also what is not the attacker's.",
    ),
    "revoke_sessions": (
        "Whoever may assume the role can do so again.",
        "Sessions in other roles that were opened from the one that is denied go on.",
    ),
    "tighten_trust_policy": (
        "Sessions that the account has already go on: revoke_sessions.",
        "Services and web identities that may assume the role, and who may write the trust policy, are not touched.",
    ),
    "unshare_snapshot": (
        "Copies that others have made, and what they have started of it, are theirs.",
        "Snapshots that a shared image is made of may be shared by themselves.",
    ),
}
