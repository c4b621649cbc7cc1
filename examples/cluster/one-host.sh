#!/bin/sh
# ./one-host.sh 4: a run over four GPUs of this machine. Ctrl-C ends it after the update in flight, with a checkpoint: mpirun gives its processes a minute for it.
set -eu
here=$(dirname "$0")
exec mpirun --mca odls_base_sigkill_timeout 60 -n "${1:?expected the number of GPUs}" kto train "$here/kto.yaml" --resume_from_checkpoint true
