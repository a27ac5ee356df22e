"""Tables of what the project's own checks found: trust, speed, and the proof of the assignments."""
from tables import markdown
from tinyprune.files import ROOT, read_json


def trust_table(found):
    """What tests/project/trust.py found, and below it what the records get wrong, by cause."""
    def agreement(name):
        counts = found[name]
        return f"{counts['right']:,} of {counts['asked']:,}: {counts['share']:.3%}"

    failures = f"{found['fuzz_failures']:,}; the slowest took {found['slowest_check_ms']:.0f} ms"
    remainders = found["asdiv_a"]["remainder_divisions"]
    lines = [["texts, token lists and mutated equations tried on the checker",
              f"{found['fuzz_inputs']:,}"],
             ["of these, a crash, 50 ms, or a value that an independent evaluator does not give",
              failures],
             ["checks a second, relative to sympy's sympify and simplify",
              f"×{found['times_as_fast']:.0f}"],
             ["trainings killed (SIGKILL); of these, the same bits at the end",
              f"{found['kills']}; {found['kills_bit_identical']}"],
             ["bad files tried; refused in a sentence",
              f"{found['bad_files_tried']}; {found['bad_files_refused']}"],
             ["Math23k's recorded equations that have the recorded answer", agreement("math23k")],
             [f"ASDiv-A's, without {remainders} divisions with remainder", agreement("asdiv_a")]]
    rest = found["math23k"]["rest"] | found["asdiv_a"]["rest"]
    causes = "; ".join(f"{id} ({cause})" for id, cause in rest.items())
    table = markdown(["checked", "found"], lines)
    return f"{table}\n\nRecords that disagree with themselves: {causes}."


def speed_table(cpu, gpu):
    """What tests/project/speed.py and gpu.py found."""
    def as_fast(ratio):
        return f"{ratio:.2f} times as fast"

    lines = []
    rivals = {"generate": "T5, one vocabulary for both sides", "t5_outputs": "T5, our outputs",
              "marian": "Marian, our outputs"}
    for name, rival in rivals.items():
        for size in (100, 1):
            lines.append([f"greedy decoding, batch {size}, against {rival}",
                          as_fast(cpu[f"decode_vs_{name}_batch{size}"])])
    lines += [["a training step, against torch.nn.Transformer's", as_fast(cpu["train_vs_torch"])],
              ["matrix products' share of its time", f"{cpu['matrix_share']:.0%}"]]
    for name, key in {"128": "pruned_speed", "1": "pruned_speed_batch1"}.items():
        for ratio, share in cpu[key]:
            if round(10 * ratio) in (1, 3, 5, 7):
                lines.append([f"{ratio:.0%} of the heads removed, batch {name}: speed, as a share "
                              "of what the FLOPs allow", f"{share:.0%}"])
    for name, took in gpu["milliseconds_a_step"].items():
        lines.append([f"a training step of the sample on {gpu['machine'].split(', ')[-1]}, {name}",
                      f"{took} ms"])
    table = markdown(["measured", "found"], lines)
    return f"{table}\n\nCPU: {cpu['threads']} thread, Math23k's teacher. {faults_of(gpu)}"


def faults_of(gpu):
    """What gpu.py said of its own checks, as a sentence."""
    worst = max(run["recorded_against_eager"] for run in gpu["recorded"].values())
    return (f"GPU: {len(gpu['faults'])} of its checks failed; recorded and eager losses differ by "
            f"at most {worst:.0e} of their size.")


def draw_cost(axes, cpu):
    """A training step's time against each size, both relative to the smallest."""
    for name, curve in cpu["cost_against_size"].items():
        sizes, times = zip(*curve)
        axes.plot([size / sizes[0] for size in sizes], times, marker=".",
                  label=f"{name}: {', '.join(map(str, sizes))}")
    axes.plot([1, 8], [1, 8], color="grey", linestyle=":", label="in proportion")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xlabel("size, relative to the smallest")
    axes.set_ylabel("time of a training step, relative")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def assignments_table():
    """lessons/course/assignments.json: a line an assignment"""
    lines = []
    for title, facts in read_json(ROOT / "lessons" / "course" / "assignments.json").items():
        points = sum(sum(tests.values()) for tests in facts["blanks"].values())
        lines.append([title, facts["lesson"][:2], facts["needs"], facts["goal"], f"{points}",
                      f"{facts['hours']:g}"])
    return markdown(["assignment", "lesson", "needs lessons", "goal: the student can", "points",
                     "hours"], lines)


def course_table(found):
    """What lessons/course/prove.py found."""
    lines = [["mistakes planted in the solutions", f"{found['planted']}"],
             ["of these, caught by the test meant for them; named in its message",
              f"{found['caught']}; {found['named']}"],
             ["one-token mutations of the solutions; of these, caught",
              f"{found['mutations']}; {found['killed']} "
              f"({found['killed'] / found['mutations']:.1%})"]]
    survivors = [[f"`{name}`", why] for name, why in found["survivors"].items()]
    return markdown(["tried", "found"], lines) + "\n\n" + markdown(["survivor", "why"], survivors)
