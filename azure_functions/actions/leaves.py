"""What each action does not stop, for the person who is asked to approve it. docs/actions has it in full."""

from __future__ import annotations

from collections.abc import Mapping

LEAVES: Mapping[str, tuple[str, ...]] = {
    "block_address": (
        "Security admin rules of a Virtual Network Manager pass before any security group.",
        "Who holds the address can come back from another one.",
    ),
    "block_address_in_waf": (
        "What does not pass a gateway with such a firewall policy, and what a rule before it lets in.",
        "Connections that are open; and who holds the address can come back from another one.",
    ),
    "block_sign_in": (
        "Access tokens that are out live on, for minutes up to an hour or so.",
        "The user's service principals and applications go on: remove_role_assignments.",
    ),
    "close_security_group_rules": (
        "Connections that came in through the rules live on: block_address the other side.",
        "Who opened them can open them again: remove_role_assignments, block_sign_in.",
        "Other Allows of the group stay, also where they let the same through.",
    ),
    "close_storage_account": (
        "Whoever comes with an Entra identity is let in: revoke_sessions, block_sign_in, remove_role_assignments.",
        "Signatures made with such an identity live on, for seven days at most.",
        "File shares mounted with a key, and programs set up with a connection string, stop.",
    ),
    "invoke_function": ("Whatever the function does not do: Breakwater knows no more of it than what it answers.",),
    "quarantine_instance": (
        "Credentials that left the machine are good elsewhere: those of its managed identity until the token ends.",
    ),
    "remove_role_assignments": (
        "What the principal has through groups, or from a management group, is named and not touched.",
        "What a token may do already lives on, for up to ten minutes, at data services for longer.",
    ),
    "revoke_sessions": (
        "Access tokens that are out live on, for minutes up to an hour or so.",
        "The user signs in again, with the same password: block_sign_in.",
    ),
}
