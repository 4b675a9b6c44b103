"""Signed links: what is not exactly what was signed is refused, and a notice without its link is told all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_tests.response.linked import ADDRESS, Key
from infra_tests.response.test_approval import asking
from response.links import Link, LinkExpired, LinkRefused, address, read_link, with_links
from response.notices import Notice
from response.proposals import digest
from shared_model.errors import CloudUnavailable

NOW_MS = 1_790_000_000_000
LINK = Link("0123456789abcdef" * 2, "fedcba9876543210", NOW_MS + 60_000)
NOTICE = Notice("s/1", "Approve?", "text", "e", proposal_id=LINK.proposal_id, plan=LINK.plan, until_ms=LINK.until_ms)
LINKS = st.builds(
    Link,
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.integers(NOW_MS + 1, 9_999_999_999_999),
)


def parts_of(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path.rpartition("/")[2], dict(parse_qsl(parts.query, strict_parsing=True))


@given(LINKS)
def test_a_link_is_read_as_it_was_written(link: Link) -> None:
    key = Key()
    url = address(ADDRESS, link, key)
    assert url.startswith(f"{ADDRESS}/proposals/{link.proposal_id}?plan=")
    assert read_link(*parts_of(url), key, now_ms=NOW_MS) == link


@given(LINKS, st.data())
def test_with_any_bit_flipped_it_is_refused(link: Link, data: st.DataObject) -> None:
    key = Key()
    identifier, query = parts_of(address(ADDRESS, link, key))
    fields = {"proposal": identifier, **query}
    name = data.draw(st.sampled_from(sorted(fields)))
    place, bit = data.draw(st.integers(0, len(fields[name]) - 1)), data.draw(st.integers(0, 6))
    flipped = chr(ord(fields[name][place]) ^ 1 << bit)
    fields[name] = fields[name][:place] + flipped + fields[name][place + 1 :]
    with pytest.raises(LinkRefused):
        read_link(fields.pop("proposal"), fields, key, now_ms=NOW_MS)


@given(LINKS, LINKS)
def test_no_part_of_one_link_fits_another(one: Link, other: Link) -> None:
    key = Key()
    query = parts_of(address(ADDRESS, one, key))[1]
    theirs = parts_of(address(ADDRESS, other, key))[1]
    if one != other:
        with pytest.raises(LinkRefused):
            read_link(one.proposal_id, {**query, "signature": theirs["signature"]}, key, now_ms=NOW_MS)


@pytest.mark.parametrize("undoes", [False, True])
def test_a_link_to_a_plan_undoes_nothing_and_one_to_an_undo_shows_no_proposal(undoes: bool) -> None:
    key = Key()
    link = replace(LINK, undoes=undoes)
    identifier, query = parts_of(address(ADDRESS, link, key))
    assert read_link(identifier, query, key, now_ms=NOW_MS) == link
    other = {name: value for name, value in query.items() if name != "undo"} | ({} if undoes else {"undo": "yes"})
    with pytest.raises(LinkRefused):
        read_link(identifier, other, key, now_ms=NOW_MS)


@pytest.mark.parametrize("late_ms", [0, 1, 86_400_000])
def test_from_its_last_moment_on_it_has_expired_and_the_key_is_not_asked(late_ms: int) -> None:
    key = Key()
    identifier, query = parts_of(address(ADDRESS, LINK, key))
    with pytest.raises(LinkExpired):
        read_link(identifier, query, key, now_ms=LINK.until_ms + late_ms)
    assert key.asked == 0
    assert read_link(identifier, query, key, now_ms=LINK.until_ms - 1) == LINK


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature": "A" * 500},
        {"signature": "é" * 43},
        {"plan": "../../x"},
        {"until": "1e99"},
        {"until": "٣" * 13},
    ],
)
def test_what_has_not_the_form_of_a_link_costs_no_call(changes: dict[str, str]) -> None:
    key = Key()
    identifier, query = parts_of(address(ADDRESS, LINK, key))
    with pytest.raises(LinkRefused):
        read_link(identifier, query | changes, key, now_ms=NOW_MS)
    with pytest.raises(LinkRefused):
        read_link(identifier + "\n", query, key, now_ms=NOW_MS)
    assert key.asked == 0


def test_that_nobody_could_look_says_nothing_about_the_link() -> None:
    key = Key()
    key.is_out = True
    with pytest.raises(CloudUnavailable):
        read_link(*parts_of(address(ADDRESS, LINK, key)), key, now_ms=NOW_MS)


def test_a_signature_is_written_in_one_way_only() -> None:
    key = Key()
    identifier, query = parts_of(address(ADDRESS, LINK, key))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(query["signature"][-1])
    for loose in range(1, 4):  # the last character of 32 bytes holds two bits that mean nothing
        other = query["signature"][:-1] + alphabet[last ^ loose]
        with pytest.raises(LinkRefused):
            read_link(identifier, query | {"signature": other}, key, now_ms=NOW_MS)


def test_a_notice_that_asks_gets_a_link_and_another_does_not() -> None:
    told: list[Notice] = []
    tell = with_links(told.append, ADDRESS, Key(), pytest.fail)
    tell(NOTICE)
    tell(replace(NOTICE, proposal_id=""))
    assert read_link(*parts_of(told[0].link), Key(), now_ms=NOW_MS) == LINK
    assert told[0].link in told[0].opens
    assert (told[1].link, told[1].opens) == ("", "")


@pytest.mark.parametrize("undoes", [False, True])
def test_a_notice_is_told_without_its_link_and_says_so_when_it_cannot_be_signed(undoes: bool) -> None:
    class NoKey(Key):
        def sign(self, message: bytes) -> bytes:
            raise CloudUnavailable("the key is out of service")

    told: list[Notice] = []
    errors: list[dict[str, Any]] = []
    with_links(told.append, ADDRESS, NoKey(), errors.append)(replace(NOTICE, undoes=undoes))
    (notice,) = told
    assert (notice.link, notice.opens) == ("", "")
    assert notice.text.startswith(f"{NOTICE.text}\nThis has no link: none could be signed now")
    assert (f"breakwater undo {NOTICE.proposal_id}" in notice.text) is undoes
    assert errors == [{"notice_id": "s/1", "reason": "the key is out of service"}]


def test_a_question_names_the_plan_that_it_asks_about() -> None:
    site = asking()
    (proposal,) = site.stream("i-1").proposals.values()
    assert site.notices[-1].plan == digest(proposal.plan)
