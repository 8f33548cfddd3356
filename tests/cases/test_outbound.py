"""The one outbound client: where it goes, where it never goes, and when it gives up."""

import gzip
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from cases import outbound
from cases.outbound import Answer, OutboundFailed, OutboundRefused, checked_url, is_public, post

from . import receiver as receiving
from .receiver import Receiver

Resolver = Callable[..., None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver with a certificate for localhost and receiver.test, and a client that trusts it."""
    context = ssl.create_default_context(cadata=receiving.CERTIFICATE)
    monkeypatch.setattr(outbound, "tls_context", lambda: context)
    with Receiver(is_encrypted=True) as receiver:
        yield receiver


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """A resolver that knows every name by the addresses given, and counts how often it was asked."""

    def resolve_to(*addresses: str) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, **_: object) -> list[tuple]:
            asked.append(host)
            family = {4: socket.AF_INET, 6: socket.AF_INET6}
            return [
                (family[ipaddress.ip_address(a).version], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (a, port))
                for a in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve_to


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where sockets tried to connect; none of them gets there."""
    tried: list[object] = []

    class NoSocket(socket.socket):
        def connect(self, address: object) -> None:
            tried.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", NoSocket)
    return tried


def send(url: str, *, seconds: float = 5, limit: int = 1000, allow_loopback: bool = True) -> Answer:
    return post(
        url,
        b'{"a":1}',
        {"Content-Type": "application/json"},
        total_seconds=seconds,
        max_response_bytes=limit,
        allow_loopback=allow_loopback,
    )


# --- what arrives ------------------------------------------------------------------------------------------------


def test_the_body_and_the_headers_arrive_and_the_answer_comes_back(receiver):
    receiver.then(receiving.answer(202, b"thanks", {"Retry-After": "7"}))
    answer = send(receiver.url + "?a=b%20c")
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hook?a=b%20c", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (202, b"thanks", "7")
    assert 0 <= answer.ms < 5000


def test_an_error_is_an_answer_too(receiver):
    receiver.then(receiving.answer(500, b"no"))
    assert send(receiver.url).status == 500


def test_an_address_without_a_path_is_asked_for_its_root(receiver):
    send(f"http://127.0.0.1:{receiver.port}?x=1")
    assert receiver.requests[0].path == "/?x=1"


def test_a_chunked_answer_is_put_together(receiver):
    receiver.then(
        receiving.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    )
    assert send(receiver.url).body == b"abcde"


# --- TLS ---------------------------------------------------------------------------------------------------------


def test_the_connection_goes_to_the_checked_address_under_the_hosts_own_name(encrypted, resolver):
    asked = resolver("127.0.0.1")
    assert send(f"https://receiver.test:{encrypted.port}/hook").status == 200
    assert asked == ["receiver.test"]  # Once: a second look-up could be told another address.
    assert encrypted.server_names == ["receiver.test"]
    assert encrypted.requests[0].headers["host"] == f"receiver.test:{encrypted.port}"


def test_a_certificate_for_another_name_is_not_accepted(encrypted, resolver):
    resolver("127.0.0.1")
    with pytest.raises(OutboundFailed, match="certificate was not accepted") as caught:
        send(f"https://other.test:{encrypted.port}/hook")
    assert not caught.value.may_have_arrived
    assert encrypted.requests == []


def test_a_certificate_that_nobody_vouches_for_is_not_accepted():
    outbound.tls_context.cache_clear()
    with Receiver(is_encrypted=True) as receiver, pytest.raises(OutboundFailed, match="certificate was not accepted"):
        send(f"https://localhost:{receiver.port}/hook")


def test_a_receiver_without_tls_is_a_failure(receiver):
    with pytest.raises(OutboundFailed, match="TLS"):
        send(f"https://localhost:{receiver.port}/hook")


def test_a_hanging_handshake_is_cut_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(OutboundFailed, match="handshake timed out"):
            send(f"https://localhost:{silent.getsockname()[1]}/", seconds=0.3)
        assert time.monotonic() - began < 3


# --- where it never goes -----------------------------------------------------------------------------------------

NOT_PUBLIC = {
    "this machine": "127.0.0.1 127.8.9.1 0.0.0.0 0.1.2.3 ::1 ::",
    "private": "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd00:ec2::254 fec0::1",
    "link": "169.254.169.254 169.254.0.1 fe80::1",
    "carrier": "100.64.0.1 100.100.100.200 100.127.255.255",
    "cloud": "168.63.129.16 192.0.0.192",
    "multicast": "224.0.0.1 239.1.2.3 ff02::1 ff0e::1",
    "reserved": "240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9",
    "no locator": "100::1 2001:db8::1 3fff::1 5f00::1",
    "relays": "192.88.99.1 2001::1 2001:10::1 2001:20::1",
    "mapped": "::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 ::808:808",
    "nat64": "64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::1",
    "6to4": "2002:7f00:1::1 2002:808:808::1",
    "teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
}
INNER = [pytest.param(text, id=f"{why} {text}") for why, texts in NOT_PUBLIC.items() for text in texts.split()]
PUBLIC = [
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_open_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INNER)
def test_a_name_that_leads_to_an_inner_address_is_refused(address, resolver, connections):
    resolver(address)
    with pytest.raises(OutboundRefused, match="not public"):
        send("https://innocent.example/hook", allow_loopback=False)
    assert connections == []


@pytest.mark.parametrize("addresses", [("8.8.8.8", "10.0.0.1"), ("2606:4700:4700::1111", "8.8.8.8", "::1")])
def test_one_inner_address_among_public_ones_refuses_the_name(addresses, resolver, connections):
    resolver(*addresses)
    with pytest.raises(OutboundRefused, match="not public"):
        send("https://mixed.example/hook", allow_loopback=False)
    assert connections == []


def test_every_public_address_is_tried_in_turn(resolver, connections):
    asked = resolver("2606:4700:4700::1111", "8.8.8.8")
    with pytest.raises(OutboundFailed, match="refused") as caught:
        send("https://public.example/hook", allow_loopback=False)
    assert connections == [("2606:4700:4700::1111", 443), ("8.8.8.8", 443)]
    assert asked == ["public.example"]
    assert not caught.value.may_have_arrived


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "localhost"])
def test_every_spelling_of_loopback_is_refused(host, connections):
    with pytest.raises(OutboundRefused, match="not public"):
        send(f"https://{host}/hook", allow_loopback=False)
    assert connections == []


