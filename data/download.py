"""Fetches the real data sets as their authors published them: `python data/download.py math23k asdiv`.

Every address names a commit, so its content can never change, and every file's git blob hash is
known: blob = sha1("blob <size>\\0" + content), what `git hash-object FILE` prints. A file whose
hash is wrong never reaches the disk. The verified content is written under a temporary name and
renamed in one step: whoever looks finds the whole file or none, also when two downloads run at once.
"""
import argparse
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

BASE = "https://raw.githubusercontent.com"
LIMIT = 100 * 2**20  # bytes; GitHub takes no larger file, so a longer answer is none of ours

SETS = {  # name -> where it is published (owner/repository/commit/folder), its terms, path -> blob hash
    "math23k": {
        "source": "allanj/Deductive-MWP/b482b27b722fa81c2741956ca3c046a9fe047398/data/math23k_train_valid_test",
        "licence": "none stated by its authors (Tencent AI Lab): ask them before you pass it on",
        "citation": "Wang, Liu, Shi: Deep Neural Solver for Math Word Problems. EMNLP 2017",
        "files": {
            "train23k_processed_nodup.json": "9c2c9d2806d59581e30c40ac6ef2299e1a02ac03",
            "valid23k_processed_nodup.json": "d92667514b100e3659b62e5bfabb20160759ed23",
            "test23k_processed_nodup.json": "141b741b81db21aef91fb65e09f2225e766be094",
        },
    },
    "asdiv": {
        "source": "chaochun/nlu-asdiv-dataset/883f90a9a65bf00304ba8f37423910fe743abc47/dataset",
        "licence": "CC BY-NC 4.0: name the authors, no commercial use",
        "citation": "Miao, Liang, Su: A Diverse Corpus for Evaluating and Developing English Math Word "
                    "Problem Solvers. ACL 2020",
        "files": {
            "ASDiv.xml": "092be2256db15f64a11b2d95d958027c8e7fa432",
            "nfolds/asdiv-a/fold0.txt": "89e87bf62615c10908cf95d5388d19af322b599e",
            "nfolds/asdiv-a/fold1.txt": "bd94773507e22e94fd9f9048da494d8ee7ba4ef6",
            "nfolds/asdiv-a/fold2.txt": "483dfc9760ffccd3a25426ec19bedc1fed79c2c0",
            "nfolds/asdiv-a/fold3.txt": "6b7aa933fb4eb8f3d239550d8a1c8cba1050049d",
            "nfolds/asdiv-a/fold4.txt": "fbf4f96a4acadc03f6a3f473512e04a290714697",
        },
    },
}


class DownloadError(Exception):
    """Says what went wrong with one file and what to do about it."""


def blob_hash(content):
    """The name that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def fetch(url, blob, timeout):
    """The content at url, if it is the one whose hash is `blob`. timeout: seconds of silence."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            content = response.read(LIMIT + 1)
            missing = int(response.headers.get("Content-Length") or len(content)) - len(content)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"the server answered {error.code} {error.reason}; check --base, or try again later")
    except http.client.IncompleteRead as error:
        raise DownloadError(f"the answer broke off after {len(error.partial)} bytes; run the command again")
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        reason = getattr(error, "reason", error)  # urllib wraps what happens while connecting
        if isinstance(reason, TimeoutError):
            raise DownloadError(f"the server was silent for {timeout:g} s; try again later, or with a longer --timeout")
        raise DownloadError(f"the connection failed ({reason}); check the network and --base, then run the command again")
    if len(content) > LIMIT:
        raise DownloadError(f"the answer is longer than {LIMIT} bytes, so it can't be this file; check --base")
    if missing > 0:
        raise DownloadError(f"the answer broke off after {len(content)} bytes, {missing} are missing; "
                            "run the command again")
    if blob_hash(content) != blob:
        raise DownloadError(f"the content has the hash {blob_hash(content)} instead of {blob} and was thrown away; "
                            "check --base, or whether a proxy answers in the server's place")
    return content


def store(content, target):
    """Writes content to target: all of it or nothing."""
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")  # same folder: a rename can't cross disks
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # or a power cut after the rename could leave an empty file
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(f"it can't be written ({error.strerror or error}); make room or check the folder's "
                            "permissions, or name another folder in TINYPRUNE_DATA")


def is_there(target, blob):
    """Whether the file is already there, and the right one."""
    try:
        return target.stat().st_size <= LIMIT and blob_hash(target.read_bytes()) == blob
    except OSError:
        return False


def main(argv=None):
    """Fetches the sets named in argv; returns the exit status: 0 when every file is there and right."""
    parser = argparse.ArgumentParser(
        description="Fetches the published data sets into this script's folder, or the one that TINYPRUNE_DATA names.",
        epilog="sets: " + ", ".join(f"{name} ({len(s['files'])} files)" for name, s in SETS.items()))
    parser.add_argument("sets", nargs="*", metavar="SET", help=" or ".join(SETS))
    parser.add_argument("--base", default=BASE, metavar="URL", help="a mirror in place of %(default)s")
    parser.add_argument("--timeout", type=float, default=30, metavar="S",
                        help="give up when the server is silent for this many seconds (default: %(default)s)")
    args = parser.parse_args(argv)
    if not args.sets:
        parser.print_help()
        return 2
    for name in args.sets:
        if name not in SETS:
            parser.error(f"no set is called {name!r}; there are: {', '.join(SETS)}")

    data = Path(os.environ.get("TINYPRUNE_DATA") or Path(__file__).resolve().parent)
    failures = 0
    try:
        for name in dict.fromkeys(args.sets):
            chosen = SETS[name]
            print(f"{name} -> {data / name}\n  licence: {chosen['licence']}\n  please cite: {chosen['citation']}")
            for path, blob in chosen["files"].items():
                target, url = data / name / path, f"{args.base.rstrip('/')}/{chosen['source']}/{path}"
                print(f"  {path}: ", end="", flush=True)
                if is_there(target, blob):
                    print("already there")
                    continue
                try:
                    content = fetch(url, blob, args.timeout)
                    store(content, target)
                    print(f"{len(content) / 1e6:.2f} MB, verified")
                except DownloadError as error:
                    failures += 1
                    print("FAILED", flush=True)
                    print(f"{target} from {url}: {error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. What is there is whole; run the command again for the rest.", file=sys.stderr)
        return 130
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
