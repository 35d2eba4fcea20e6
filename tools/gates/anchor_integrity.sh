#!/usr/bin/env bash
# One root over the gate's evidence, and the git tag anchor-M2-ROOT: paths of one's own may be given instead of the usual ones.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
out=${MBP_EVIDENCE_OUT:-out/s4_orr}
if [[ $# -eq 0 ]]; then
  # What a gate shows; what is not there yet is left out, and the list in ANCHOR.json says what was.
  for path in "$out/evidence" docs specs; do
    if [[ -e $path ]]; then set -- "$@" "$path"; fi
  done
fi
exec tools/mbp anchor files "$@" --out "$out" --tag "${MBP_GATE:-M2}"
