"""The oracle and the bench's peers for bzlmod; loaded by MODULE.bazel alone (NOT run here)."""

load(":repositories.bzl", "strata_peer_repositories")

def _peers_impl(_):
    strata_peer_repositories()

strata_peers = module_extension(implementation = _peers_impl)
