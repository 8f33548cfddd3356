"""The one way out: an HTTP POST to an address that somebody typed, guarded against server-side request forgery.

A name is resolved once, every address that it has is checked, and the connection goes to a checked address, with the
name in ``Host``, in SNI and in the certificate's check; a second look-up by a library could be told another address.
No redirect is followed, no proxy of the environment is used, no content encoding is undone, and one deadline covers
everything, so that neither a dripping receiver nor a slow resolver holds a worker.

``http.client`` does the protocol; the socket below it is ours.
"""

import functools
import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS = {"https": 443, "http": 80}
HEAD_BYTES = 64_000  # of an answer's headers and chunk sizes
FIRST_UNPRIVILEGED_PORT = 1024  # Below it only 443: nothing is gained by knocking at mail servers and the like.

# Not for the public although `ipaddress` calls some of them global, by Python version.
# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "168.63.129.16/32",  # Azure's host, reachable from every guest
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments: Teredo carries an IPv4 address, ORCHID is no locator
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
# All that is ever routed publicly; NAT64, mapped, local and multicast addresses all lie outside.
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


class OutboundRefused(Exception):
    """The address may not be called; nothing was sent. The message says why, for whoever typed it."""


class OutboundFailed(Exception):
    """No whole answer came. The message is a short cause without anything that the receiver wrote.

    ``may_have_arrived`` is False only if the receiver cannot have acted: nothing of the request was sent.
    ``status`` is known if the answer broke off after its head.
    """

    def __init__(self, cause: str, *, may_have_arrived: bool, status: int | None = None) -> None:
        self.may_have_arrived = may_have_arrived
        self.status = status
        super().__init__(cause)


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status: a 3xx is an answer too. ``headers`` have lower-case names."""

    status: int
    body: bytes
    ms: int
    headers: Mapping[str, str] = field(default_factory=dict)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    total_seconds: float = 10,
    max_response_bytes: int = 64_000,
    allow_loopback: bool = False,
) -> Answer:
    """POST ``body`` to a public HTTPS address and return its answer within ``total_seconds``, look-up included.

    ``allow_loopback`` lets in this machine's own loopback besides, by HTTP or HTTPS, for demos and tests.
    Raises ``OutboundRefused`` and ``OutboundFailed``.
    """
    deadline = _Deadline(total_seconds)
    parts = checked_url(url, allow_loopback=allow_loopback)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    addresses = _checked_addresses(parts, port, deadline, allow_loopback)
    sock = _connected(addresses, port, deadline)
    if parts.scheme == "https":
        sock = _encrypted(sock, str(parts.hostname), deadline)
    wire = _Wire(sock, deadline, max_response_bytes + HEAD_BYTES)
    try:
        return _exchange(parts, port, wire, body, headers, deadline, max_response_bytes)
    finally:
        wire.hang_up()


def checked_url(url: str, *, allow_loopback: bool) -> SplitResult:
    """``url`` in parts, or ``OutboundRefused``: what can be said of an address before its name is looked up.

    Forms that store an address ask this too, so that a typing error shows when it is made.
    """
    if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
        raise OutboundRefused("The address holds spaces or characters that must be encoded.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutboundRefused("The address cannot be read.") from None
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http"):
        raise OutboundRefused("The address must begin with https://.")
    if not parts.hostname:
        raise OutboundRefused("The address names no host.")
    if "@" in parts.netloc:
        raise OutboundRefused("The address holds a user name or password: use the signature to recognise the sender.")
    if port is not None and not allow_loopback and port != 443 and port < FIRST_UNPRIVILEGED_PORT:
        raise OutboundRefused(f"Port {port} is not allowed: use 443, or 1024 and above.")
    return parts


def is_public(address: Address) -> bool:
    """Whether ``address`` is for everybody: neither private, local, shared, reserved nor a wrapping of another one."""
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in CLOSED if network.version == address.version)


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._started = time.monotonic()
        self._ends = self._started + seconds

    def left(self) -> float:
        """Seconds until the end; raises ``TimeoutError`` after it."""
        if (left := self._ends - time.monotonic()) <= 0:
            raise TimeoutError
        return left

    def used_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


class _Wire:
    """What ``http.client`` takes for a socket. Each system call gets what is left of the deadline, where a socket's own
    timeout would begin anew with every byte; and no more than ``limit`` bytes ever come in, however they are framed."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, limit: int) -> None:
        self._socket = sock
        self._deadline = deadline
        self._left = limit
        self.has_sent = False

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._deadline.left())
            self.has_sent = True
            view = view[self._socket.send(view) :]

    def receive_into(self, buffer: memoryview) -> int:
        self._socket.settimeout(self._deadline.left())
        count = self._socket.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise _TooLong
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: ``http.client`` closes before it reads the body. ``hang_up`` ends the connection."""

    def hang_up(self) -> None:
        self._socket.close()


class _Reader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        return self._wire.receive_into(buffer)


class _TooLong(Exception):
    pass


def _checked_addresses(parts: SplitResult, port: int, deadline: _Deadline, allow_loopback: bool) -> Sequence[tuple]:
    """``getaddrinfo``'s rows for the host, if every one of them may be called: a name that also has an inner address
    is refused as a whole, since which one a connection takes is chance."""
    rows = _resolve(str(parts.hostname), port, deadline)
    for *_, (host, *_) in rows:
        address = ipaddress.ip_address(host)
        if allow_loopback and address.is_loopback:
            continue
        if parts.scheme != "https":
            raise OutboundRefused("The address must begin with https://.")
        if not is_public(address):
            raise OutboundRefused("The address leads to a network that is not public.")
    return rows


def _resolve(host: str, port: int, deadline: _Deadline) -> Sequence[tuple]:
    """One look-up. It has no timeout of its own, so it runs in a thread that is left behind if it takes too long;
    that one ends when the resolver's own patience does."""
    found: queue.SimpleQueue = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            found.put([])

    threading.Thread(target=look_up, daemon=True, name="look-up").start()
    try:
        rows = found.get(timeout=deadline.left())
    except (queue.Empty, TimeoutError):
        raise OutboundFailed("The host's name was not resolved in time.", may_have_arrived=False) from None
    if not rows:
        raise OutboundFailed("The host's name cannot be resolved.", may_have_arrived=False)
    return rows


