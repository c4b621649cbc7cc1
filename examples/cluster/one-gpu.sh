#!/bin/sh
# Runs a command that sees one NVIDIA GPU: that of its place among the processes of its machine. Slurm and Kubernetes do so by themselves.
# Needs no root, but user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces): the other devices are covered in a mount namespace of its own.
set -eu
place=${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-${PMI_LOCAL_RANK:-${SLURM_LOCALID:-0}}}}
number=0
mine=
for device in /dev/nvidia[0-9]*; do
  [ -e "$device" ] || continue
  if [ "$number" -eq "$place" ]; then mine=$device; fi
  number=$((number + 1))
done
if [ -z "$mine" ]; then
  echo "one-gpu.sh: process $place of this machine has no GPU; expected at least $((place + 1)), got $number; start fewer processes" >&2
  exit 2
fi
ONE_GPU=$mine exec unshare --user --map-root-user --mount sh -c '
  for device in /dev/nvidia[0-9]*; do [ "$device" = "$ONE_GPU" ] || mount --bind /dev/null "$device"; done
  exec "$@"' one-gpu.sh "$@"
