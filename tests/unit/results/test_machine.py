from __future__ import annotations

import getpass
import platform
import subprocess

import msgspec
import pytest

from harness.results import machine


@pytest.fixture
def no_gpu(monkeypatch):
    def absent(*_args, **_kwargs):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", absent)


def test_this_machine_can_be_read(no_gpu):
    found = machine.this_machine()
    assert found.os
    assert found.cores >= 1
    assert found.memory_mb > 100
    assert found.gpus == ()


def test_it_names_neither_host_nor_user(no_gpu):
    text = msgspec.json.encode(machine.this_machine()).decode()
    assert platform.node() not in text
    assert f'"{getpass.getuser()}"' not in text


def test_a_gpu_and_its_driver():
    text = "NVIDIA H100 80GB HBM3, 550.54.15\nNVIDIA H100 80GB HBM3, 550.54.15\n"
    assert machine.parse_nvidia_smi(text) == (("NVIDIA H100 80GB HBM3",) * 2, "550.54.15")


def test_an_answer_that_is_no_table():
    assert machine.parse_nvidia_smi("No devices were found\n") == ((), None)


def test_a_driver_without_its_tool():
    text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n"
    assert machine._driver(text) == "535.104.05"
    assert machine._driver("") is None


@pytest.mark.parametrize("fault", [OSError, subprocess.TimeoutExpired("nvidia-smi", 1)])
def test_a_driver_that_does_not_answer(monkeypatch, fault):
    def stuck(*_args, **_kwargs):
        raise fault

    monkeypatch.setattr(subprocess, "run", stuck)
    assert machine.this_machine().gpus == ()


def test_the_processor_of_an_arm_board():
    assert machine._cpu("processor : 0\nModel : Raspberry Pi 5\n") == "Raspberry Pi 5"
    assert machine._cpu("") == ""
