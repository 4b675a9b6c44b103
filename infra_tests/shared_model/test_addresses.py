"""Addresses as columns: the same answers as the standard library's."""

import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.addresses import Scope


def parse(fields: list[bytes]):
    text = np.frombuffer(b" ".join(fields) + bytes(addresses.PADDING), np.uint8)
    lengths = np.array([len(field) for field in fields], np.intp)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.intp)
    return addresses.parse_ipv4(text, starts, lengths)


def standard(field: bytes) -> int | None:
    try:
        return int(ipaddress.IPv4Address(field.decode("ascii")))
    except ValueError:
        return None


_close = st.from_regex(rb"[0-9]{0,4}\.[0-9]{0,3}\.[0-9.]{0,4}\.?[0-9a]{0,3}", fullmatch=True)
_field = st.one_of(st.ip_addresses(v=4).map(lambda address: str(address).encode()), _close, st.just(b"-"))


@given(st.lists(_field.filter(lambda field: b"\n" not in field), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_ipv4_is_read_as_the_standard_library_reads_it(fields):
    values, ok = parse(fields)
    expected = [standard(field) for field in fields]
    assert ok.tolist() == [address is not None for address in expected]
    assert values.tolist() == [address or 0 for address in expected]


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_words_and_text_are_each_others_inverse(address):
    high, low = addresses.to_words(str(address))
    mapped = getattr(address, "ipv4_mapped", None)
    assert addresses.to_text(high, low) == str(mapped or address)


def column(*texts: str):
    return np.array([addresses.to_words(text) for text in texts], np.uint64)


def test_scopes():
    private = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "168.63.129.16", "fd00::1"]
    special = ["127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "fe80::1", "ff02::1"]
    public = ["8.8.8.8", "172.32.0.0", "100.128.0.0", "192.169.0.0", "168.63.129.15", "168.63.129.17", "2600::ffff:a83f:8110"]
    found = addresses.scopes(column(*private, *special, *public)).tolist()
    assert found == [Scope.PRIVATE] * len(private) + [Scope.SPECIAL] * len(special) + [Scope.PUBLIC] * len(public)


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), min_size=1, max_size=12))
def test_keys_are_equal_exactly_where_addresses_are(texts):
    words = column(*texts)
    keys = addresses.keys(words).tolist()
    assert all(key < 2**33 for key in keys)
    canonical = [addresses.to_text(*row) for row in words.tolist()]
    assert len(set(keys)) == len(set(canonical))
    assert len(set(zip(keys, canonical, strict=True))) == len(set(keys))
