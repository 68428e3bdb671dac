"""A small client of PostgreSQL's protocol 3.0 that hides nothing: every message can be sent and looked at.

It exists to test what drivers never do: half messages, broken lengths, pipelines with errors, replies read one by one.
Source: PostgreSQL 15 manual, "Message Formats".
"""
import dataclasses
import socket
import struct

PROTOCOL_3_0 = 196608
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Closed(Exception):
    """The other side ended the connection."""


class ServerError(Exception):
    """An ErrorResponse, raised by the convenience calls; `fields` by their one-letter codes."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')} {fields.get('D', '')} {fields.get('H', '')}".strip())
        self.fields = fields

    @property
    def code(self):
        return self.fields["C"]


@dataclasses.dataclass
class Message:
    kind: str
    body: bytes

    def __repr__(self):
        return f"{self.kind}({len(self.body)})" if self.kind not in "EN" else f"{self.kind}({fields_of(self.body)})"


@dataclasses.dataclass
class Column:
    name: str
    table: int
    number: int
    type: int
    size: int
    typmod: int
    format: int


@dataclasses.dataclass
class Result:
    """What one statement was answered with."""
    columns: list = None
    rows: list = dataclasses.field(default_factory=list)
    tag: str = None
    error: dict = None
    notices: list = dataclasses.field(default_factory=list)
    copied: bytes = None  # what CopyData messages brought

    @property
    def code(self):
        return self.error["C"] if self.error else None


def fields_of(body):
    """The fields of an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}


