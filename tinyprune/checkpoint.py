"""Saving and loading models and checkpoints: a whole file or none, and no code is run from one."""
import io
import zipfile
from dataclasses import asdict

import torch

from tinyprune.batching import DEVICE
from tinyprune.files import FileError, one_line, write_whole
from tinyprune.transformer import Config, Head, Transformer
from tinyprune.vocabulary import Vocabularies, Vocabulary

torch.serialization.add_safe_globals([Head])  # a tuple of plain values, which runs no code


def save(state, path):
    """Writes a whole file that `read` understands, or nothing. Raises FileError."""
    whole = io.BytesIO()  # torch would call a full disk an internal error
    torch.save(state, whole)
    write_whole(path, lambda temporary: temporary.write_bytes(whole.getbuffer()))


def read(path):
    """What `save` wrote to the file. Raises FileError; never runs code from it."""
    try:
        with zipfile.ZipFile(path) as parts:  # torch compares no checksums
            damaged = parts.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged")
        return torch.load(path, map_location=DEVICE, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise  # the file may be whole
    except FileNotFoundError as error:
        raise FileError(f"{path} is not there: delete what else bears its name, and it will be "
                        "made again") from error
    except PermissionError as error:
        raise FileError(f"{path} may not be read: check its permissions") from error
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        raise FileError(f"{path} is no whole file of tinyprune's ({type(error).__name__}): "
                        "delete it") from error


def save_model(model, vocabularies, path):
    """Config, vocabularies and weights: all that it takes to solve problems."""
    save({"config": asdict(model.config), "source": vocabularies.source.tokens,
          "target": vocabularies.target.tokens, "weights": model.state_dict()}, path)


def load_model(path):
    """-> model in eval mode, Vocabularies. Raises FileError."""
    state = read(path)
    try:
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        config = Config(**state["config"])
        vocabularies = Vocabularies(_vocabulary(state["source"], config.source_tokens),
                                    _vocabulary(state["target"], config.target_tokens))
        with torch.device("meta"):  # shapes alone: a config may ask for too much memory
            model = Transformer(config)
        model.load_state_dict(state["weights"], assign=True)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
            RuntimeError) as error:
        raise FileError(f"{path} holds no model of this version ({one_line(error)}): "
                        "delete it") from error
    return model.float().to(DEVICE).eval(), vocabularies


def _vocabulary(tokens, size):
    """Raises ValueError unless `tokens` is a list of `size` different words."""
    vocabulary = Vocabulary(tokens)
    if vocabulary.tokens != list(map(str, tokens)) or len(vocabulary.index) != size:
        raise ValueError(f"a vocabulary is no list of {size} different words")
    return vocabulary
