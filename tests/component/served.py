"""An endpoint by `pgmosaic serve` on plain servers, for tests of how one gets in: its configuration is the test's own."""
import os
import pathlib
import shutil
import signal
import subprocess

import cluster


class Served(cluster.Endpoint):
    """`settings`: the sections of the configuration that the test is about, as lines of YAML. PGM_TARGET=plain has no such thing."""

    def __init__(self, servers, settings=()):
        self.servers = servers
        self.directory = cluster.make_directory("pgm-served-")
        self.port = cluster.free_port()
        self.file = f"{self.directory}/pgmosaic.yaml"
        self.program = None
        self.write(settings)

    def write(self, settings):
        shards = [f'  - {{ name: s{number}, nodes: ["127.0.0.1:{server.port}"] }}' for number, server in enumerate(self.servers, 1)]
        lines = ["cluster: served", f'listen: {{ postgres: ["127.0.0.1:{self.port}", "unix:{self.directory}"] }}', *settings,
                 "servers: { user: postgres }", "shards:", *shards, ""]
        pathlib.Path(self.file).write_text("\n".join(lines))

    def start(self, **environment):
        seen = len(self.log()) if os.path.exists(f"{self.directory}/log") else 0
        with open(f"{self.directory}/log", "a", encoding="utf-8") as log:
            self.program = subprocess.Popen([cluster.PGMOSAIC, "serve", "-c", self.file], stdin=subprocess.DEVNULL, stderr=log,
                                            env={**os.environ, **environment})
        cluster.wait_for(lambda: self.is_listening(seen), 30, "an endpoint that listens")
        return self

    def is_listening(self, seen=0):
        if self.program.poll() is not None:
            raise RuntimeError("the endpoint has ended:\n" + self.log())
        return "cli listening" in self.log()[seen:]

    def kill(self):
        self.program.kill()
        self.program.wait()

    def log(self):
        return pathlib.Path(f"{self.directory}/log").read_text(encoding="utf-8")

    def reload(self, settings):
        """SIGHUP with another configuration; returns what the log says about it."""
        self.write(settings)
        seen = len(self.log())
        self.program.send_signal(signal.SIGHUP)
        cluster.wait_for(lambda: "cli reload" in self.log()[seen:] and ("cli reloaded" in self.log()[seen:] or
                                                                        "reload_refused" in self.log()[seen:]), 10, "a reload")
        return self.log()[seen:]

    def destroy(self):
        if self.program is not None and self.program.poll() is None:
            self.program.send_signal(signal.SIGTERM)
            try:
                self.program.wait(20)
            except subprocess.TimeoutExpired:
                self.program.kill()
                self.program.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def set_access(server, *lines):
    """Replaces a plain server's pg_hba.conf."""
    path = pathlib.Path(server.data) / "pg_hba.conf"
    path.write_text("\n".join([*lines, ""]))
    server.run("pg_ctl", "-D", server.data, "reload")


class Certificates:
    """An authority of a test's own, and what it signs."""

    def __init__(self, directory, name="test authority"):
        self.directory = directory
        self.ca = f"{directory}/{name.replace(' ', '-')}.crt"
        self.ca_key = f"{directory}/{name.replace(' ', '-')}.key"
        self.openssl("req", "-x509", *self.new_key(self.ca_key), "-days", "2", "-subj", f"/CN={name}", "-out", self.ca)

    @staticmethod
    def new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def openssl(*words):
        done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60)
        if done.returncode:
            raise RuntimeError(done.stdout)

    def sign(self, common_name, alternative_names=""):
        """Paths of a certificate and of its key, which only its owner may read."""
        path = f"{self.directory}/{os.path.basename(self.ca)[:-4]}-{common_name}"
        extension = ["-addext", f"subjectAltName={alternative_names}"] if alternative_names else []
        self.openssl("req", "-x509", *self.new_key(path + ".key"), "-days", "2", "-subj", f"/CN={common_name}", *extension,
                     "-CA", self.ca, "-CAkey", self.ca_key, "-out", path + ".crt")
        os.chmod(path + ".key", 0o600)
        return path + ".crt", path + ".key"
