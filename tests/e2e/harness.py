"""Starts the real server and reaches it with real clients."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
from binary import speak_binary
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VARVE_BUILD", ROOT / "build" / "release"))
REGION = "us-east-1"

sys.path.insert(0, str(ROOT / "examples" / "packages"))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A varved process on a data directory. It may be started again after it ended."""

    def __init__(self, data_dir, *flags):
        self.data_dir = Path(data_dir)
        self.flags = flags
        self.port = free_port()
        self.binary_port = free_port()
        self.process = None
        self.log = self.data_dir.parent / f"{self.data_dir.name}.log"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout_s=30):
        ports = ["--port", str(self.port)]
        if "--binary-port" not in self.flags:
            ports += ["--binary-port", str(self.binary_port)]
        command = [BUILD / "varved", *ports, "--data-dir", self.data_dir]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.flags], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"varved ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"varved does not answer:\n{self.tail()}")
            time.sleep(0.01)
        return self

    def answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/")
            status = connection.getresponse().status
            connection.close()
            return status == 200
        except OSError:
            return False

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Asks for a graceful end, as `systemctl stop` does."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert code == 0, f"varved ended with {code}:\n{self.tail()}"

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=30)

    def client(self, **config):
        settings = {
            "retries": {"max_attempts": 0},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 32,
            **config,
        }
        return boto3.client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**settings),
        )

    def binary_client(self, **config):
        """The same boto3, over the binary protocol (binary.py)."""
        return speak_binary(self.client(**config), ("127.0.0.1", self.binary_port))

    def aws(self, *arguments, check=True):
        """`aws dynamodb ...`; its output, decoded, and with check=False the finished process."""
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        arguments = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
        done = subprocess.run(
            ["/usr/bin/aws", "dynamodb", "--endpoint-url", self.url, "--output", "json", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def post(self, operation, body, headers=None, timeout=30):
        """A request without an SDK: (status, headers, body)."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                "POST",
                "/",
                body,
                {
                    "Content-Type": "application/x-amz-json-1.0",
                    "X-Amz-Target": f"DynamoDB_20120810.{operation}",
                    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/"
                    "aws4_request, SignedHeaders=host, Signature=0",
                    **(headers or {}),
                },
            )
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def error(self, operation, body, **options):
        """The (status, type, message) of a request that must fail."""
        status, _, answer = self.post(operation, body, **options)
        assert status >= 400, answer
        answer = json.loads(answer)
        return status, answer["__type"].split("#")[-1], answer.get("message", answer.get("Message"))


def varve(*arguments):
    """The `varve` tool."""
    return subprocess.run(
        [BUILD / "varve", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def assert_clean(data_dir):
    """`varve check` finds nothing wrong."""
    done = varve("check", data_dir)
    assert done.returncode == 0, done.stdout + done.stderr
