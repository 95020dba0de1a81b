"""A pytest plugin (``-p tests.first_cases``) that runs each value of each parameter once.

For runs of the suite with other versions of the dependencies: of a test whose parameters are
combined, few cases are left.
"""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Deselect the cases of a test all of whose values have been in a case before."""
    kept, others, known = [], [], set()
    for item in items:
        test, _, name = item.nodeid.partition("[")
        # Without parameters the name is empty, and so is the only value.
        values = {(test, place, value) for place, value in enumerate(name[:-1].split("-"))}
        (others if values <= known else kept).append(item)
        known |= values
    config.hook.pytest_deselected(items=others)
    items[:] = kept
