"""All targets, by name."""

from fuzzed import Target

from . import answers, files, fleets, grammars, held, journals, links, peers, proc, requests

MODULES = (grammars, files, held, proc, links, requests, answers, fleets, journals, peers)
TARGETS: dict[str, Target] = {each.name: each for module in MODULES for each in module.TARGETS}
