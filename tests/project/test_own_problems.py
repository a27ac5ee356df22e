"""Problems of one's own: the page's example trains a model, and other files are refused.

The records, the commands and the message are those of data/README.md.
"""
import json
import re
import runpy
import shlex
import shutil
import signal
import sys

import pytest

from cases import refusal
from checks import check
from tinyprune import checkpoint, confidence
from tinyprune.checker import evaluate_text
from tinyprune.checkpoint import load_model
from tinyprune.data import read_own
from tinyprune.files import ROOT, FileError
from tinyprune.tokenizer import OPERATORS
from tinyprune.train import Training

PAGE = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Problems of your own")[1]
EXAMPLES = json.loads(re.search(r"^```json\n(.*?)^```", SECTION, re.M | re.S)[1])
TRAIN, SOLVE = re.findall(r"^python .*", SECTION, re.M)


def varied(record, number):
    """The record with this much added to each of its numbers."""
    def add(text):
        return re.sub("[0-9]+", lambda match: str(int(match[0]) + number), text)

    equation = add(record["equation"])
    return {"id": f"{record['id']}, {number}", "text": add(record["text"]), "equation": equation,
            "answer": str(evaluate_text(equation))}


RECORDS = [varied(record, number) for number in range(70) for record in EXAMPLES]
RECORDS[0]["text"] = RECORDS[0]["text"].replace("Ann", "Zoe")  # only a validation problem says Zoe


