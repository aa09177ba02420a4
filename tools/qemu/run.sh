#!/bin/bash
# Runs a program for Linux on another CPU under qemu-user, and any other as it is. STRATA_RUNNER tells a
# program or script that is given such a program how to run it.
#
# usage: tools/qemu/run.sh PROGRAM [ARGUMENT...]

set -euo pipefail

# What runs an ELF file for another machine (elf(5): e_machine, two bytes, little-endian here).
runner_of() {
  [[ -f $1 && $(head -c 4 "$1" | tail -c 3 | tr -d '\0') == ELF ]] || return 0
  case $(od -An -tu2 -j18 -N2 "$1" | tr -d ' ') in
    40) echo qemu-arm ;;
    183) echo qemu-aarch64 ;;
  esac
}

for argument in "$@"; do
  runner=$(runner_of "$argument")
  if [[ -n $runner ]]; then
    export STRATA_RUNNER=$runner
    break
  fi
done
exec $(runner_of "$1") "$@"