def test_loopback_is_all_that_the_allowance_adds(resolver, connections):
    resolver("10.0.0.1")
    with pytest.raises(OutboundRefused, match="not public"):
        send("https://inner.example/hook", allow_loopback=True)
    resolver("8.8.8.8")
    with pytest.raises(OutboundRefused, match="https://"):
        send("http://public.example/hook", allow_loopback=True)
    assert connections == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("example.com/hook", "https://"),
        ("", "https://"),
        ("https://", "no host"),
        ("https:///hook", "no host"),
        ("https://user:secret@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com:25/", "Port 25"),
        ("https://example.com:0/", "Port 0"),
        ("https://example.com:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://exa mple.com/", "spaces"),
        ("https://example.com/a\r\nX: y", "spaces"),
        ("https://example.com\\@inner/", "spaces"),
        ("https://exämple.com/", "must be encoded"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_with_a_reason(url, why):
    with pytest.raises(OutboundRefused, match=why):
        checked_url(url, allow_loopback=False)


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com:8443/a?b#c", "https://example.com:443/"])
def test_an_ordinary_address_is_accepted(url):
    assert checked_url(url, allow_loopback=False).hostname == "example.com"


def test_a_refusal_does_not_repeat_the_address():
    with pytest.raises(OutboundRefused) as caught:
        checked_url("https://user:secret@example.com/", allow_loopback=False)
    assert "secret" not in str(caught.value)


def test_a_redirect_to_a_metadata_address_is_not_followed(receiver):
    receiver.then(receiving.redirect("http://169.254.169.254/latest/meta-data/"))
    assert send(receiver.url).status == 302
    assert len(receiver.requests) == 1


def test_a_redirect_back_to_the_receiver_is_not_followed_either(receiver):
    receiver.then(receiving.redirect("/hook", 307))
    assert send(receiver.url).status == 307
    assert len(receiver.requests) == 1


def test_a_proxy_of_the_environment_is_ignored(receiver, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(receiver.url).status == 200


# --- when it gives up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (receiving.hang, None),
        (receiving.drip(every=0.05), None),
        (receiving.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", every=0.05), None),
        (receiving.drip(b"HTTP/1.1 200 OK\r\n\r\n", every=0.05), 200),
        (receiving.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", every=0.05), 200),
    ],
    ids=["hanging", "dripping its status", "dripping a header", "dripping its body", "dripping a chunk size"],
)
def test_a_dripping_receiver_is_cut_at_the_deadline(receiver, behaviour, status):
    receiver.then(behaviour)
    began = time.monotonic()
    with pytest.raises(OutboundFailed, match="in time") as caught:
        send(receiver.url, seconds=0.4)
    assert 0.35 < time.monotonic() - began < 3
    assert (caught.value.may_have_arrived, caught.value.status) == (True, status)


def test_a_slow_resolver_is_left_behind_at_the_deadline(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2) or [])
    began = time.monotonic()
    with pytest.raises(OutboundFailed, match="resolved in time"):
        send("https://slow.example/", seconds=0.2)
    assert time.monotonic() - began < 1.5


def test_an_unknown_name_and_a_closed_port_are_failures_before_anything_was_sent():
    with pytest.raises(OutboundFailed, match="cannot be resolved") as unknown:
        send("https://nowhere.invalid/")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OutboundFailed, match="refused") as closed:
        send(f"http://127.0.0.1:{port}/")
    assert not unknown.value.may_have_arrived
    assert not closed.value.may_have_arrived


