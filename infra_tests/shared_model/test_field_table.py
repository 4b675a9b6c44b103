"""Fields that were seen before: looked up, they mean what reading them would have said."""

import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model import addresses
from shared_model.parsers.address_fields import AddressFields
from shared_model.parsers.field_table import FieldTable
from shared_model.parsers.flow_lines import PADDING


def laid_out(fields: list[bytes]):
    raw = b" ".join(fields)
    lengths = np.array([len(field) for field in fields], np.intp)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.intp)
    return raw, np.frombuffer(raw + bytes(PADDING), np.uint8), starts, lengths


@given(st.lists(st.lists(st.binary(max_size=23), min_size=1, max_size=12), max_size=6))
@settings(deadline=None)
def test_what_is_found_is_what_was_read_even_where_texts_meet_in_a_slot(columns):
    table = FieldTable(words=3, values=2, slots=2)
    for fields in columns:
        _, text, starts, lengths = laid_out(fields)

        def read(rows, fields=fields):
            return np.array([(len(fields[row]), int.from_bytes(fields[row][:8], "big")) for row in rows.tolist()], np.uint64)

        expected = read(np.arange(len(fields)))
        assert table.values(text, starts, lengths, read).tolist() == expected.tolist()


def test_a_text_is_read_once_while_it_is_remembered():
    table = FieldTable(words=2, values=1, slots=1 << 10)
    asked = []

    def read(rows):
        asked.append(len(rows))
        return np.zeros((len(rows), 1), np.uint64)

    _, text, starts, lengths = laid_out([b"192.0.2.1", b"192.0.2.2"])
    for _ in range(3):
        table.values(text, starts, lengths, read)
    assert asked == [2]


_texts = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.sampled_from(["-", "", "::", "192.0.2.010", "fe80::1%eth0", "::ffff:192.0.2.1", "198.51.100.1\0", "x" * 46, "x" * 60]),
    st.text(st.sampled_from("0123456789abcdef.:"), max_size=50),
)


@given(st.lists(st.lists(_texts, min_size=1, max_size=8), max_size=5))
@settings(deadline=None)
def test_addresses_are_read_as_the_standard_library_reads_them(columns):
    reader = AddressFields()
    for column in columns * 2:  # the second time from the table
        words, ok = reader.words(*laid_out([text.encode() for text in column]))
        expected = [_words(text) for text in column]
        assert ok.tolist() == [address is not None for address in expected]
        assert words.tolist() == [list(address or (0, 0)) for address in expected]


def _words(text: str) -> tuple[int, int] | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else addresses.to_words(text)
