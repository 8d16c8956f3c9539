"""Imports every module that declares events, so that the catalogue is whole whatever test runs first."""

import importlib
import pkgutil

import domain

for module in pkgutil.walk_packages(domain.__path__, "domain."):
    importlib.import_module(module.name)
