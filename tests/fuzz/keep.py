#!/usr/bin/python3
"""Chooses the inputs that are kept in the tree: of all that a fuzzer has found, the few
that cover most together. Files in the tree whose names say what they found stay.

Usage: keep.py BUILD [FUZZER...]     a build with fuzzers that have run (make fuzz)
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile

FILES = 60
BYTES = 50000
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def features(program, directories):
    """{path: set of features}, by libFuzzer's own measure."""
    with tempfile.TemporaryDirectory() as scratch:
        control = os.path.join(scratch, "control")
        os.mkdir(os.path.join(scratch, "out"))
        subprocess.run(
            [program, "-set_cover_merge=1", "-max_len=65536", f"-merge_control_file={control}",
             os.path.join(scratch, "out"), *directories],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(control) as file:
            lines = file.read().splitlines()
    paths = lines[2:2 + int(lines[0])]
    found = {}
    for line in lines[2 + len(paths):]:
        kind, number, *values = line.split()
        if kind == "FT":
            found[paths[int(number)]] = set(map(int, values))
    return found


def choose(found, kept):
    """Greedily, the most new features first, new code before new counts and paths, small
    files before large ones; `kept` are in already."""
    covered = set()
    places = set()  # a feature is a place in the code, times 8, and how often
    files = size = 0
    for path in kept:
        covered |= found.get(path, set())
        places |= {feature >> 3 for feature in found.get(path, set())}
        files += 1
        size += os.path.getsize(path)
    chosen = []
    rest = dict(found)
    while files < FILES and rest:
        def gain(path):
            new = rest[path] - covered
            new_places = {feature >> 3 for feature in new} - places
            return (len(new) + 20 * len(new_places)) / (2000 + os.path.getsize(path))
        path = max(rest, key=gain)
        new = rest.pop(path) - covered
        if not new:
            break
        if size + os.path.getsize(path) > BYTES:
            continue
        covered |= new
        places |= {feature >> 3 for feature in new}
        files += 1
        size += os.path.getsize(path)
        chosen.append(path)
    return chosen, covered


def keep(build, fuzzer):
    area, name = re.fullmatch(r"([a-z]+)_(\w+)_fuzz", fuzzer).groups()
    tree = os.path.join(ROOT, area, "corpus", name)
    os.makedirs(tree, exist_ok=True)
    directories = [tree, os.path.join(build, "seeds", area, name),
                   os.path.join(build, "corpus", fuzzer)]
    directories = [path for path in directories if os.path.isdir(path)]
    found = features(os.path.join(build, "fuzz", fuzzer), directories)
    named = [os.path.join(tree, file) for file in sorted(os.listdir(tree))
             if not re.fullmatch("[0-9a-f]{16}", file)]
    chosen, covered = choose(found, named)
    contents = []
    for path in chosen:
        with open(path, "rb") as file:
            contents.append(file.read())
    for file in os.listdir(tree):
        if re.fullmatch("[0-9a-f]{16}", file):
            os.unlink(os.path.join(tree, file))
    for data in contents:
        path = os.path.join(tree, hashlib.sha1(data).hexdigest()[:16])
        with open(path, "wb") as file:
            file.write(data)
    total = len(set().union(*found.values()))
    print(f"{fuzzer}: {len(named) + len(contents)} of {len(found)} inputs,"
          f" {len(covered)} of {total} features")


def main():
    build = sys.argv[1]
    for fuzzer in sys.argv[2:] or sorted(os.listdir(os.path.join(build, "fuzz"))):
        if fuzzer.endswith("_fuzz"):
            keep(build, fuzzer)


main()
