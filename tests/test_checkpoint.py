"""The files' promises: whole or not there at all, and what was saved is what is loaded.

What a bad file does is tried in project/trust.py.
"""
from pathlib import Path

import pytest
import torch

from builders import fresh_model, heads_of, tiny_batch
from checks import check
from tinyprune import confidence
from tinyprune.checkpoint import load_model, read, save, save_model
from tinyprune.files import FileError, read_text
from tinyprune.masking import remove_heads
from tinyprune.vocabulary import Vocabularies, Vocabulary


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.pt"
    save({"a": torch.arange(3)}, path)
    check(read(path)["a"], torch.arange(3), "a file in a folder that is made for it")
    with pytest.raises(TypeError):
        save({"a": torch.zeros(9), "b": (n for n in "")}, path)  # a generator cannot be written
    check(read(path)["a"], torch.arange(3), "the old file after a failure")
    check(list(path.parent.iterdir()), [path], "the files: half a file was left")


@pytest.mark.parametrize("error, expected", [
    (PermissionError(13, "denied"), "check its permissions"), (MemoryError("no room"), "no room")])
def test_a_file_that_may_be_whole_is_not_called_damaged(error, expected, tmp_path, monkeypatch):
    def load(*_, **__):
        raise error

    path = tmp_path / "file.pt"
    save({"a": 1}, path)
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises((FileError, MemoryError), match=expected):
        read(path)


@pytest.mark.parametrize("function", [read, read_text])
def test_a_name_that_no_file_can_have_is_refused(function, tmp_path):
    with pytest.raises(FileError):
        function(tmp_path / ("n" * 300))
    assert confidence.load(tmp_path / ("n" * 300)) == [], "without a table nobody has measured"


def test_a_file_is_never_written_in_place(tmp_path, monkeypatch):
    """A machine that dies while writing must leave the old file."""
    path = tmp_path / "file.pt"
    paths = []

    def write_bytes(path, content):
        paths.append(path)
        path.touch()

    save({"a": 1}, path)
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    save({"a": 2}, path)
    assert path not in paths, "write beside the file, then rename into its place"
    check([path.parent for path in paths], [tmp_path], "a rename must stay in one folder")


@pytest.mark.parametrize("pruned", ["", "encoder 0 1, cross 0 0, cross 0 2"])
def test_a_loaded_model_is_the_saved_model(tmp_path, pruned):
    model = fresh_model(3)
    if pruned:
        model = remove_heads(model, heads_of(pruned))
    words = Vocabularies(Vocabulary("tom has some red pens N0 N1".split()),
                         Vocabulary("+ - 1 N0 N1".split()))
    save_model(model, words, tmp_path / "model.pt")
    loaded, loaded_words = load_model(tmp_path / "model.pt")
    check(loaded_words.source.tokens, words.source.tokens, "the source vocabulary")
    check(loaded_words.target.tokens, words.target.tokens, "the target vocabulary")
    check(loaded.heads(), model.heads(), "the heads")
    assert not loaded.training, "a loaded model is in eval mode"
    batch = tiny_batch()
    with torch.no_grad():
        logits, expected = [m(batch.source, batch.lengths, batch.target) for m in (loaded, model)]
    assert torch.equal(logits, expected), "the same weights must give the same logits"
