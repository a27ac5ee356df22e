"""Whole files or nothing, and the error that names a file, a record in it, and the remedy."""
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the project's folder
RUNS = ROOT / "runs"  # models, checkpoints and results that are made here
MAX_BYTES = 100 * 2**20  # of a data file; the largest published one has 12 MB


class FileError(ValueError):
    """A file, or a record in it, that cannot be read or written.

    The message is one sentence: it names the file, the record and the remedy. Programs print it
    without a traceback (cli.py), so it must never hide a mistake in the code.
    """


def one_line(error):
    """What an error says, short enough for a sentence."""
    return " ".join(str(error).split())[:200]


def project_file(*parts):
    """A file or folder that came with the project. Raises FileError if it is not there."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        raise FileError(f"{path} is not there: tinyprune runs from its own folder, so install it "
                        "with `pip install -e .` in a copy of the whole project")
    return path


def write_whole(path, write):
    """Calls write(temporary path), then puts that file in the place of `path`.

    If the program is stopped, `path` holds the whole new file or what it held before. Raises
    FileError where there is no room or no permission.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path} cannot be written ({one_line(error)}): make room, or check the "
                        "folder's permissions; what was there before is unharmed") from error


def write_text(path, text):
    """Writes a UTF-8 file, whole or not at all. Raises FileError."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_text(path):
    """The text of a UTF-8 file. Raises FileError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder, not a file: mend the name")
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"{path} has more than {MAX_BYTES} bytes, which no data set here has: "
                            "mend it, or download it again")
        return path.read_text(encoding="utf-8-sig")  # without the mark that Windows may write
    except FileNotFoundError as error:
        raise FileError(f"{path} is not there: check its name, or download the published sets with "
                        "`python data/download.py`") from error
    except (OSError, UnicodeError) as error:
        raise FileError(f"{path} cannot be read as UTF-8 text ({one_line(error)}): mend it, or "
                        "download it again") from error


def read_json(path):
    """What a JSON file that the project wrote holds. Raises FileError."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is no whole JSON file ({one_line(error)}): copy it again, or make "
                        "it anew") from error