def _connected(rows: Sequence[tuple], port: int, deadline: _Deadline) -> socket.socket:
    """A connection to the first address that answers."""
    cause = ""
    for position, (family, kind, protocol, _, (host, *_)) in enumerate(rows):
        sock = socket.socket(family, kind, protocol)
        try:
            # An address that swallows packets must leave time for the next one.
            sock.settimeout(deadline.left() / (len(rows) - position))
            sock.connect((host, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            cause = "timed out" if isinstance(error, TimeoutError) else "was refused or cut"
    raise OutboundFailed(f"The connection {cause}.", may_have_arrived=False)


def _encrypted(sock: socket.socket, host: str, deadline: _Deadline) -> ssl.SSLSocket:
    try:
        sock.settimeout(deadline.left())
        return tls_context().wrap_socket(sock, server_hostname=host.rstrip("."))
    except (OSError, ValueError) as error:  # ssl's errors are OSErrors; a name that no certificate can hold is not.
        sock.close()
        if isinstance(error, TimeoutError):
            cause = "The TLS handshake timed out."
        elif isinstance(error, ssl.SSLCertVerificationError):
            cause = f"The certificate was not accepted: {error.verify_message}."
        else:
            cause = "The TLS handshake failed."
        raise OutboundFailed(cause, may_have_arrived=False) from None


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The system's trusted authorities, names checked, TLS 1.2 and later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _exchange(
    parts: SplitResult,
    port: int,
    wire: _Wire,
    body: bytes,
    headers: Mapping[str, str],
    deadline: _Deadline,
    max_bytes: int,
) -> Answer:
    connection = http.client.HTTPConnection(str(parts.hostname), port)  # Only writes the Host header: never connects.
    connection.default_port = DEFAULT_PORTS[parts.scheme]
    connection.sock = wire  # type: ignore[assignment]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    status = None
    try:
        connection.request("POST", target, body, {**headers, "Connection": "close", "Accept-Encoding": "identity"})
        response = connection.getresponse()
        status = response.status
        content = response.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise _TooLong
        if response.length:  # What Content-Length promised and the body did not hold.
            raise http.client.IncompleteRead(content)
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status, content, deadline.used_ms(), names)
    except _TooLong:
        cause = f"The answer is longer than {max_bytes} bytes."
    except TimeoutError:
        cause = "No whole answer came in time."
    except OSError:
        cause = "The connection broke."
    except (http.client.HTTPException, ValueError):  # A negative chunk size is a ValueError.
        if not wire.has_sent:
            raise  # Our own header is malformed.
        cause = "The answer is not HTTP, or it broke off."
    raise OutboundFailed(cause, may_have_arrived=wire.has_sent, status=status)
