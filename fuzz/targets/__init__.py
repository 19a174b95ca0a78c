"""All targets, by name."""

from fuzzed import Target

from . import answers, files, grammars, links, proc, requests

TARGETS: dict[str, Target] = {
    each.name: each for module in (grammars, files, proc, links, requests, answers) for each in module.TARGETS
}
