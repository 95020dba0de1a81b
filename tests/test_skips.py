"""A test may only be skipped where what it needs is missing."""

from pathlib import Path

import pytest

pytest_plugins = "pytester"

FILE = """
import pytest

def test_no_reason():
    pytest.skip("I felt like it")

@pytest.mark.skipif(True, reason="links of POSIX")
def test_the_platform_has_it():
    pass

def test_a_module_that_is_there():
    pytest.skip("could not import 'json': who knows why")

def test_a_module_that_is_missing():
    pytest.importorskip("no_such_module")

@pytest.mark.xfail(reason="links of POSIX")
def test_expected_to_fail():
    assert False
"""


@pytest.fixture
def project(pytester):
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text("utf-8"))
    return pytester


def test_a_skip_where_nothing_is_missing_is_a_failure(project):
    project.makepyfile(FILE)
    result = project.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*I felt like it: a skip where nothing is missing*"])


def test_so_is_one_of_a_whole_file(project):
    project.makepyfile(
        test_there="import pytest; pytest.importorskip('json', minversion='9')",
        test_missing="import pytest; pytest.importorskip('no_such_module')",
    )
    result = project.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1, skipped=1)
    result.stdout.fnmatch_lines(["*ERROR*test_there.py*"])
