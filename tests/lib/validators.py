"""Where scripts/setup/validators.sh keeps other people's validators, and how a test gets into their Python."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
home = os.path.join(os.environ.get("MESH_CACHE") or os.path.join(ROOT, ".cache"), "validators")


def inside(script):
    """Begin again as `script` in the environment that has the packages; exit 77 when it cannot be had."""
    python = os.path.join(home, "py", "bin", "python")
    if sys.prefix == os.path.join(home, "py"):
        return
    subprocess.run([os.path.join(ROOT, "scripts", "setup", "validators.sh")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not os.path.exists(os.path.join(home, ".ready")):
        print("skip: no validators here (scripts/setup.sh validators says why)")
        sys.exit(77)
    os.execv(python, [python, script] + sys.argv[1:])