def run(command, *options):
    """Runs a command of the page in this process and in the current folder."""
    _, *words = shlex.split(command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "excepthook", sys.excepthook)
        module = words[0] == "-m"
        patch.setattr(sys, "argv", [*words[module:], *options])
        if module:
            runpy.run_module(words[1], run_name="__main__")
        else:
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which the page's first command has run, for two epochs."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(RECORDS)
        run(TRAIN, "--epochs", "2")
    return folder


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(content, name="problems.json"):
    """Writes a text, or records as JSON, into the current folder."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


# the page

def test_the_page_is_short_and_names_every_script():
    assert len(PAGE.splitlines()) < 140 and len(SECTION.split()) < 600
    for script in ("train_own.py", "make_teachers.py --confidence", "download.py"):
        assert script in PAGE, f"{script} is not explained"


def test_the_examples_have_equations_that_give_their_answers(empty):
    write(EXAMPLES)
    for record, problem in zip(EXAMPLES, read_own("problems.json")):
        assert set(record) == {"id", "text", "equation", "answer"}
        assert not problem.parse_error
        assert problem.answer == evaluate_text(record["equation"]), record["id"]
        names = [token for token in problem.equation if token not in OPERATORS]
        check(names, ["N0", "N1"], f"{record['id']}: each number of the equation is in the text")
    assert {"苹" in record["text"] for record in EXAMPLES} == {True, False}, "both languages"


def test_the_message_for_a_csv_file_is_the_one_shown(empty):
    write("id,text,equation,answer\npens-1,Ann had 12 pens,12 - 5,7\n", "problems.csv")
    message = str(refusal(read_own, "problems.csv", kind=FileError))
    assert message in SECTION, message


# training and asking

def test_training_leaves_a_model_and_its_table_and_nothing_else(trained):
    found = sorted(path.name for path in trained.iterdir())
    check(found, ["model.confidence.json", "model.pt", "problems.json"], "the files")
    check(json.loads((trained / "problems.json").read_text(encoding="utf-8")), RECORDS,
          "the problems afterwards")


def test_every_tenth_problem_is_kept_for_the_table(trained):
    [group] = confidence.load(trained / "model.pt")
    check(group.answers, 21, "validation answers of 210 problems")


def test_validation_problems_are_not_learned_from(trained):
    _, vocabularies = load_model(trained / "model.pt")
    assert "ann" in vocabularies.source.index and "zoe" not in vocabularies.source.index


def test_the_model_knows_both_languages_and_writes_only_what_it_has_learned(trained):
    _, vocabularies = load_model(trained / "model.pt")
    assert {"pens", "苹"} <= vocabularies.source.index.keys()
    check(vocabularies.target.tokens[4:], ["-", "*", "/", "N0", "N1"], "what it can write")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_model_answers_a_typed_problem(options, trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    run(SOLVE, *options)
    printed = capsys.readouterr().out
    if options:
        solution = json.loads(printed)
        check(solution["numbers"], {"N0": "9", "N1": "4"}, "the numbers")
        check(solution["confidence"], confidence.load("model.pt")[0].right, "how sure it is")
    else:
        starts = [line.split(":")[0] for line in printed.splitlines()]
        check(starts[:4], ["numbers", "equation", "answer", "sure"], "what it prints")


def test_a_training_that_was_stopped_goes_on(trained, empty, monkeypatch, capsys):
    """Its result is that of a training that was never stopped."""
    write(RECORDS)
    step = Training.step

    def stop(training, batch):
        if training.done == 2:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C, in the third step
        return step(training, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", stop)
        with pytest.raises(KeyboardInterrupt):
            run(TRAIN, "--epochs", "2")
    check(sorted(path.name for path in empty.iterdir()), ["model.checkpoint", "problems.json"],
          "the files of a training that was stopped")
    run(TRAIN, "--epochs", "2")
    assert "going on at step 3 of 12" in capsys.readouterr().out
    check(sorted(path.name for path in empty.iterdir()),
          sorted(path.name for path in trained.iterdir()), "the files")
    for name in ("model.pt", "model.confidence.json"):
        assert (empty / name).read_bytes() == (trained / name).read_bytes(), name


def test_a_model_never_has_the_table_of_another(trained, empty, monkeypatch):
    shutil.copytree(trained, empty, dirs_exist_ok=True)
    monkeypatch.setattr(checkpoint, "save_model", complain)
    with pytest.raises(FileError, match="no room"):
        run(TRAIN, "--epochs", "1")
    assert (empty / "model.pt").read_bytes() == (trained / "model.pt").read_bytes()
    assert not (empty / "model.confidence.json").exists()


def complain(*_):
    raise FileError("there is no room")


# what is refused

def test_unreadable_equations_are_left_out_and_reported(empty, capsys):
    faulty = [record | {"id": f"bad-{number}", "equation": "12 - (5"}
              for number, record in enumerate(RECORDS[:7])]
    faulty[1] = {"id": "pens", "text": "Ann gave all her pens away. How many has she?",
                 "equation": "0", "answer": "0"}
    write(faulty + RECORDS[:19])
    error = refusal(run, TRAIN, kind=FileError)
    printed = capsys.readouterr().out
    assert "bad-0 is left out: the ( at token 3 is never closed" in printed, printed
    assert "pens is left out: its text has no number" in printed, printed
    assert printed.count("is left out") == 5 and "and 2 more" in printed, printed
    assert "19 problems with an equation that can be read" in str(error), error
    check([path.name for path in empty.iterdir()], ["problems.json"], "the files afterwards")


def changed(**fields):
    """The records, the fourth one with other fields, None for one that it lacks."""
    record = {name: value for name, value in (RECORDS[3] | fields).items() if value is not None}
    return [*RECORDS[:3], record, *RECORDS[4:]]


@pytest.mark.parametrize("content, found", [
    ("id,text,equation,answer\n1,Ann had 3 pens,3,3\n", "begins with 'id,text,equation,ans'"),
    ("", "begins with ''"), ("[{}", "is no JSON"), ("[" * 100_000, "is no JSON"),
    (json.dumps({"problems": RECORDS}), "found an object with the fields problems"),
    ("[]", "found an empty list"), ('["Ann had 3 pens"]', "record 0: the text 'Ann had 3 pens'"),
    ("\n".join(map(json.dumps, RECORDS)), "is no JSON"),
    (changed(equation=None), "record 3: an object with the fields id, text, answer"),
    (changed(answer=None), "record 3: an object with the fields id, text, equation"),
    (changed(equation=7), "record 3, whose equation is 7"),
    (changed(answer=[7]), "record 3, whose answer is a list")])
def test_a_file_in_another_format_is_told_what_was_expected_and_found(content, found, empty):
    write(content)
    sentence = refused(empty)
    expected = "expected a JSON list of records with the fields id, text, equation, answer"
    assert expected in sentence and found in sentence, sentence


@pytest.mark.parametrize("content, said", [
    (changed(answer="seven"), "record pens-1, 1: its answer 'seven' is no number"),
    (changed(text=""), "record pens-1, 1: its text is empty"),
    (changed(text="9" * 1001), "record pens-1, 1: its text holds a number of 1001 characters"),
    (changed(id=RECORDS[0]["id"]), "the id 'pens-1, 0' occurs twice"),
    (RECORDS[:19], "has 19 problems with an equation that can be read")])
def test_a_fault_in_a_record_is_named_with_the_record(content, said, empty):
    write(content)
    sentence = refused(empty)
    assert said in sentence, sentence


def refused(folder):
    """The sentence; the file of problems must stay as it is, and nothing else be there."""
    before = (folder / "problems.json").read_bytes()
    sentence = str(refusal(run, TRAIN, kind=FileError))
    assert "problems.json" in sentence and "\n" not in sentence, sentence
    check([path.name for path in folder.iterdir()], ["problems.json"], "the files afterwards")
    assert (folder / "problems.json").read_bytes() == before
    return sentence


def test_a_missing_file_is_named(empty):
    sentence = str(refusal(run, TRAIN, kind=FileError))
    assert sentence.startswith("problems.json is not there"), sentence
    assert not list(empty.iterdir())


def test_equations_that_use_no_number_of_their_texts_are_refused(empty):
    """The model could write nothing at all."""
    write([record | {"equation": str(1000 + n)} for n, record in enumerate(RECORDS)])
    assert "problems.json" in refused(empty)


@pytest.mark.parametrize("option", ["--epochs 0", "--epochs -1", "--seed -1", f"--seed {2**31}"])
def test_a_training_of_no_epochs_or_without_a_possible_seed_is_refused(option, empty):
    write(RECORDS)
    refusal(run, TRAIN, *option.split(), kind=SystemExit)
    check([path.name for path in empty.iterdir()], ["problems.json"], "the files afterwards")


@pytest.mark.parametrize("model", ["problems.json", "model.checkpoint", ".", "/"])
def test_a_model_never_takes_the_place_of_the_problems_or_the_checkpoint(model, empty):
    write(RECORDS)
    command = f"python data/train_own.py problems.json {model}"
    with pytest.raises((SystemExit, FileError)):
        run(command, "--epochs", "1")
    assert read_own("problems.json")
