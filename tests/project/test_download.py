"""Whatever the network or the disk does, data/download.py leaves whole, right files or none.

A server on this machine plays the network. After every test the `data` fixture looks
through the folder: a file that isn't in the table, or isn't right, fails the test.
"""
import errno
import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cases import table

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data" / "download.py"
spec = importlib.util.spec_from_file_location("download", SCRIPT)
download = importlib.util.module_from_spec(spec)
spec.loader.exec_module(download)

DATA = os.environ.get("TINYPRUNE_DATA") or ROOT / "data"  # before a test sets it anew
FILES = {"toy.xml": bytes(range(256)) * 12, "folds/fold0.txt": b"toy-0001\r\ntoy-0003\n"}
HASHES = {path: hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
          for path, content in FILES.items()}
TOY = {"source": "owner/toy/commit/dataset", "licence": "CC0", "citation": "Nobody: Toys. 2024",
       "files": HASHES}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answer(self)

    def send(self, content, status=200, **headers):
        self.send_response(status)
        headers = {"Content_Length": len(content)} | headers
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def content_of(request):
    return FILES[request.path.split("/dataset/")[1]]


def well(request):
    request.send(content_of(request))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = well
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def data(monkeypatch, tmp_path):
    folder = tmp_path / "data"
    monkeypatch.setenv("TINYPRUNE_DATA", str(folder))
    monkeypatch.setattr(download, "SETS", {"toy": TOY})
    yield folder
    for path in files_in(folder):
        assert path in FILES, f"a leftover lies in the data folder: {path}"
        assert (folder / "toy" / path).read_bytes() == FILES[path], f"a bad file lies there: {path}"


def files_in(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder / "toy").as_posix() for file in files}


@pytest.fixture
def get(server, data):
    """Asks for the toys. -> the exit status"""
    def get(*more, base=server.url):
        return download.main(["toy", "--base", base, *more])

    return get


@pytest.fixture
def refused(server, data, get, capsys):
    """Asks for the toys: the failed files must be missing, and each must have its sentence.

    A sentence holds the file, the address, the cause and a remedy.
    """
    def ask(*words, failed=tuple(FILES), options=(), base=server.url):
        assert get(*options, base=base) == 1
        assert files_in(data) == set(FILES) - set(failed)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == len(failed), f"expected a line for each of {failed}, got {lines}"
        for path, line in zip(failed, lines):
            for part in (str(data / "toy" / path), f"{base}/{TOY['source']}/{path}", *words):
                assert part in line, f"{part!r} is missing in {line!r}"

    return ask


def test_every_file_arrives_whole_with_licence_and_citation(get, data, capsys):
    assert get() == 0
    assert files_in(data) == set(FILES)
    out, err = capsys.readouterr()
    assert TOY["licence"] in out
    assert TOY["citation"] in out
    assert out.count("verified") == 2
    assert err == ""


def test_second_run_asks_for_nothing(server, get, capsys):
    get()
    server.asked.clear()
    assert get() == 0
    assert server.asked == []
    assert capsys.readouterr().out.count("already there") == 2


def test_wrong_content_is_thrown_away(server, refused):
    server.answer = lambda request: request.send(content_of(request)[:-1] + b"?")
    refused("hash", "check --base")