def columns_of(body):
    columns, offset = [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", offset)
        columns.append(Column(body[offset:end].decode(), *struct.unpack_from("!IhIhih", body, end + 1)))
        offset = end + 19
    return columns


def row_of(body):
    values, offset = [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        length = struct.unpack_from("!i", body, offset)[0]
        offset += 4
        values.append(None if length < 0 else body[offset:offset + length])
        offset += max(length, 0)
    return tuple(values)


def text(value):
    return value.encode() + b"\0" if isinstance(value, str) else value + b"\0"


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def startup_message(parameters, version=PROTOCOL_3_0):
    body = struct.pack("!I", version) + b"".join(text(k) + text(v) for k, v in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


# ---------------------------------------------------------------- messages of the extended protocol

def parse(sql, name="", types=()):
    return message("P", text(name) + text(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(values=(), portal="", statement="", formats=(), result_formats=()):
    body = text(portal) + text(statement) + struct.pack(f"!H{len(formats)}h", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            raw = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack("!i", len(raw)) + raw
    return message("B", body + struct.pack(f"!H{len(result_formats)}h", len(result_formats), *result_formats))


def describe_statement(name=""):
    return message("D", b"S" + text(name))


def describe_portal(name=""):
    return message("D", b"P" + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!I", rows))


def close_statement(name=""):
    return message("C", b"S" + text(name))


def close_portal(name=""):
    return message("C", b"P" + text(name))


def sync():
    return message("S")


def flush():
    return message("H")


def query(sql):
    return message("Q", text(sql))


# ---------------------------------------------------------------- a connection

class Connection:
    """A socket, what arrived on it, and what the server told about itself."""

    def __init__(self, address, timeout=30):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = address
        self.buffer = b""
        self.parameters = {}
        self.notices = []
        self.notifications = []
        self.status = None
        self.pid = self.secret = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.sendall(message("X"))
        except OSError:
            pass
        self.socket.close()

    def __del__(self):
        if hasattr(self, "socket"):
            self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def read_bytes(self, count):
        """Exactly `count` bytes, or Closed."""
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed(f"closed with {self.buffer!r} unread")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read(self):
        """The next message, whatever it is."""
        head = self.read_bytes(5)
        return Message(chr(head[0]), self.read_bytes(struct.unpack("!I", head[1:])[0] - 4))

    def next(self):
        """The next message that is not asynchronous: notices, parameters and notifications are put aside."""
        while True:
            found = self.read()
            if not self.put_aside(found):
                if found.kind == "Z":
                    self.status = found.body.decode()
                return found

    def put_aside(self, found):
        """Keeps an asynchronous message; False: it is none."""
        if found.kind == "N":
            self.notices.append(fields_of(found.body))
        elif found.kind == "S":
            name, value = found.body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        elif found.kind == "A":
            pid = struct.unpack_from("!I", found.body)[0]
            channel, payload = found.body[4:].split(b"\0")[:2]
            self.notifications.append((pid, channel.decode(), payload.decode()))
        else:
            return False
        return True

    def take_notifications(self, count, seconds):
        """What an idle connection is told without asking: `count` notifications, or as many as come in time."""
        timeout = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            while len(self.notifications) < count:
                found = self.read()
                assert self.put_aside(found), found
        except socket.timeout:
            pass
        self.socket.settimeout(timeout)
        found, self.notifications = self.notifications, []
        return found

    def until_ready(self):
        """All messages up to ReadyForQuery, which is the last."""
        found = [self.next()]
        while found[-1].kind != "Z":
            found.append(self.next())
        return found

    def kinds(self):
        """The letters of the messages up to ReadyForQuery."""
        return "".join(found.kind for found in self.until_ready())

    def is_closed(self):
        """True if the server ends the connection; what it still says is thrown away."""
        try:
            while True:
                self.read()
        except Closed:
            return True
        except socket.timeout:
            return False

    def read_all(self):
        """The bytes up to the end of the connection."""
        while True:
            try:
                self.read_bytes(len(self.buffer) + 1)
            except Closed:
                return self.buffer

    def start(self, **parameters):
        """Startup with trust authentication, up to ReadyForQuery."""
        self.send(startup_message(parameters))
        return self.finish_start()

    def finish_start(self):
        while True:
            found = self.next()
            if found.kind == "E":
                raise ServerError(fields_of(found.body))
            if found.kind == "R" and struct.unpack_from("!I", found.body)[0] != 0:
                raise ServerError({"C": "28000", "M": "the server wants a password"})
            if found.kind == "K":
                self.pid, self.secret = struct.unpack("!II", found.body)
            if found.kind == "Z":
                return self

    def results(self, copy_in=None):
        """Gathers messages up to ReadyForQuery into a Result per statement; answers a COPY FROM STDIN."""
        results, current = [], Result()
        self.notices = []
        while True:
            found = self.next()
            if found.kind == "T":
                current.columns = columns_of(found.body)
            elif found.kind == "D":
                current.rows.append(row_of(found.body))
            elif found.kind == "G":
                self.send(message("d", copy_in) if copy_in else b"", message("c") if copy_in is not None else
                          message("f", text("no data was given")))
            elif found.kind == "H":
                current.copied = b""
            elif found.kind == "d":
                current.copied += found.body
            elif found.kind in "CIs":
                current.tag = found.body[:-1].decode() if found.kind == "C" else found.kind
                current.notices, self.notices = self.notices, []
                results.append(current)
                current = Result()
            elif found.kind == "E":
                current.error = fields_of(found.body)
                current.notices, self.notices = self.notices, []
                results.append(current)
                current = Result()
            elif found.kind == "Z":
                return results

    def query(self, sql, copy_in=None):
        """A simple query; a Result per statement, errors included."""
        self.send(query(sql))
        return self.results(copy_in)

    def rows(self, sql):
        """Rows of a single statement as tuples of text; raises ServerError."""
        result = self.query(sql)[-1]
        if result.error:
            raise ServerError(result.error)
        return [tuple(None if v is None else v.decode() for v in row) for row in result.rows]

    def value(self, sql):
        return self.rows(sql)[0][0]

    def execute(self, sql, copy_in=None):
        """Runs statements; raises ServerError of the first that fails."""
        results = self.query(sql, copy_in)
        for result in results:
            if result.error:
                raise ServerError(result.error)
        return results[-1].tag if results else None

    def extended(self, sql, values=(), types=(), formats=(), result_formats=()):
        """One statement through Parse, Bind, Describe, Execute, Sync; a Result."""
        self.send(parse(sql, types=types), bind(values, formats=formats, result_formats=result_formats),
                  describe_portal(), execute(), sync())
        results = self.results()
        return results[-1] if results else Result()

    def cancel(self):
        """Sends a CancelRequest on a socket of its own and waits until the server has closed that."""
        with Connection(self.address) as other:
            other.send(struct.pack("!IIII", 16, CANCEL_REQUEST, self.pid, self.secret))
            return other.is_closed()
