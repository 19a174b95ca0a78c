"""Discovers the packages: each program's folder stands at the top of the tree and installs below c1m."""

from setuptools import find_packages, setup

PROGRAMS = ("coordinator", "worker", "target")

shared = find_packages(include=["c1m", "c1m.*"], exclude=[f"c1m.{program}*" for program in PROGRAMS])  # without the links
programs = [f"c1m.{package}" for package in find_packages(include=[f"{program}*" for program in PROGRAMS])]

setup(packages=shared + programs)
