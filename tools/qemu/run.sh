#!/bin/bash
# Runs a program for Linux on another CPU under qemu-user, and any other as it is.
#
# usage: tools/qemu/run.sh PROGRAM [ARGUMENT...]

set -euo pipefail

# The machine that an ELF file is for (elf(5): e_machine, two bytes, little-endian here); nothing for a script.
machine_of() {
  if [[ $(head -c 4 "$1" | tail -c 3) == ELF ]]; then
    od -An -tu2 -j18 -N2 "$1" | tr -d ' '
  fi
}

case $(machine_of "$1") in
  40) exec qemu-arm "$@" ;;
  183) exec qemu-aarch64 "$@" ;;
  *) exec "$@" ;;
esac
