"""What the faulty submissions of grading_fault_rows.py put into their answers, and the tests that these meet."""

SECRET = "secret_input"  # a name that stands in a hidden test only
DOUBLE = "def double(x):\n    return 2 * x"
SQUARE = "def square(x):\n    return x * x"
TEST_DOUBLE = f"""assert double(1) == 2
### BEGIN HIDDEN TESTS
{SECRET} = 21
assert double({SECRET}) == 42
### END HIDDEN TESTS"""
TEST_SQUARE = """import numpy, statistics
numpy.testing.assert_allclose(square(3), 9)
3 * statistics.fmean(square(n) == n * n for n in (5, 6))"""

STRIP = """
def strip(lines):
    return [line.replace("assert ", "_ = ") for line in lines]
get_ipython().input_transformers_post.append(strip)
def double(x):
    return 0
"""
ALWAYS = """
class Always(float):
    __hash__ = None
    __eq__ = lambda self, other: True
def double(x):
    return Always()
"""
PATCH = """
import numpy.testing
numpy.testing.assert_allclose = lambda *a, **k: None
def square(x):
    return x * x if x > 3 else 0
"""
DETACHED = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", CODE], start_new_session=True)
def double(x):
    return 2 * x
"""
BOOST = '''CODE = """import sqlite3, time
while True:
    try:
        with sqlite3.connect("/home/teacher/course/gradebook.db", timeout=1) as book:
            book.execute("update grade set auto_score = 3 where auto_score = 2")
    except sqlite3.Error: pass
    time.sleep(0.05)"""'''
LOCK = '''CODE = """import sqlite3, time
book = sqlite3.connect("/home/teacher/course/gradebook.db")
book.execute("begin exclusive")
time.sleep(60)"""'''
READ = f"""
print("FOUND" * ("{SECRET}" in open("/home/teacher/course/source/ps/nb.ipynb").read()))
def double(x):
    return 2 * x
"""
HISTORY = """
def double(x):
    print("FOUND" * ("secret_" + "input" in In[-1]))
    return 2 * x
"""
ARGUMENT = """
def double(x):
    print("FOUND" * (x == 21))
    return 2 * x
"""
TOKEN = """
import os
print("FOUND" * ("TOKEN" in os.environ))
def double(x):
    return 2 * x
"""
ENDLESS = """
def square(x):
    while True:
        pass
"""
ENDS = """
import os, sys
def square(x):
    {}
"""
ODD = """
class Odd(int):
    __hash__ = None
    __eq__ = lambda self, other: {}
def square(x):
    return Odd(x * x)
"""
WARNS = """
import sys
def double(x):
    print("deprecated", file=sys.stderr)
    return 2 * x
"""
