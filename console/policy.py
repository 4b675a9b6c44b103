"""The commands about the policy. They know no cloud."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterator

from console.deployment import Deployment, Health, NotPossible, Print, Sign
from response.actions import Mode
from response.explain import terms_of
from response.policy import FourEyes, Policy, PolicyError, parse_policy_yaml

_PAGE = "without the page behind it (docs/deploy-azure.md, Answers by a link) nobody could approve"


def check(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Print every mistake as ``file:line: place: what fits``, or what the policy would do."""
    policy, _ = _checked(where, options, out)
    return 0 if policy is not None else 1


def upload(where: Deployment, options: argparse.Namespace, out: Print) -> int:
    """Put the policy where the functions read it, and print what that changed."""
    policy, text = _checked(where, options, out)
    if policy is None:
        return 1
    if _by_two(policy) and not where.attests_answers and not options.page:
        out("nothing was uploaded: if this deployment has the page, say so with --page; else set four_eyes to other")
        return 1
    before = where.replace_policy(text)
    if before == text:
        out(f"it is in force already ({where.where})")
        return 0
    for line in difflib.unified_diff(_lines(before), _lines(text), "before", str(options.file), n=1, lineterm=""):
        out(line)
    out(f"uploaded ({where.where}); functions read it within a minute")
    return 0


def _checked(where: Deployment, options: argparse.Namespace, out: Print) -> tuple[Policy | None, bytes]:
    """Return the policy, None where it has mistakes, and the text; say what it would do, or every mistake."""
    try:
        text = options.file.read_bytes()
    except OSError as error:
        raise NotPossible(f"cannot read {options.file}: {error.strerror}") from error
    try:
        policy = parse_policy_yaml(text, where.actions(), name=str(options.file))
    except PolicyError as error:
        for line in str(error).splitlines():
            out(line)
        if str(error).count("there is no action") > 1:  # one is mistyped
            out("where these are actions of the other cloud: --cloud says which one is meant")
        return None, text
    if too_much := [*where.too_much(policy, text)]:
        for line in too_much:
            out(f"{options.file}: {line}")
        return None, text
    out(f"{options.file}: {effect(policy, [*where.actions()])}")
    hidden = _hidden(policy)
    for rule in policy.rules:
        before = hidden.get(rule.name)
        never = f"never decides: {before} stands before it and matches whatever it does" if before else ""
        out(f"  {rule.name}: {rule.action}, {never or terms_of(rule, policy)}")
        if rule.regions and (unknown := where.regions_unknown(rule.regions)):
            out(f"  {rule.name}: this cloud has no region {', '.join(unknown)} that is known here: look how it is written")
    if (by_two := _by_two(policy)) and not where.attests_answers:
        out(f"{by_two}: both people must answer by the link in the notice, since the queue attests nobody: {_PAGE}")
    return policy, text


def _hidden(policy: Policy) -> dict[str, str]:
    """Rules that never decide, by name, each with the one that stands before it."""
    rules = policy.rules
    pairs = ((later.name, rule.name) for at, later in enumerate(rules) for rule in rules[:at] if rule.leaves_nothing_to(later))
    return dict(reversed([*pairs]))


def _by_two(policy: Policy) -> str:
    """Actions whose proposals two people must approve."""
    return ", ".join(sorted(name for name, action in policy.actions.items() if action.four_eyes is FourEyes.TWO))


def effect(policy: Policy, actions: list[str]) -> str:
    """What each action may do, in several ways where its rules differ: the line to read before anything is armed."""
    hidden = _hidden(policy)
    deciding = [rule for rule in policy.rules if rule.name not in hidden]
    modes = {name: {policy.terms(rule).mode for rule in deciding if rule.action == name} for name in actions}
    enforced = [name for name, these in modes.items() if Mode.ENFORCE in these]
    asked = [name for name, these in modes.items() if Mode.APPROVE in these]
    observed = [name for name, these in modes.items() if these == {Mode.OBSERVE}]
    idle = [name for name, these in modes.items() if not these]
    said = (("enforces", enforced), ("asks before", asked), ("only observes", observed), ("has no rule for", idle))
    return "; ".join(f"{verb} {', '.join(names)}" for verb, names in said if names)


def signs_of(
    parse: Callable[[Callable[[str], None]], Policy],
    since: str,
    actions: list[str],
    mend: str,
    in_force: Callable[[Policy], None],
) -> Iterator[Sign]:
    """Yield whether the functions can work by the policy that they read, how old it is, and what it may do.

    Parameters
    ----------
    parse : callable
        Reads it; what an older version took is told to its argument. Raises PolicyError.
    since : str
        Of when it is.
    actions : list of str
        This cloud's.
    mend : str
        What to do where it does not validate.
    in_force : callable
        Told of the policy where there is one that validates: nobody has to read it a second time.
    """
    taken: list[str] = []
    try:
        policy = parse(taken.append)
    except PolicyError as error:
        for mistake in str(error).splitlines():
            yield Sign(Health.BAD, f"policy of {since}: {mistake}", f"{mend}: no verdict is decided until then")
        return
    in_force(policy)
    yield Sign(Health.GOOD, f"policy of {since}: {effect(policy, actions)}")
    for mistake in taken:
        yield Sign(Health.UNKNOWN, f"policy of {since}: {mistake}", mend)


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()
