"""A gate between pgmosaic and a server: it lets bytes through, holds them back, or cuts connections on one side or on both."""
import contextlib
import socket
import threading


class Gate:
    def __init__(self, port):
        self.port_behind = port
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        self.pairs = set()  # (pgmosaic's side, the server's side)
        self.orphans = []   # server's sides whose other side was cut: half open
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port_behind))
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.add((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pass_on, args=(source, sink, (near, far)), daemon=True).start()

    def pass_on(self, source, sink, pair):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.open.wait()
                sink.sendall(data)
        with self.lock:
            if pair not in self.pairs:
                return
            self.pairs.discard(pair)
        close(*pair)

    def hold(self):
        """Nothing comes through, and nobody is told."""
        self.open.clear()

    def release(self):
        self.open.set()

    def cut(self, half=False):
        """pgmosaic loses all its connections; `half`: the server does not notice until forget()."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for near, far in pairs:
            close(near)
            if half:
                self.orphans.append(far)
            else:
                close(far)

    def forget(self):
        close(*self.orphans)
        self.orphans = []

    def destroy(self):
        self.release()
        close(self.listener)
        self.cut()
        self.forget()


def close(*sockets):
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
