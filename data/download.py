"""Downloads the published data sets: `python data/download.py math23k asdiv`.

Every address names a commit, so its content never changes. The git blob hash of every file is
known: blob = sha1("blob <size>\\0" + content). `git hash-object FILE` prints the same hash. A file
with another hash never reaches the disk. The script writes the verified content under a temporary
name and renames it in one step. A reader therefore finds the whole file or none, even when two
downloads run at once.
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
LIMIT = 100 * 2**20  # bytes; GitHub accepts no larger file, so a longer answer is a wrong one

# name -> source (owner/repository/commit/folder), licence, citation, files (path -> blob hash)
SETS = {
    "math23k": {
        "source": "allanj/Deductive-MWP/b482b27b722fa81c2741956ca3c046a9fe047398/"
                  "data/math23k_train_valid_test",
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
        "citation": "Miao, Liang, Su: A Diverse Corpus for Evaluating and Developing "
                    "English Math Word Problem Solvers. ACL 2020",
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
    """Says why one file failed and what the reader can do about it."""


def blob_hash(content):
    """The name that git gives to a file with this content."""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content).hexdigest()


def fetch(url, blob, timeout):
    """The content at url. Raises DownloadError unless its hash is `blob`.

    timeout: the longest silence of the server, in seconds
    """
    content, missing = read_answer(url, timeout)
    if len(content) > LIMIT:
        raise DownloadError(f"the answer is longer than {LIMIT} bytes, so it can't be this file; "
                            "check --base")
    if missing > 0:
        raise DownloadError(f"the answer broke off after {len(content)} bytes, "
                            f"{missing} are missing; run the command again")
    found = blob_hash(content)
    if found != blob:
        raise DownloadError(f"the content has the hash {found} instead of {blob} and was thrown "
                            "away; check --base, and whether a proxy answers for the server")
    return content


def read_answer(url, timeout):
    """At most LIMIT + 1 bytes of the answer, and the number of announced bytes that are missing."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            content = response.read(LIMIT + 1)
            announced = response.headers.get("Content-Length") or len(content)
            return content, int(announced) - len(content)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"the server answered {error.code} {error.reason}; "
                            "check --base, or try again later") from error
    except http.client.IncompleteRead as error:
        raise DownloadError(f"the answer broke off after {len(error.partial)} bytes; "
                            "run the command again") from error
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        reason = getattr(error, "reason", error)  # urllib wraps an error of the connection
        if isinstance(reason, TimeoutError):
            raise DownloadError(f"the server was silent for {timeout:g} s; "
                                "try again later, or with a longer --timeout") from error
        raise DownloadError(f"the connection failed ({reason}); "
                            "check the network and --base, then run the command again") from error


def store(content, target):
    """Writes the whole content to target, or nothing."""
    # the temporary file is in the target's folder, because a rename can't cross disks
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                file.write(content)
                file.flush()
                # without fsync, a power cut after the rename could leave an empty file
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(f"the file can't be written ({reason}); "
                            "make room or check the folder's permissions, "
                            "or name another folder in TINYPRUNE_DATA") from error


def is_there(target, blob):
    """Whether target is there and has the hash `blob`."""
    try:
        return target.stat().st_size <= LIMIT and blob_hash(target.read_bytes()) == blob
    except OSError:
        return False


def main(argv=None):
    """Downloads the sets in argv. The exit status is 0 when every file is there and right."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if not args.sets:
        parser.print_help()
        return 2
    for name in args.sets:
        if name not in SETS:
            parser.error(f"no set is called {name!r}; there are: {', '.join(SETS)}")

    script_folder = Path(__file__).resolve().parent
    data = Path(os.environ.get("TINYPRUNE_DATA") or script_folder)
    failures = 0
    try:
        for name in dict.fromkeys(args.sets):  # a set that is named twice is downloaded once
            failures += download_set(name, data / name, args.base, args.timeout)
    except KeyboardInterrupt:
        print("\nStopped. Every file that is there is whole; run the command again for the rest.",
              file=sys.stderr)
        return 130
    return 1 if failures else 0


def make_parser():
    sizes = [f"{name} ({len(chosen['files'])} files)" for name, chosen in SETS.items()]
    parser = argparse.ArgumentParser(
        description="Downloads the published data sets into this script's folder, "
                    "or into the folder that TINYPRUNE_DATA names.",
        epilog="sets: " + ", ".join(sizes))
    parser.add_argument("sets", nargs="*", metavar="SET", help=" or ".join(SETS))
    parser.add_argument("--base", default=BASE, metavar="URL",
                        help="a mirror in place of %(default)s")
    parser.add_argument("--timeout", type=float, default=30, metavar="S",
                        help="give up when the server is silent for this many seconds "
                             "(default: %(default)s)")
    return parser


def download_set(name, folder, base, timeout):
    """Downloads the files that folder lacks. Returns the number of failures."""
    chosen = SETS[name]
    print(f"{name} -> {folder}")
    print(f"  licence: {chosen['licence']}")
    print(f"  please cite: {chosen['citation']}")
    address = f"{base.rstrip('/')}/{chosen['source']}"
    failures = 0
    for path, blob in chosen["files"].items():
        target = folder / path
        url = f"{address}/{path}"
        print(f"  {path}: ", end="", flush=True)
        if is_there(target, blob):
            print("already there")
            continue
        try:
            content = fetch(url, blob, timeout)
            store(content, target)
            print(f"{len(content) / 1e6:.2f} MB, verified")
        except DownloadError as error:
            failures += 1
            print("FAILED", flush=True)
            print(f"{target} from {url}: {error}.", file=sys.stderr)
    return failures


if __name__ == "__main__":
    sys.exit(main())
