"""What the figures of each detector do not say: printed on its card."""

# ruff: noqa: E501  (prose)
from __future__ import annotations

LIMITS: dict[str, tuple[str, ...]] = {
    "network": (
        "While this was built, figures on the test sets were looked at between versions and led to more varied training data (never to a threshold, a weight or the choice of a seed). They are no first look.",
        "Recorded traffic is of small devices (IoT-23) written as VPC records; there is no recorded traffic of a cloud account under attack among the data.",
        "CTU days: labels say who asked for a connection. Unrequested is attack there, so direction alone nearly predicts the label, and recall there means little; strangers with fewer than four flows "
        "are left out, since background radiation is no attack here. The device's own traffic is what shows false alarms on a real computer.",
        "A beacon over TLS to one server and an agent that polls its service are alike in flow logs: what the model misses of the former is the price of silence about the latter.",
        "Generated benign workloads are easier than real ones. Calibrate before enforcing.",
    ),
    "audit": (
        "While this was built, figures on the test sets were looked at between versions and led to more varied training data (never to a threshold, a weight or the choice of a seed). They are no first look.",
        "Many techniques are one call that honest administrators make too (CreateAccessKey, AuthorizeSecurityGroupIngress). Seen by nothing but that call in a principal's history, some stay unseen.",
        "Held-out means that no attack in training, from any source, contains the technique's calls; benign principals may make them.",
        "Invictus: attack is what the tool did under its own name; the same user's Terraform, which prepared the attacks, counts as benign. Classes are not scored there.",
        "OpenSSH and Linux logs are each of one host; their labels are read off the messages.",
        "Panther's cases are rule tests: that a rule fires does not mean that somebody attacked.",
    ),
}
