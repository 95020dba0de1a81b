"""What CuPy says and raises, told by a stub of it."""

import sys
from types import SimpleNamespace

import pytest

from charrnn.cuda import blas, device, gpu
from charrnn.errors import DeviceError


class OutOfMemoryError(MemoryError):
    pass


class CudaError(RuntimeError):
    pass


class Device:
    def __init__(self, index):
        pass

    def use(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def refuse(*args, **options):
    raise OutOfMemoryError("Out of memory allocating\n33,554,432 bytes")


@pytest.fixture(autouse=True)
def cupy(monkeypatch):
    properties = {
        "major": 9,
        "minor": 0,
        "name": b"NVIDIA Stub",
        "multiProcessorCount": 132,
        "sharedMemPerBlockOptin": 232448,
    }
    runtime = SimpleNamespace(
        CUDARuntimeError=CudaError,
        runtimeGetVersion=lambda: 12080,
        driverGetVersion=lambda: 12080,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda index: properties,
        memGetInfo=lambda: (10**9, 4 * 10**9),
    )
    cuda = SimpleNamespace(
        runtime=runtime,
        driver=SimpleNamespace(CUDADriverError=CudaError),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        compiler=SimpleNamespace(CompileException=CudaError),
        Device=Device,
        Stream=lambda non_blocking: SimpleNamespace(ptr=0),
    )
    pool = SimpleNamespace(free_bytes=lambda: 2 * 10**9)
    stub = SimpleNamespace(cuda=cuda, empty=refuse, get_default_memory_pool=lambda: pool)
    monkeypatch.setitem(sys.modules, "cupy", stub)
    monkeypatch.setattr(device, "find_spec", lambda name: name)
    monkeypatch.setattr(device, "has_driver", lambda: True)
    monkeypatch.setattr(device.sys, "platform", "linux")
    monkeypatch.setattr(gpu, "load", lambda version: None)


def test_memory_that_an_earlier_run_of_the_process_had_is_free():
    assert device.usable().free == 3 * 10**9


def test_a_gpu_that_others_fill_is_one_line():
    with pytest.raises(DeviceError, match="out of memory") as caught:
        gpu.CupyBackend(device.usable(), "tf32")
    assert "\n" not in str(caught.value)


def test_cublas_is_of_the_version_of_cupy(tmp_path, monkeypatch):
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(blas, "find_spec", lambda name: package)
    (tmp_path / "lib").mkdir()
    for version in (12, 13):
        (tmp_path / f"lib/libcublas.so.{version}").touch()
    first, *others = blas.libraries(12)
    assert first == str(tmp_path / "lib/libcublas.so.12")
    assert all(path.endswith("libcublas.so.12") for path in others)
