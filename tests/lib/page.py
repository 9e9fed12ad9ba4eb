"""Runs the commands of a page of documentation and compares the answers that it shows.

    page.py PAGE.md

What is run: every ```console block, in one shell, from the first to the last; "$ " begins a command, "> " or a "\\" before continues it.
What stands below a command is its answer: "..." stands for anything, alone on a line for any lines. A command without an answer may say
what it likes. Every command must succeed, unless the next one is "echo $?". Every ```diff block is applied to the files it names.
Standard library only.
"""
import os
import re
import subprocess
import sys

TIMEOUT_S = 180
MARK = "--- exit "


def blocks(text):
    for match in re.finditer(r"^```(console|diff)\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 2, match.group(1), match.group(2)


def commands(block):
    """[command, [answer lines]] and at which line of the block."""
    found, continued = [], False
    for number, line in enumerate(block.splitlines()):
        if line.startswith("$ "):
            found.append((number, [line[2:]], []))
        elif found and (line.startswith("> ") or line == ">" or continued):
            found[-1][1].append(line[2:] if line.startswith("> ") or line == ">" else line)
        elif found:
            found[-1][2].append(line)
        else:
            raise SystemExit("a console block does not begin with '$ ': " + line)
        continued = (line.startswith(("$ ", "> ")) or continued) and line.endswith("\\")
    return [(number, "\n".join(command), answer) for number, command, answer in found]


def pattern(answer):
    parts = []
    for line in answer:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.compile("".join(parts) + r"\Z")


class Shell:
    def __init__(self):
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def run(self, command):
        self.process.stdin.write("%s\nmesh_status=$?; printf '\\n%s%%d\\n' $mesh_status; (exit $mesh_status)\n" % (command, MARK))
        self.process.stdin.flush()
        out = []
        for line in self.process.stdout:
            if line.startswith(MARK):
                text = "".join(out)[:-1]  # the line feed before the mark
                return int(line[len(MARK):]), text if text == "" or text.endswith("\n") else text + "\n"
            out.append(line)
        raise SystemExit("the shell ended:\n" + "".join(out))

    def cwd(self):
        return os.readlink("/proc/%d/cwd" % self.process.pid)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def run_console(shell, page, line, block, following):
    done = commands(block)
    for i, (number, command, answer) in enumerate(done):
        after = done[i + 1][1] if i + 1 < len(done) else following
        status, out = shell.run(command)
        where = "%s:%d: %s" % (page, line + number, command)
        if status != 0 and after != "echo $?":
            raise SystemExit("%s\nexit %d:\n%s" % (where, status, out))
        if answer and not pattern(answer).match(out):
            raise SystemExit("%s\n---- the page says\n%s\n---- the answer was\n%s" % (where, "\n".join(answer), out))
        print("ok: " + command.splitlines()[0])
    return len(done), sum(1 for _, _, answer in done if answer)


def run_diff(shell, page, line, block):
    result = subprocess.run(["patch", "-p1", "--batch", "--fuzz=0", "--no-backup-if-mismatch"], cwd=shell.cwd(), input=block, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise SystemExit("%s:%d: the change does not fit:\n%s" % (page, line, result.stdout))
    print("ok: change of " + re.search(r"^\+\+\+ (?:b/)?(\S+)", block, re.M).group(1))


def main():
    page = sys.argv[1]
    with open(page) as f:
        found = list(blocks(f.read()))
    shell = Shell()
    n_commands = n_answers = n_changes = 0
    for line, kind, block in found:
        if kind == "diff":
            run_diff(shell, page, line, block)
            n_changes += 1
        else:
            n, answers = run_console(shell, page, line, block, "")
            n_commands, n_answers = n_commands + n, n_answers + answers
    shell.close()
    print("%d commands, %d answers compared, %d changes" % (n_commands, n_answers, n_changes))
    assert n_commands > 0 and n_answers > 0, "the page shows nothing that could be wrong"


main()