@pytest.mark.parametrize("length, cause, remedy", table("""
    announced     | broke off | again
    not announced | hash      | check --base
    in chunks     | broke off | again
"""))
def test_half_a_file_is_thrown_away(server, refused, length, cause, remedy):
    def half(request):
        content = content_of(request)
        body = content[:len(content) // 2]
        if length == "announced":
            request.send(body, Content_Length=len(content))
        elif length == "not announced":
            request.send(body, Content_Length=None)
        else:
            request.protocol_version = "HTTP/1.1"
            chunk = b"%x\r\n%s" % (len(content), body)
            request.send(chunk, Content_Length=None, Transfer_Encoding="chunked")
            request.close_connection = True

    server.answer = half
    refused(cause, remedy)


def test_missing_file_does_not_stop_the_others(server, refused):
    def answer(request):
        if "toy.xml" in request.path:
            request.send_error(404)
        else:
            well(request)

    server.answer = answer
    refused("404", "--base", failed=["toy.xml"])


def test_redirect_is_followed_and_its_content_checked(server, get, data):
    def moved(request):
        if "/moved/" in request.path:
            well(request)
        else:
            request.send(b"", 302, Location=f"{server.url}/moved{request.path}")

    def log_in(request):
        if "/login" in request.path:
            request.send(b"please log in")
        else:
            request.send(b"", 302, Location="/login")

    server.answer = moved
    assert get() == 0
    assert files_in(data) == set(FILES)
    (data / "toy" / "toy.xml").unlink()
    server.answer = log_in
    assert get() == 1
    assert files_in(data) == {"folds/fold0.txt"}
    server.answer = lambda request: request.send(b"", 302, Location=request.path)
    assert get() == 1, "a redirect to itself must end"


@pytest.mark.parametrize("sent", [0, 100])
def test_stalled_server_is_given_up(server, refused, sent):
    woken = threading.Event()

    def stall(request):
        if sent:
            request.send(content_of(request)[:sent // 10], Content_Length=sent)
        woken.wait(5)

    server.answer = stall
    start = time.monotonic()
    try:
        refused("silent for 0.2 s", "--timeout", options=["--timeout", "0.2"])
        assert time.monotonic() - start < 3
    finally:
        woken.set()


def test_endless_answer_is_refused(server, refused, monkeypatch):
    monkeypatch.setattr(download, "LIMIT", 1000)
    hung_up = threading.Semaphore(0)

    def pour(request):
        try:
            request.send(b"", Content_Length=None)
            for _ in range(64):
                request.wfile.write(bytes(2**20))
        except ConnectionError:
            hung_up.release()

    server.answer = pour
    refused("longer than 1000 bytes", "--base")
    for _ in FILES:
        assert hung_up.acquire(timeout=5), "the whole answer was read before it was refused"


@pytest.mark.parametrize("base", ["closed port", "nonsense", "http://[", "http://127.0.0.1:port"])
def test_unreachable_address_is_one_sentence(refused, base):
    if base == "closed port":
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    refused("connection failed", "check the network and --base", base=base)


@pytest.fixture(params=["fsync", "replace"])
def fails_with(request, data, monkeypatch):
    """Sets the error that this step of writing a file raises."""
    seen = []

    def fail_with(error):
        def fail(*args):
            seen.extend(data.rglob("*.part"))
            raise error

        monkeypatch.setattr(os, request.param, fail)

    yield fail_with
    assert seen, "the test must strike while the temporary file exists"


def test_full_disk_leaves_nothing(fails_with, refused):
    fails_with(OSError(errno.ENOSPC, "No space left on device"))
    refused("No space left", "make room")


def test_ctrl_c_leaves_nothing(fails_with, get, data, capsys):
    fails_with(KeyboardInterrupt())
    assert get() == 130
    assert files_in(data) == set()
    assert "Stopped" in capsys.readouterr().err


def test_ctrl_c_while_waiting_leaves_nothing(get, data, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.urllib.request, "urlopen", interrupted)
    assert get() == 130
    assert not data.exists()


def test_place_that_cannot_be_written_is_one_sentence(refused, data):
    data.write_bytes(b"a file where the folder should be")
    refused("can't be written", "TINYPRUNE_DATA")


def test_bad_file_is_replaced_only_by_a_verified_one(server, get, data):
    old = data / "toy" / "toy.xml"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"my own notes")
    server.answer = lambda request: request.send(b"worse")
    assert get() == 1
    assert old.read_bytes() == b"my own notes"
    server.answer = well
    assert get() == 0
    assert old.read_bytes() == FILES["toy.xml"]


def test_two_at_once_do_not_disturb_each_other(get, data, monkeypatch):
    together = threading.Barrier(2, timeout=5)
    fsync = os.fsync
    parts = []

    def meet(number):
        fsync(number)
        together.wait()
        parts.append(len(list(data.rglob("*.part"))))
        together.wait()

    monkeypatch.setattr(os, "fsync", meet)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(get), pool.submit(get)]
    assert [run.result() for run in runs] == [0, 0]
    assert files_in(data) == set(FILES)
    assert parts == [2] * 4, \
        f"both must have written each file at the same time, under two names: {parts}"


def test_help_lists_the_sets_and_an_unknown_set_is_refused(capsys, data):
    assert download.main([]) == 2
    assert "toy (2 files)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        download.main(["toys"])
    assert "no set is called 'toys'" in capsys.readouterr().err


def test_published_asdiv_passes_the_real_table(server, tmp_path):
    """The command as a reader types it, and the real ASDiv served at its published address.

    Math23k can't be compared: copies that keep only some fields have other hashes.
    """
    real = Path(DATA) / "asdiv"
    if not (real / "ASDiv.xml").is_file():
        pytest.skip("ASDiv is not here: python data/download.py asdiv")
    published = download.SETS["asdiv"]

    def answer(request):
        path = request.path.removeprefix(f"/{published['source']}/")
        request.send((real / path).read_bytes())

    server.answer = answer
    done = subprocess.run([sys.executable, SCRIPT, "asdiv", "--base", server.url + "/"],
                          capture_output=True, text=True, timeout=60,
                          env=os.environ | {"TINYPRUNE_DATA": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for path in published["files"]:
        assert (tmp_path / "asdiv" / path).read_bytes() == (real / path).read_bytes()
    for part in ("CC BY-NC 4.0", "ACL 2020"):
        assert part in done.stdout
    assert done.stdout.count("verified") == 6
