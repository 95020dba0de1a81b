import pytest

from charrnn.cuda.occupancy import KERNELS, THREADS, best, forms, pays

H100 = {"multiprocessors": 132, "shared_memory": 232448}
SMALL = {"multiprocessors": 20, "shared_memory": 101376}


@pytest.mark.parametrize("gpu", [H100, SMALL])
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "tanh"])
def test_forms_fit(cell, precision, gpu):
    for H in (128, 256, 640, 1024):
        for N in (16, 48, 256):
            for kernel in KERNELS:
                for form in forms(kernel, cell, H, N, precision, **gpu):
                    units, streams = form.grid
                    assert units * streams <= gpu["multiprocessors"] * form.blocks
                    assert units * form.units == H
                    assert streams * form.subs * form.streams == N
                    assert form.blocks * form.shared <= gpu["shared_memory"]
                    assert 1 <= form.kept <= form.steps
                    in_registers = THREADS * 16 * form.rows * form.kept
                    assert in_registers < (1 << 18) / form.blocks


@pytest.mark.parametrize(
    ("H", "N", "precision"),
    [(256, 64, "float32"), (100, 64, "tf32"), (256, 24, "tf32"), (192, 64, "bf16")],
)
def test_no_form_fits_what_the_kernels_cannot_do(H, N, precision):
    assert best("gru", H, N, precision, **H100) is None


def test_a_layer_that_is_too_large_for_all_multiprocessors_has_no_form():
    assert best("lstm", 1024, 16, "tf32", **H100)
    assert best("lstm", 2048, 16, "tf32", **H100) is None
    assert best("lstm", 1024, 16, "tf32", **SMALL) is None


def test_sizes_that_are_no_multiple_of_128_are_divided_in_tf32():
    forward, backward = best("gru", 192, 32, "tf32", **H100)
    assert (forward.steps, backward.steps) == (3, 9)


def test_few_streams_are_spread_over_the_gpu():
    for form in best("lstm", 256, 64, "tf32", **H100):
        assert form.subs == 1
        assert form.grid[0] * form.grid[1] >= 64


MEASURED = [
    # precision, cell, layers, H, N: 1,000 characters/s of persistent and of plain kernels
    ("tf32", "gru", 1, 256, 64, 10563, 4243),
    ("tf32", "gru", 1, 256, 256, 20100, 13083),
    ("tf32", "lstm", 1, 256, 64, 10045, 4064),
    ("tf32", "lstm", 1, 256, 256, 18148, 11763),
    ("tf32", "lstm", 1, 256, 1024, 24248, 25555),
    ("tf32", "gru", 2, 512, 64, 3194, 1887),
    ("tf32", "gru", 2, 512, 256, 4439, 4905),
    ("tf32", "lstm", 2, 512, 64, 2422, 1833),
    ("tf32", "lstm", 2, 512, 256, 3461, 4246),
    ("bf16", "lstm", 1, 256, 64, 11275, 5012),
    ("bf16", "lstm", 1, 256, 256, 21676, 15617),
    ("bf16", "lstm", 1, 256, 1024, 28504, 33108),
    ("bf16", "lstm", 2, 512, 64, 3661, 2738),
    ("bf16", "lstm", 2, 512, 256, 5385, 6714),
    ("bf16", "lstm", 3, 1024, 64, 783, 1184),
    ("bf16", "lstm", 3, 1024, 256, 933, 2114),
]
"""Whole steps of windows of 50 on an H100, cut into 5 parts where there are layers above."""


@pytest.mark.parametrize("row", MEASURED)
def test_persistent_kernels_are_chosen_where_they_were_faster(row):
    precision, cell, layers, H, N, persistent, plain = row
    share = 132 // layers
    chosen = best(cell, H, N, precision, share, H100["shared_memory"])
    T = 50 if layers == 1 else 10
    assert (chosen is not None and pays(chosen, T, N, share)) == (persistent > plain)


def test_a_few_steps_do_not_pay():
    chosen = best("gru", 256, 64, "tf32", **H100)
    assert not pays(chosen, 1, 64, 132)
