"""A pytest plugin (``-p tests.first_cases``) that runs the first case of each parametrized test.

For runs of the suite with other versions of the dependencies: a version that changes a function
changes it in each case of a test.
"""


def pytest_collection_modifyitems(config, items):
    """Deselect every case of a test but its first."""
    first, others = {}, []
    for item in items:
        if first.setdefault(item.nodeid.partition("[")[0], item) is not item:
            others.append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = first.values()
