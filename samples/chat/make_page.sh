#!/bin/bash
# Makes a C array of a file: make_page.sh NAME FILE > FILE.inc
set -euo pipefail
echo "static const unsigned char $1[] = {"
od -An -v -tx1 "$2" | sed 's/ \(..\)/0x\1,/g'
echo "};"
