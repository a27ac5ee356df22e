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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "data" / "download.py"
spec = importlib.util.spec_from_file_location("download", SCRIPT)
download = importlib.util.module_from_spec(spec)
spec.loader.exec_module(download)

GIVEN = os.environ.get("TINYPRUNE_DATA")  # before a test sets it anew
FILES = {"toy.xml": bytes(range(256)) * 12, "folds/fold0.txt": b"toy-0001\r\ntoy-0003\n"}
TOY = {"source": "owner/toy/commit/dataset", "licence": "CC0", "citation": "Nobody: Toys. 2024",
       "files": {path: hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                 for path, content in FILES.items()}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answer(self)

    def send(self, content, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(content), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def content_of(path):
    return FILES[path.split("/dataset/")[1]]


def well(request):
    request.send(content_of(request.path))


@pytest.fixture
def server(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        server.answer, server.asked, server.url = well, [], f"http://127.0.0.1:{server.server_port}"
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
    for file in folder.rglob("*"):
        if file.is_file():
            path = file.relative_to(folder / "toy").as_posix()
            assert path in FILES, f"a leftover lies in the data folder: {path}"
            assert file.read_bytes() == FILES[path], f"a bad file lies in the data folder: {path}"


def get(server, *more):
    return download.main(["toy", "--base", server.url, *more])


def files_in(folder):
    return {file.relative_to(folder / "toy").as_posix() for file in folder.rglob("*") if file.is_file()}


def assert_complaints(capsys, server, data, words, paths=tuple(FILES)):
    """One sentence per failed file, with the file, the address, the cause and a remedy."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(paths), f"expected a line for each of {paths}, got {lines}"
    for path, line in zip(paths, lines):
        for part in (str(data / "toy" / path), f"{server.url}/{TOY['source']}/{path}", *words):
            assert part in line, f"{part!r} is missing in {line!r}"


def test_every_file_arrives_whole_with_licence_and_citation(server, data, capsys):
    assert get(server) == 0
    assert files_in(data) == set(FILES)
    said = capsys.readouterr()
    assert TOY["licence"] in said.out and TOY["citation"] in said.out and said.out.count("verified") == 2
    assert said.err == ""


def test_second_run_asks_for_nothing(server, data, capsys):
    get(server)
    server.asked.clear()
    assert get(server) == 0 and server.asked == []
    assert capsys.readouterr().out.count("already there") == 2


def test_wrong_content_is_thrown_away(server, data, capsys):
    server.answer = lambda request: request.send(content_of(request.path)[:-1] + b"?")
    assert get(server) == 1 and files_in(data) == set()
    assert_complaints(capsys, server, data, ["hash", "check --base"])


@pytest.mark.parametrize("length", ["announced", "not announced", "in chunks"])
def test_half_a_file_is_thrown_away(server, data, capsys, length):
    def half(request):
        content = content_of(request.path)
        body = content[:len(content) // 2]
        if length == "announced":
            request.send(body, Content_Length=len(content))
        elif length == "not announced":
            request.send(body, Content_Length=None)
        else:
            request.protocol_version = "HTTP/1.1"
            request.send(b"%x\r\n%s" % (len(content), body), Content_Length=None, Transfer_Encoding="chunked")
            request.close_connection = True
    server.answer = half
    assert get(server) == 1 and files_in(data) == set()
    assert_complaints(capsys, server, data, ["hash"] if length == "not announced" else ["broke off", "again"])


def test_missing_file_does_not_stop_the_others(server, data, capsys):
    server.answer = lambda request: request.send_error(404) if "toy.xml" in request.path else well(request)
    assert get(server) == 1 and files_in(data) == {"folds/fold0.txt"}
    assert_complaints(capsys, server, data, ["404", "--base"], ["toy.xml"])


def test_redirect_is_followed_and_its_content_checked(server, data, capsys):
    def moved(request):
        if "/moved/" not in request.path:
            request.send(b"", 302, Location=f"{server.url}/moved{request.path}")
        else:
            well(request)
    server.answer = moved
    assert get(server) == 0 and files_in(data) == set(FILES)

    (data / "toy" / "toy.xml").unlink()
    server.answer = lambda request: (request.send(b"please log in") if "/login" in request.path else
                                     request.send(b"", 302, Location="/login"))
    assert get(server) == 1 and files_in(data) == {"folds/fold0.txt"}
    server.answer = lambda request: request.send(b"", 302, Location=request.path)
    assert get(server) == 1, "a redirect to itself must end"


@pytest.mark.parametrize("sent", [0, 100])
def test_stalled_server_is_given_up(server, data, capsys, sent):
    woken = threading.Event()

    def stall(request):
        if sent:
            request.send(content_of(request.path)[:sent // 10], Content_Length=sent)
        woken.wait(5)
    server.answer = stall
    start = time.monotonic()
    try:
        assert get(server, "--timeout", "0.2") == 1 and time.monotonic() - start < 3
    finally:
        woken.set()
    assert files_in(data) == set()
    assert_complaints(capsys, server, data, ["silent for 0.2 s", "--timeout"])


def test_endless_answer_is_refused(server, data, capsys, monkeypatch):
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
    assert get(server) == 1 and files_in(data) == set()
    for _ in FILES:
        assert hung_up.acquire(timeout=5), "the whole answer was read before it was refused"
    assert_complaints(capsys, server, data, ["longer than 1000 bytes", "--base"])


@pytest.mark.parametrize("base", ["closed port", "nonsense", "http://[", "http://127.0.0.1:port"])
def test_unreachable_address_is_one_sentence(server, data, capsys, base):
    if base == "closed port":
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    assert download.main(["toy", "--base", base]) == 1 and files_in(data) == set()
    server.url = base
    assert_complaints(capsys, server, data, ["connection failed", "check the network and --base"])


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_full_disk_or_ctrl_c_leaves_nothing(server, data, capsys, monkeypatch, step, error):
    seen = []

    def fail(*args):
        seen.extend(data.rglob("*.part"))
        raise error
    monkeypatch.setattr(os, step, fail)
    status = get(server)
    assert seen, "the test must strike while the temporary file exists"
    assert files_in(data) == set()
    if isinstance(error, OSError):
        assert status == 1
        assert_complaints(capsys, server, data, ["No space left", "make room"])
    else:
        assert status == 130 and "Stopped" in capsys.readouterr().err


def test_ctrl_c_while_waiting_leaves_nothing(server, data, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt
    monkeypatch.setattr(download.urllib.request, "urlopen", interrupted)
    assert get(server) == 130 and not data.exists()


def test_place_that_cannot_be_written_is_one_sentence(server, data, capsys):
    data.write_bytes(b"a file where the folder should be")
    assert get(server) == 1
    assert_complaints(capsys, server, data, ["can't be written", "TINYPRUNE_DATA"])


def test_bad_file_is_replaced_only_by_a_verified_one(server, data, capsys):
    old = data / "toy" / "toy.xml"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"my own notes")
    server.answer = lambda request: request.send(b"worse")
    assert get(server) == 1 and old.read_bytes() == b"my own notes"
    server.answer = well
    assert get(server) == 0 and old.read_bytes() == FILES["toy.xml"]


def test_two_at_once_do_not_disturb_each_other(server, data, monkeypatch):
    together = threading.Barrier(2, timeout=5)
    fsync, most = os.fsync, []

    def meet(number):
        fsync(number)
        together.wait()
        most.append(len(list(data.rglob("*.part"))))
        together.wait()
    monkeypatch.setattr(os, "fsync", meet)
    statuses = []
    runs = [threading.Thread(target=lambda: statuses.append(get(server))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert statuses == [0, 0] and files_in(data) == set(FILES)
    assert most == [2] * 4, f"both must have written each file at the same time, under two names: {most}"


def test_help_lists_the_sets_and_an_unknown_set_is_refused(capsys, data):
    assert download.main([]) == 2 and "toy (2 files)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        download.main(["toys"])
    assert "no set is called 'toys'" in capsys.readouterr().err


def test_published_asdiv_passes_the_real_table(server, tmp_path):
    """The command as a reader types it, and the real ASDiv served at its published address.

    Math23k can't be compared: copies that keep only some fields have other hashes.
    """
    folders = [Path(GIVEN)] if GIVEN else [ROOT / "data", ROOT.parent / "shared" / "data"]
    real = next((folder / "asdiv" for folder in folders if (folder / "asdiv" / "ASDiv.xml").is_file()), None)
    if real is None:
        pytest.skip("ASDiv is not here: python data/download.py asdiv")
    source = f"/{download.SETS['asdiv']['source']}/"
    server.answer = lambda request: request.send((real / request.path.removeprefix(source)).read_bytes())
    done = subprocess.run([sys.executable, str(SCRIPT), "asdiv", "--base", server.url + "/"], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "TINYPRUNE_DATA": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for path in download.SETS["asdiv"]["files"]:
        assert (tmp_path / "asdiv" / path).read_bytes() == (real / path).read_bytes()
    assert "CC BY-NC 4.0" in done.stdout and "ACL 2020" in done.stdout and done.stdout.count("verified") == 6
