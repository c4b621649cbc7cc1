#!/bin/sh
# ./hosts.sh node1:4,node2:4: a run over machines that ssh reaches without a password, with so many GPUs each. All see this folder under the same path.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec mpirun -x PATH --mca odls_base_sigkill_timeout 60 --host "${1:?expected machines, as node1:4,node2:4}" --map-by slot kto train "$here/kto.yaml" --resume_from_checkpoint true