def test_a_name_that_is_too_long_to_be_one_is_a_failure():
    with pytest.raises(OutboundFailed, match="cannot be resolved"):
        send(f"https://{'a' * 64}.example/")


@pytest.mark.parametrize(
    "behaviour",
    [
        receiving.pour(),
        receiving.pour(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"),
        receiving.pour(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"
        ),
        receiving.pour(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"),
        receiving.pour(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["endless", "announced", "chunked", "a chunk of -1 bytes", "informational answers"],
)
def test_gigabytes_are_not_taken(receiver, behaviour):
    receiver.then(behaviour)
    with pytest.raises(OutboundFailed, match="longer than 1000 bytes") as caught:
        send(receiver.url)
    assert caught.value.may_have_arrived


def test_a_compressed_answer_is_not_unpacked(receiver):
    bomb = gzip.compress(b"0" * 500_000)
    receiver.then(receiving.answer(200, bomb, {"Content-Encoding": "gzip"}))
    answer = send(receiver.url)
    assert answer.body == bomb
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "another protocol", "no status", "cut off", "negative chunk", "bad chunk", "200 headers"],
)
def test_an_answer_that_is_no_http_is_a_failure_that_may_have_arrived(receiver, data):
    receiver.then(receiving.raw(data))
    with pytest.raises(OutboundFailed) as caught:
        send(receiver.url)
    assert caught.value.may_have_arrived


def test_a_failure_repeats_nothing_that_the_receiver_wrote(receiver):
    receiver.then(receiving.raw(b"<script>alert(1)</script>\r\n\r\n"))
    with pytest.raises(OutboundFailed) as caught:
        send(receiver.url)
    assert "script" not in str(caught.value)
