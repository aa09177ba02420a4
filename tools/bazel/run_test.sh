#!/bin/sh
# Runs another test's program, under the environment that the target of this one gives.
exec "$@"
